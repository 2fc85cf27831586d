"""A clock that leaps days ahead ends nothing: for a day, no recording's time is believed to be over.

A machine that starts with a wrong year would destroy everything at once, and for good. So each minute the
time is written down beside the logs. A server that was off for days waits that day too; what somebody asks
for does not. Who knows that the clock is right deletes the file.
"""

from __future__ import annotations

import logging
import os
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

logger = logging.getLogger(__name__)

NAME: Final = ".seen"
LEAP: Final = timedelta(days=2)
SETTLES: Final = timedelta(days=1)
EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """The time at the last look; ``leapt_at`` is when it had leapt, None when it goes on as clocks do."""

    at: datetime
    leapt_at: datetime | None = None

    @property
    def is_believed(self) -> bool:
        """Whether time that is over is over."""
        return self.leapt_at is None


def after(seen: Seen | None, *, now: datetime) -> Seen:
    """Say what is seen at the next look. Pure."""
    if seen is None or seen.at - now > LEAP:
        # Nothing to compare with; or it has gone back, and what was ahead is right again.
        return Seen(now)
    if now - seen.at > LEAP:
        return Seen(now, now)
    settled = seen.leapt_at is not None and now - seen.leapt_at >= SETTLES
    return Seen(now, None if settled else seen.leapt_at)


def is_believed(spool: Path, *, now: datetime) -> bool:
    """Look at the clock, and say whether a time that is over is over."""
    path = spool / NAME
    before = _read(path)
    seen = after(before, now=now)
    if before is None or before.is_believed is not seen.is_believed or abs(now - before.at) >= EVERY:
        if seen.leapt_at == now:
            logger.error("recording.clock_leapt", extra={"was": before and before.at.isoformat()})
        try:
            _write(path, seen)
        except OSError:
            # A disk that is full gets room by what is destroyed; at worst a later look finds a leap in this.
            logger.exception("recording.clock_not_written")
    return seen.is_believed


def _read(path: Path) -> Seen | None:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Seen)
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def _write(path: Path, seen: Seen) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole or not at all, and of each process its own: the server looks, and so does its worker.
    draft = path.with_name(f"{NAME}.{os.getpid()}")
    draft.write_bytes(msgspec.json.encode(seen))
    draft.replace(path)
