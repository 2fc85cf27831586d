"""What a client sends, as it stands on the wire.

It is read in two steps, so that an unknown type can be told from a malformed message: first the
envelope (``type`` and ``ref``), then the one struct of that type. Unknown fields are ignored.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec
from msgspec import UNSET, Meta, UnsetType

from core.errors import TeduhError
from media.codecs import Mode
from media.ladder import Picture
from signaling.protocol import Name, PictureBy, Reason, Ref, Short


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
    """What this side sends now. ``budget_mb`` is what it may cost its person, null without a limit.

    ``lost``: the microphone or camera that has just gone away.
    """

    audio: bool
    video: bool
    picture: Picture | UnsetType = UNSET
    by: PictureBy | UnsetType = UNSET
    receive: Picture | UnsetType = UNSET
    budget_mb: Annotated[int, Meta(ge=1, le=100_000)] | UnsetType | None = UNSET
    lost: Literal["audio", "video"] | UnsetType = UNSET


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
    locale: Short = "id"


class OffRecord(Request, frozen=True, tag="recording"):
    """Say something off the record, or go on."""

    off_record: bool


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
    "recording": OffRecord,
    "quality": QualityReport,
    "relay": Relay,
    "takeover": TakeoverAnswer,
    "ping": Ping,
    "leave": Leave,
    "end": End,
}


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
