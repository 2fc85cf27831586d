"""The messages of the session protocol, v1, as they stand on the wire. PROTOCOL.md is its page.

Client messages are decoded in two steps, so that an unknown type can be told from a malformed
message: first the envelope (``type`` and ``ref``), then the one struct of that type. Unknown
fields are ignored. Server messages carry ``seq``, which the outbox stamps.
"""

from __future__ import annotations

import enum
from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core.errors import TeduhError
from media.codecs import Mode

SUBPROTOCOL = "teduh.v1"
TICKET_PREFIX = "teduh.ticket."
MAX_FRAME_BYTES = 64 * 1024
MAX_CHAT_CHARS = 4_000
MAX_RELAY_BYTES = 4 * 1024
MAX_ECHO_BYTES = 256

Ref = Annotated[str, Meta(min_length=1, max_length=64)]
Name = Annotated[str, Meta(max_length=128)]
Short = Annotated[str, Meta(max_length=32)]


class CloseCode(enum.IntEnum):
    """Why the server closes a WebSocket."""

    NORMAL = 1000
    TOO_BIG = 1009
    RESTART = 1012
    MALFORMED = 4400
    UNAUTHENTICATED = 4401
    NOT_YOUR_PLACE = 4403
    NO_SESSION = 4404
    HEARTBEAT_LOST = 4408
    CONTINUED_ELSEWHERE = 4409
    ENDED = 4410
    TOO_MANY = 4429


class WireState(enum.StrEnum):
    """The state of a participant as the other one is told it."""

    ABSENT = "absent"
    WAITING = "waiting"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    LEFT = "left"


class Reason(enum.StrEnum):
    """Who or what asked for a mode."""

    USER = "user"
    NETWORK = "network"
    DATA = "data"


class MediaState(msgspec.Struct, frozen=True):
    """What a side says it is sending."""

    audio: bool
    video: bool


# --- client to server ---------------------------------------------------------------------------


