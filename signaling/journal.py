"""Writes to the database behind the call: in order, in one task, never in the call's way.

A failing database loses records, not calls: the failure is logged and the others are tried again. The
queue is bounded; when it is full, the newest record is dropped and counted. What comes within a quarter
of a second goes into one transaction, with one statement for each kind of record: a join would cost
half a dozen transactions otherwise. A process that is killed outright loses that much. Of events, each side
of a session has only so many (``event_bounds``).
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from signaling.event_bounds import EventBounds
from signaling.records import EventRecord, Record, write

logger = logging.getLogger(__name__)

MAX_WAITING = 10_000
MAX_BATCH = 200
GATHER_S = 0.25


class Journal:
    """The queue of writes and the task that does them."""

    def __init__(
        self, db: async_sessionmaker[AsyncSession], *, seen: Callable[[Record], None] | None = None
    ) -> None:
        """Write to a database; ``seen`` is shown every record before any is left out."""
        self._db = db
        self._seen = seen
        self._queue: asyncio.Queue[Record] = asyncio.Queue(MAX_WAITING)
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.bounds = EventBounds()
        self.failed = 0
        self.dropped = 0

    def start(self) -> None:
        """Start writing."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def put(self, record: Record) -> None:
        """Queue a record, unless it is an event too many."""
        if self._seen is not None:
            self._seen(record)
        bounded = self.bounds.admit(record) if isinstance(record, EventRecord) else record
        if bounded is None:
            return
        try:
            self._queue.put_nowait(bounded)
        except asyncio.QueueFull:
            self.dropped += 1

    async def flush(self, *, within_s: float) -> None:
        """Wait until everything queued so far was tried, at most this long."""
        self._hurry.set()
        try:
            async with asyncio.timeout(within_s):
                await self._queue.join()
        except TimeoutError:
            logger.warning("journal.flush_timeout", extra={"left": self._queue.qsize()})
        finally:
            self._hurry.clear()

    async def close(self) -> None:
        """Write what is left, at most 2 s, and stop. Idempotent."""
        if self._task is None:
            return
        await self.flush(within_s=2.0)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        while True:
            taken = [await self._queue.get()]
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER_S):
                    await self._hurry.wait()
            while len(taken) < MAX_BATCH and not self._queue.empty():
                taken.append(self._queue.get_nowait())
            try:
                await self._write(taken)
            finally:
                for _ in taken:
                    self._queue.task_done()

    async def _write(self, records: list[Record]) -> None:
        """Write a batch in one transaction; if that fails, each half by itself, down to the one that does."""
        if await self._commit(records) or len(records) == 1:
            return
        middle = len(records) // 2
        await self._write(records[:middle])
        await self._write(records[middle:])

    async def _commit(self, records: Sequence[Record]) -> bool:
        try:
            async with self._db.begin() as db:
                await write(db, records)
        except Exception:  # whatever a database does, the call goes on
            self.failed += 1
            logger.warning("journal.failed", extra={"records": len(records)}, exc_info=True)
            return False
        return True
