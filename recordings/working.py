"""The work on recordings that have ended: destroy first, then finish, until nothing is due. One at a time.

Two processes on one data directory would finish into the same files, and one might store what the other
destroys: whoever works holds a lock, which the system takes back when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import logging
import os
from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from core.errors import InvalidState
from recordings import ending, finishing, leap
from recordings.ending import Destroyer
from recordings.finishing import Finisher
from recordings.states import State
from recordings.workshop import Workshop

logger = logging.getLogger(__name__)

LOCK: Final = ".working"
STALE: Final = timedelta(hours=24)
"""An upload that was begun so long ago is nobody's any more."""


class Busy(InvalidState):
    """Somebody else works on recordings already."""

    code = "busy"


@contextlib.contextmanager
def alone(spool: Path) -> Iterator[None]:
    """Hold the lock. Raises ``Busy``."""
    spool.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(spool / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise Busy("Another process works on recordings already.") from None
        yield
    finally:
        os.close(descriptor)


async def is_due(shop: Workshop, *, now: datetime) -> bool:
    """Whether there is anything to do now; begins to destroy what is due for that."""
    believed = (await leap.look(shop, now=now)).is_believed
    async with shop.database.sessions.begin() as db:
        for recording, why in await ending.begin_due(db, shop.audit, now=now, believed=believed):
            logger.info("recording.due", extra={"recording": recording, "why": why.value})
    async with shop.database.sessions() as db:
        return bool(await ending.under_way(db, now=now) or await finishing.waiting(db, now=now))


async def work(shop: Workshop) -> Counter[str]:
    """Do all that is due, and count what became of it by state. Raises ``Busy``."""
    done: Counter[str] = Counter()
    with alone(shop.spool):
        finisher, destroyer = Finisher(shop), Destroyer(shop)
        await finisher.tidy()
        while await is_due(shop, now=shop.clock.now()):
            await _destroy(shop, destroyer, done)
            async with shop.database.sessions() as db:
                waiting = await finishing.waiting(db, now=shop.clock.now())
            # One, and then look again: somebody may wish to have theirs destroyed meanwhile.
            for recording in waiting[:1]:
                done[await finisher.finish(recording)] += 1
    return done


async def _destroy(shop: Workshop, destroyer: Destroyer, done: Counter[str]) -> None:
    async with shop.database.sessions() as db:
        due = await ending.under_way(db, now=shop.clock.now())
    for recording in due:
        if await destroyer.carry_out(recording, now=shop.clock.now()):
            done[State.DESTROYED] += 1
