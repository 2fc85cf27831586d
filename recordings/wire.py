"""What passes between the server and the process that records: two streams over one pair of sockets.

To the recording process go frames (16 bytes of head, then a body), the packets among them just as they came
in; from it come lines of JSON. Both ends are ours and of one version, on one machine: the bytes are in its
own order.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterator
from typing import Final

import msgspec

from recordings.sides import Side

HEAD: Final = struct.Struct("=HHId")
"""Bytes of the body, what it is, the channel, and when (monotonic seconds, the same clock for both)."""
REPORT: Final = struct.Struct("=III")
"""A sender report: SSRC, the middle of the NTP time, the RTP time."""


class What(enum.IntEnum):
    """What a frame holds."""

    PACKET = 0
    REPORT = 1
    OPEN = 2
    PAUSE = 3
    RESUME = 4
    CLOSE = 5


class Open(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Begin a side: the channel of the frame stands for it from now on. ``recipient`` is public."""

    recording_id: str
    side: Side
    directory: str
    recipient: str
    started_s: float


class ToldGrew(msgspec.Struct, frozen=True, tag="grew"):
    """More of a log is on the disk."""

    channel: int
    records: int
    head: bytes
    size_bytes: int
    until_ms: int


class ToldWant(msgspec.Struct, frozen=True, tag="want"):
    """A side needs a key frame."""

    channel: int


class ToldFailed(msgspec.Struct, frozen=True, tag="failed"):
    """A side cannot be recorded any more."""

    channel: int
    reason: str


class ToldClosed(msgspec.Struct, frozen=True, tag="closed"):
    """A side is closed, its last record on the disk."""

    channel: int


class ToldAlive(msgspec.Struct, frozen=True, tag="alive"):
    """The process works; said each second while something is recorded."""


Told = ToldGrew | ToldWant | ToldFailed | ToldClosed
"""What is said of a side."""

_encoder, _decoder = msgspec.json.Encoder(), msgspec.json.Decoder(Told | ToldAlive)


def tell(told: Told | ToldAlive) -> bytes:
    """Write one line."""
    return _encoder.encode(told) + b"\n"


class Lines:
    """Puts lines together again."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> Iterator[Told | ToldAlive]:
        """Take what came; yield what is whole. Raises ``msgspec.MsgspecError``."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield _decoder.decode(line)
