"""What a recorder tells: plain values."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from recordings.log import Digest
from recordings.sides import Side


class Failure(enum.StrEnum):
    """Why a recording cannot go on. The call does."""

    DISK_FULL = "disk_full"
    DISK_FAILED = "disk_failed"
    INTERNAL = "internal"


@dataclass(frozen=True, slots=True)
class Grew:
    """So much of a side's log is on the disk: ``records`` and ``head`` are its chain (``log.Chain``).

    ``bytes`` are those of the log, ``until_ms`` is where it ends on the recording's timeline.
    """

    side: Side
    records: int
    head: Digest
    bytes: int
    until_ms: int


@dataclass(frozen=True, slots=True)
class KeyFrameWanted:
    """Without a key frame the picture of a side cannot go on, or be entered: ask its sender for one."""

    side: Side


@dataclass(frozen=True, slots=True)
class Failed:
    """Nothing more is recorded, of neither side. Told once; what is on the disk stays."""

    reason: Failure


RecorderEvent = Grew | KeyFrameWanted | Failed
