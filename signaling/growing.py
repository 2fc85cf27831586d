"""How far all logs are, of everything that is recorded, into the database: in one transaction each 3 s.

A log grows each second. With transactions of their own, twenty sessions cost the server 8 ms of each second.
So a lost database is found out, too: then no recording goes on, since nothing could be written down. One
transaction that fails ends every recording that had grown for it: none knows which of them it failed for.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from recordings import records
from recordings.records import Growth
from recordings.states import Side
from signaling.recording_rows import WITHIN_S

logger = logging.getLogger(__name__)

EVERY_S: Final = 3.0


class Growing:
    """Keeps the newest growth of each side until it is written; ``close`` is idempotent."""

    def __init__(self, db: async_sessionmaker[AsyncSession]) -> None:
        self._db = db
        self._waiting: dict[tuple[str, Side], tuple[Growth, Callable[[], None]]] = {}
        self._task: asyncio.Task[None] | None = None

    def put(self, growth: Growth, lost: Callable[[], None]) -> None:
        """Have it written; ``lost`` is called in the loop if the database does not take it."""
        self._waiting[growth.recording, growth.side] = growth, lost
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="recording.growing")

    def drop(self, recording: str) -> None:
        """Leave a recording out: whoever ends it writes how far it came."""
        for side in Side:
            self._waiting.pop((recording, side), None)

    async def close(self) -> None:
        """Write nothing more."""
        self._waiting.clear()
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._waiting:
            waiting, self._waiting = self._waiting, {}
            if not await self._write([growth for growth, _ in waiting.values()]):
                for recording, lost in {one.recording: lost for one, lost in waiting.values()}.items():
                    _tell(recording, lost)
            await asyncio.sleep(EVERY_S)

    async def _write(self, growths: list[Growth]) -> bool:
        try:
            async with asyncio.timeout(WITHIN_S), self._db.begin() as db:
                await records.grew(db, growths)
        except Exception:  # whatever a database does, the call goes on
            logger.warning("recording.growth_unwritten", extra={"sides": len(growths)}, exc_info=True)
            return False
        return True


def _tell(recording: str, lost: Callable[[], None]) -> None:
    """Say that the database is lost; whoever cannot take it keeps nobody else from hearing it."""
    try:
        lost()
    except Exception:
        logger.exception("recording.not_ended", extra={"recording": recording})