class ClientMessage(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """The base of all messages that a client sends."""


class Request(ClientMessage, frozen=True):
    """A message that is answered by ``ok`` or ``error`` and handled once."""

    ref: Ref


class Resume(msgspec.Struct, frozen=True):
    """The key of the last ``welcome``, and the last ``seq`` seen; 0: nothing is remembered."""

    key: Annotated[str, Meta(max_length=256)]
    seq: Annotated[int, Meta(ge=0)]


class Hello(ClientMessage, frozen=True, tag="hello"):
    """Enter, or come back."""

    codecs: Annotated[list[Annotated[str, Meta(max_length=64)]], Meta(max_length=64)] = msgspec.field(
        default_factory=list
    )
    token: Annotated[str, Meta(max_length=4096)] | None = None
    resume: Resume | None = None


class Answer(Request, frozen=True, tag="answer"):
    """The answer to an offer."""

    leg: Name
    negotiation: int
    sdp: str


class Restart(Request, frozen=True, tag="restart"):
    """Ask for new ICE credentials, or with ``fresh`` for a new leg."""

    fresh: bool = False


class Media(Request, frozen=True, tag="media"):
    """What this side sends now."""

    audio: bool
    video: bool


class ModeRequest(Request, frozen=True, tag="mode"):
    """Move the session to video, voice or chat."""

    mode: Mode
    reason: Reason


class Chat(Request, frozen=True, tag="chat"):
    """A line of chat."""

    text: str


class Typing(ClientMessage, frozen=True, tag="typing"):
    """This side is writing."""


class Consent(Request, frozen=True, tag="consent"):
    """Give or withdraw consent."""

    subject: Literal["recording"]
    granted: bool
    terms: Name


class Candidate(msgspec.Struct, frozen=True):
    """The selected path as the browser sees it; never an address."""

    protocol: Short | None = None
    type: Short | None = None
    network: Short | None = None


class Inbound(msgspec.Struct, frozen=True):
    """One received stream. Counters since the leg began, rates since the last report."""

    kind: Literal["audio", "video"]
    lost: float | None = None
    received: float | None = None
    bytes: float | None = None
    freezes: float | None = None
    freeze_ms: float | None = None
    concealed_pct: float | None = None
    jitter_ms: float | None = None
    buffer_ms: float | None = None
    fps: float | None = None
    width: float | None = None
    height: float | None = None


class Outbound(msgspec.Struct, frozen=True):
    """One sent stream."""

    kind: Literal["audio", "video"]
    sent: float | None = None
    bytes: float | None = None
    retransmitted: float | None = None
    target_kbps: float | None = None
    limited: Short | None = None
    fps: float | None = None
    width: float | None = None
    height: float | None = None


class QualityReport(ClientMessage, frozen=True, tag="quality"):
    """The browser's own view of its leg."""

    leg: Name
    at: Annotated[str, Meta(max_length=64)] | float | None = None
    rtt_ms: float | None = None
    available_kbps: float | None = None
    candidate: Candidate | None = None
    inbound: Annotated[list[Inbound], Meta(max_length=8)] = msgspec.field(default_factory=list)
    outbound: Annotated[list[Outbound], Meta(max_length=8)] = msgspec.field(default_factory=list)


class Relay(Request, frozen=True, tag="relay"):
    """Opaque data for the other side."""

    to: Name
    data: msgspec.Raw


class TakeoverAnswer(Request, frozen=True, tag="takeover"):
    """Admit or refuse a device that wants to continue a place."""

    id: Name
    admit: bool


class Ping(ClientMessage, frozen=True, tag="ping"):
    """Answered by ``pong`` at once; ``t`` is echoed unread."""

    t: msgspec.Raw = msgspec.Raw(b"null")


class Leave(Request, frozen=True, tag="leave"):
    """This side leaves."""


class End(Request, frozen=True, tag="end"):
    """End it for both; the counselor only."""

    reason: Annotated[str, Meta(max_length=200)] | None = None


CLIENT_MESSAGES: dict[str, type[ClientMessage]] = {
    "hello": Hello,
    "answer": Answer,
    "restart": Restart,
    "media": Media,
    "mode": ModeRequest,
    "chat": Chat,
    "typing": Typing,
    "consent": Consent,
    "quality": QualityReport,
    "relay": Relay,
    "takeover": TakeoverAnswer,
    "ping": Ping,
    "leave": Leave,
    "end": End,
}


# --- server to client ---------------------------------------------------------------------------


class ServerMessage(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """The base of all messages that the server sends; ``seq`` 0 stands before a place is taken."""

    seq: int = 0


class RecordingInfo(msgspec.Struct, frozen=True):
    """The recording as ``welcome`` tells it."""

    policy: Literal["off", "ask"]
    state: Literal["off", "asked", "on", "paused"]
    terms: str | None


class SessionInfo(msgspec.Struct, frozen=True):
    """The session as ``welcome`` tells it. Times are RFC 3339, null when unknown."""

    id: str
    mode: Mode
    state: str
    recording: RecordingInfo
    started_at: str | None
    ends_at: str | None


class You(msgspec.Struct, frozen=True):
    """The receiver's own place."""

    id: str
    role: str
    name: str


class PeerInfo(msgspec.Struct, frozen=True):
    """The other place as ``welcome`` tells it; ``media`` is null until that side has said it."""

    id: str
    role: str
    name: str
    state: WireState
    media: MediaState | None
    quickly: bool | UnsetType = UNSET


class IceServer(msgspec.Struct, frozen=True, omit_defaults=True):
    """One RTCIceServer (W3C WebRTC, 4.2.4)."""

    urls: list[str] | str
    username: str | None = None
    credential: str | None = None


class Welcome(ServerMessage, frozen=True, tag="welcome"):
    """The state of everything."""

    session: SessionInfo
    you: You
    peers: list[PeerInfo]
    ice_servers: list[IceServer]
    heartbeat_s: float
    grace_s: float
    resume_key: str
    resumed: bool


class Ok(ServerMessage, frozen=True, tag="ok"):
    """The request was handled."""

    ref: str


class Offer(ServerMessage, frozen=True, tag="offer"):
    """An offer."""

    leg: str
    negotiation: int
    sdp: str


class Peer(ServerMessage, frozen=True, tag="peer"):
    """The other side changed. For a held newcomer ``name`` and ``media`` are null.

    ``quickly`` beside ``left``: by the quick exit. They may not be alone and are not to be contacted.
    """

    id: str
    role: str
    name: str | None
    state: WireState
    media: MediaState | None
    joined_again: bool | UnsetType = UNSET
    quickly: bool | UnsetType = UNSET


class SessionChanged(ServerMessage, frozen=True, tag="session"):
    """The session's state changed; the times may have become known by that."""

    state: str
    started_at: str | None
    ends_at: str | None


class ModeChanged(ServerMessage, frozen=True, tag="mode"):
    """The session moved to a mode; ``by`` is null when a program asked."""

    mode: Mode
    by: str | None
    reason: Reason


class ChatLine(ServerMessage, frozen=True, tag="chat"):
    """A line of chat, also the sender's receipt."""

    id: str
    ref: str
    sender: str = msgspec.field(name="from")
    text: str
    at: str


class PeerTyping(ServerMessage, frozen=True, tag="typing"):
    """The other side is writing."""

    sender: str = msgspec.field(name="from")


class ConsentChanged(ServerMessage, frozen=True, tag="consent"):
    """Somebody gave or withdrew consent."""

    subject: Literal["recording"]
    sender: str = msgspec.field(name="from")
    granted: bool
    at: str


class RecordingChanged(ServerMessage, frozen=True, tag="recording"):
    """The recording's state changed."""

    state: Literal["off", "asked", "on", "paused"]
    since: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET


class Grade(enum.StrEnum):
    """How good a line is."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    LOST = "lost"


class LineQuality(msgspec.Struct, frozen=True):
    """One participant's line: percentages over the last 10 s, bytes since the session began."""

    grade: Grade | None
    rtt_ms: float | None
    loss_up_pct: float | None
    loss_down_pct: float | None
    jitter_ms: float | None
    mos: float | None
    kbps_up: float | None
    kbps_down: float | None
    bytes: int


class Quality(ServerMessage, frozen=True, tag="quality"):
    """How everybody's line is."""

    participants: dict[str, LineQuality]
    advice: Literal["reduce_video", "voice", "chat", "video"] | UnsetType = UNSET


class Relayed(ServerMessage, frozen=True, tag="relay"):
    """Opaque data from the other side."""

    sender: str = msgspec.field(name="from")
    data: msgspec.Raw


class Takeover(ServerMessage, frozen=True, tag="takeover"):
    """Another device wants to continue a place: the asked one's own, or the other participant's."""

    id: str
    device: str
    place: str


class Pong(ServerMessage, frozen=True, tag="pong"):
    """Answers ``ping``."""

    t: msgspec.Raw
    server_time: str


class Error(ServerMessage, frozen=True, tag="error"):
    """A request failed; the connection goes on."""

    code: str
    message: str
    ref: str | UnsetType = UNSET


class Ended(ServerMessage, frozen=True, tag="ended"):
    """The session has ended; ``by`` is null when a program or the clock ended it."""

    reason: str
    by: str | None


SERVER_MESSAGES: dict[str, type[ServerMessage]] = {
    "welcome": Welcome,
    "ok": Ok,
    "offer": Offer,
    "peer": Peer,
    "session": SessionChanged,
    "mode": ModeChanged,
    "chat": ChatLine,
    "typing": PeerTyping,
    "consent": ConsentChanged,
    "recording": RecordingChanged,
    "quality": Quality,
    "relay": Relayed,
    "takeover": Takeover,
    "pong": Pong,
    "error": Error,
    "ended": Ended,
}


# --- reading and writing ------------------------------------------------------------------------


class UnknownType(TeduhError):
    """A well-formed message of a type that this version does not know."""

    code = "unknown_type"

    def __init__(self, ref: str | None) -> None:
        super().__init__("this type of message is not known")
        self.ref = ref


class MalformedMessage(TeduhError):
    """Not a message of this protocol."""

    code = "malformed"


class _Envelope(msgspec.Struct, frozen=True):
    type: Short
    ref: Ref | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_decoders: dict[str, msgspec.json.Decoder[ClientMessage]] = {
    name: msgspec.json.Decoder(kind) for name, kind in CLIENT_MESSAGES.items()
}
_encoder = msgspec.json.Encoder()


def decode(text: str | bytes) -> ClientMessage:
    """Read one message of a client. Raises ``UnknownType`` or ``MalformedMessage``."""
    try:
        envelope = _envelope.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedMessage("this is not a message of the protocol") from error
    decoder = _decoders.get(envelope.type)
    if decoder is None:
        raise UnknownType(envelope.ref)
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise MalformedMessage(f"this is not a well-formed {envelope.type}") from error


def encode(message: ServerMessage, *, seq: int) -> str:
    """Write one message of the server with its number."""
    return _encoder.encode(msgspec.structs.replace(message, seq=seq)).decode()
