"""A clock that leaps days ahead ends nothing: for a day, no recording's time is believed to be over.

A machine that starts with a wrong year would destroy everything at once, and for good. So each minute the
time is written down beside the logs. Where that is missing or torn (another disk, a backup, a power cut), the
audit's newest row says when time was last known. A server that was off for days waits that day too; what
somebody asks for does not. Admins and the doctor are told; who knows that the clock is right ends the wait
with ``teduh recordings clock-right``.
"""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec

from recordings.workshop import Workshop

logger = logging.getLogger(__name__)

NAME: Final = ".seen"
LEAP: Final = timedelta(days=2)
SETTLES: Final = timedelta(days=1)
EVERY: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Seen:
    """The time at the last look. ``leapt_at`` is when it had leapt, and ``was`` what it had been before.

    Both are None when it goes on as clocks do.
    """

    at: datetime
    leapt_at: datetime | None = None
    was: datetime | None = None

    @property
    def is_believed(self) -> bool:
        """Whether time that is over is over."""
        return self.leapt_at is None

    @property
    def places(self) -> dict[str, str]:
        """Say for people what happened, and until when nothing is destroyed; empty when it is believed."""
        if self.leapt_at is None:
            return {}
        return {
            "was": "?" if self.was is None else _moment(self.was),
            "leapt": _moment(self.leapt_at),
            "until": _moment(self.leapt_at + SETTLES),
        }


def after(seen: Seen | None, *, now: datetime) -> Seen:
    """Say what is seen at the next look. Pure."""
    if seen is not None and seen.leapt_at is not None and now < seen.leapt_at:
        # Somebody set it: is it right by what it was before it leapt?
        seen = None if seen.was is None else Seen(seen.was)
    if seen is None or seen.at - now > LEAP:
        # Nothing to compare with; or it has gone back, and what was ahead is right again.
        return Seen(now)
    if now - seen.at > LEAP:
        return Seen(now, now, seen.at)
    if seen.leapt_at is None or now - seen.leapt_at >= SETTLES:
        return Seen(now)
    return Seen(now, seen.leapt_at, seen.was)


async def known(shop: Workshop) -> Seen | None:
    """Say when time was last known, by the file or else by the audit; None where nothing ever happened."""
    if (seen := await asyncio.to_thread(read, shop.spool)) is not None:
        return seen
    async with shop.database.sessions() as db:
        at = await shop.audit.newest_at(db)
    return None if at is None else Seen(at)


async def look(shop: Workshop, *, now: datetime) -> Seen:
    """Look at the clock and write down what is seen."""
    return await asyncio.to_thread(keep, shop.spool, await known(shop), now=now)


def keep(spool: Path, before: Seen | None, *, now: datetime) -> Seen:
    """Write down what is seen now, where that is new; gives it."""
    seen, path = after(before, now=now), spool / NAME
    if before is not None:
        if seen.leapt_at not in {None, before.leapt_at}:
            logger.error("recording.clock_leapt", extra={"was": before.at.isoformat()})
        if before.is_believed is seen.is_believed and abs(now - before.at) < EVERY and path.exists():
            return seen
    try:
        _write(path, seen)
    except OSError:
        # A disk that is full gets room by what is destroyed; at worst a later look finds a leap in this.
        logger.exception("recording.clock_not_written")
    return seen


def believe(spool: Path, *, now: datetime) -> None:
    """Take an operator's word that the clock is right. Raises ``OSError``."""
    _write(spool / NAME, Seen(now))


def read(spool: Path) -> Seen | None:
    """Give what was written down; None where there is nothing, nothing whole, or nothing that may be read."""
    try:
        return msgspec.json.decode((spool / NAME).read_bytes(), type=Seen)
    except (OSError, msgspec.MsgspecError):
        return None


def _write(path: Path, seen: Seen) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Whole or not at all, and of each who looks its own: the server's jobs do, and so does its worker.
    draft = path.with_name(f"{NAME}.{os.getpid()}.{threading.get_ident()}")
    draft.write_bytes(msgspec.json.encode(seen))
    draft.replace(path)


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
