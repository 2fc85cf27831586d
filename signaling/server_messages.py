"""What the server sends, as it stands on the wire. Every message has a ``seq``, which the outbox stamps."""

from __future__ import annotations

from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

from media.codecs import Mode
from media.diagnosis import Direction, Trouble
from media.grading import Grade
from media.ladder import Picture
from signaling.protocol import MediaState, Reason, WireState

RecordingState = Literal["off", "asked", "on", "paused"]


class ServerMessage(msgspec.Struct, frozen=True, tag_field="type", kw_only=True):
    """The base of all messages that the server sends; ``seq`` 0 stands before a place is taken."""

    seq: int = 0


class RecordingInfo(msgspec.Struct, frozen=True):
    """The recording as ``welcome`` tells it."""

    policy: Literal["off", "ask"]
    state: RecordingState
    terms: str | None


class SessionInfo(msgspec.Struct, frozen=True):
    """The session as ``welcome`` tells it. Times are RFC 3339, null when unknown."""

    id: str
    mode: Mode
    state: str
    recording: RecordingInfo
    started_at: str | None
    ends_at: str | None
    phone: bool | UnsetType = UNSET
    mode_reason: Reason | UnsetType = UNSET


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
    """The session's state changed; the times may have become known by that.

    ``phone``: the two go on by telephone until both are connected here again.
    """

    state: str
    started_at: str | None
    ends_at: str | None
    phone: bool | UnsetType = UNSET


class ModeChanged(ServerMessage, frozen=True, tag="mode"):
    """The session moved to a mode, and the server's heartbeat with it."""

    mode: Mode
    by: str
    reason: Reason
    heartbeat_s: float


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
    """The recording as the receiver sees it. Sent after each ``welcome`` too, where one may be asked for.

    ``granted`` is the receiver's own consent, ``question`` whose answer is awaited, ``may_agree`` whether
    agreeing, unasked, would do something. ``off_record`` names who said so. ``terms`` is the text's version.
    """

    state: RecordingState
    since: str | UnsetType = UNSET
    reason: str | UnsetType = UNSET
    granted: bool | UnsetType = UNSET
    question: Literal["yours", "theirs"] | UnsetType = UNSET
    may_agree: bool | UnsetType = UNSET
    off_record: list[str] | UnsetType = UNSET
    terms: str | UnsetType = UNSET


class LineQuality(msgspec.Struct, frozen=True):
    """One participant's line: percentages over the last 10 s, bytes since the session began.

    ``mos`` scores the voice that this one hears. ``kind`` and ``direction``: what the line has while it is
    not good.
    """

    grade: Grade | None
    rtt_ms: float | None
    loss_up_pct: float | None
    loss_down_pct: float | None
    jitter_ms: float | None
    mos: float | None
    kbps_up: float | None
    kbps_down: float | None
    bytes: int
    kind: Trouble | UnsetType = UNSET
    direction: Direction | UnsetType = UNSET


class Quality(ServerMessage, frozen=True, tag="quality"):
    """How everybody's line is, and what the receiver had better do.

    ``picture`` is the step that its picture should have, left out when full.
    """

    participants: dict[str, LineQuality]
    advice: Literal["reduce_video", "voice", "chat", "video"] | UnsetType = UNSET
    picture: Picture | UnsetType = UNSET


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
    """The session has ended; ``by`` is `api` when a program ended it, null when clock or service did."""

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


_encoder = msgspec.json.Encoder()


def encode(message: ServerMessage, *, seq: int) -> str:
    """Write one message of the server with its number."""
    return _encoder.encode(msgspec.structs.replace(message, seq=seq)).decode()
