"""Writes to the database behind the call: in order, in one task, never in the call's way.

A failing database loses records, not calls: the failure is logged and the next job is tried. The
queue is bounded; when it is full, the newest job is dropped and counted. What comes within a tenth of
a second goes into one transaction, and a newer state of the same thing replaces the older one there:
a join would cost half a dozen transactions otherwise.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Hashable, Sequence

from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

logger = logging.getLogger(__name__)

MAX_JOBS = 10_000
MAX_BATCH = 30
GATHER_S = 0.1

Job = Callable[[AsyncSession], Awaitable[None]]


class Journal:
    """The queue of writes and the task that does them."""

    def __init__(self, db: async_sessionmaker[AsyncSession]) -> None:
        self._db = db
        self._queue: asyncio.Queue[tuple[Hashable, Job]] = asyncio.Queue(MAX_JOBS)
        self._hurry = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self.failed = 0
        self.dropped = 0

    def start(self) -> None:
        """Start writing."""
        self._task = asyncio.get_running_loop().create_task(self._run())

    def put(self, job: Job, *, about: Hashable = None) -> None:
        """Queue a write. ``about`` names what it sets: the newest of a batch is enough for each."""
        try:
            self._queue.put_nowait((about, job))
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
                await self._write(newest(taken))
            finally:
                for _ in taken:
                    self._queue.task_done()

    async def _write(self, jobs: list[Job]) -> None:
        """Write a batch in one transaction; if that fails, each by itself."""
        if await self._commit(jobs) or len(jobs) == 1:
            return
        for job in jobs:
            await self._commit([job])

    async def _commit(self, jobs: list[Job]) -> bool:
        try:
            async with self._db.begin() as db:
                for job in jobs:
                    await job(db)
        except Exception:  # whatever a database does, the call goes on
            self.failed += 1
            logger.warning("journal.failed", extra={"jobs": len(jobs)}, exc_info=True)
            return False
        return True


def newest(taken: Sequence[tuple[Hashable, Job]]) -> list[Job]:
    """Return the jobs to do, in order: of those about the same thing only the last, in its place."""
    last = {about: index for index, (about, _) in enumerate(taken) if about is not None}
    return [job for index, (about, job) in enumerate(taken) if about is None or last[about] == index]
