"""The fixed codec table: one numbering for every participant of every session.

A payload type never changes its meaning (signaling.md, "Media negotiation"), so a packet of one
participant is a valid packet for the other as it stands.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass


class Mode(enum.StrEnum):
    """What a session negotiates: voice and video, voice alone, or no media."""

    VIDEO = "video"
    VOICE = "voice"
    CHAT = "chat"


class Kind(enum.StrEnum):
    """The two m-lines of every description; their mids are 0 and 1."""

    AUDIO = "audio"
    VIDEO = "video"


@dataclass(frozen=True, slots=True)
class Codec:
    """One line of the table.

    ``rtx`` is the payload type that retransmits this codec (RFC 4588), or None. ``mime`` is the
    name that ``hello.codecs`` and ``TEDUH_VIDEO_CODECS`` use, compared without case.
    """

    payload_type: int
    kind: Kind
    mime: str
    clock_rate: int
    fmtp: str = ""
    channels: int = 1
    rtx: int | None = None

    @property
    def name(self) -> str:
        """The encoding name of the rtpmap line."""
        return self.mime.split("/")[1]


OPUS = Codec(111, Kind.AUDIO, "audio/opus", 48000, channels=2)
RED = Codec(63, Kind.AUDIO, "audio/red", 48000, "111/111", channels=2)
VP8 = Codec(96, Kind.VIDEO, "video/VP8", 90000, rtx=97)
VP9 = Codec(98, Kind.VIDEO, "video/VP9", 90000, "profile-id=0", rtx=99)
H264 = Codec(
    100,
    Kind.VIDEO,
    "video/H264",
    90000,
    "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f",
    rtx=101,
)
AV1 = Codec(102, Kind.VIDEO, "video/AV1", 90000, rtx=103)

TABLE: tuple[Codec, ...] = (OPUS, RED, VP8, VP9, H264, AV1)
OPTIONAL_VIDEO: tuple[Codec, ...] = (VP9, H264, AV1)
FIRST_OFFER: tuple[int, ...] = (111, 96, 97)

BY_PAYLOAD_TYPE: dict[int, Codec] = {codec.payload_type: codec for codec in TABLE} | {
    codec.rtx: codec for codec in TABLE if codec.rtx is not None
}
KIND_OF: dict[int, Kind] = {number: codec.kind for number, codec in BY_PAYLOAD_TYPE.items()}
RTX_TYPES: frozenset[int] = frozenset(codec.rtx for codec in TABLE if codec.rtx is not None)


def recordable(turned_on: frozenset[str]) -> frozenset[str]:
    """Return the optional codecs that a recording can hold: a WebM has no H264."""
    return frozenset(name for name in turned_on if name.upper() != H264.name)


def common(receivable: Iterable[Iterable[str]], *, turned_on: frozenset[str]) -> tuple[int, ...]:
    """Return the payload types to offer once everybody's ``hello.codecs`` are known, in order.

    ``receivable`` has one list of mime types for each participant. Opus, VP8 and its RTX stand in
    every offer; RED and the optional video codecs are added only when everybody can receive them,
    and the latter only when the operator turned them on (``turned_on``: encoding names such as
    ``VP9``).
    """
    lists = [{mime.lower() for mime in mimes} for mimes in receivable]
    names = {name.upper() for name in turned_on}

    def everybody(codec: Codec) -> bool:
        return bool(lists) and all(codec.mime.lower() in mimes for mimes in lists)

    numbers = [OPUS.payload_type]
    if everybody(RED):
        numbers.append(RED.payload_type)
    numbers += [96, 97]
    for codec in OPTIONAL_VIDEO:
        if codec.name.upper() in names and everybody(codec) and codec.rtx is not None:
            numbers += [codec.payload_type, codec.rtx]
    return tuple(numbers)
