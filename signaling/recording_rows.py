"""What happens to a session's recording is written down: in order, and until it is written.

A consent that was taken back must be in the ledger however long the database is away; who records is told
of the first failure at once, so that nothing goes on being recorded that cannot be written down.
"""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

logger = logging.getLogger(__name__)

WITHIN_S: Final = 5.0
"""A database that does not answer for so long is lost."""
AGAIN_AFTER_S: Final = 1.0

Step = Callable[[], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Job:
    step: Step
    again: bool
    within_s: float


class Rows:
    """The queue of one session; ``failed`` is called in the loop whenever a step fails."""

    def __init__(self, failed: Callable[[], None]) -> None:
        self._failed = failed
        self._jobs: deque[_Job] = deque()
        self._task: asyncio.Task[None] | None = None

    def put(self, step: Step, *, again: bool = True, within_s: float = WITHIN_S) -> None:
        """Do a step after all before it; with ``again`` as often as it takes."""
        self._jobs.append(_Job(step, again, within_s))
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(self._run(), name="recording.rows")

    @property
    def is_idle(self) -> bool:
        """Whether everything is written."""
        return self._task is None or self._task.done()

    async def settle(self, *, within_s: float = WITHIN_S) -> None:
        """Wait until everything is written, at most this long."""
        if self._task is not None:
            await asyncio.wait({self._task}, timeout=within_s)

    async def close(self, *, within_s: float) -> None:
        """Settle, and give up what is not written then. Idempotent."""
        if self._task is not None:
            await self.settle(within_s=within_s)
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._jobs:
            job = self._jobs[0]
            if await self._done(job) or not job.again:
                self._jobs.popleft()
            else:
                await asyncio.sleep(AGAIN_AFTER_S)

    async def _done(self, job: _Job) -> bool:
        try:
            async with asyncio.timeout(job.within_s):
                await job.step()
        except Exception:  # whatever a database does, the call goes on
            logger.warning("recording.unwritten", extra={"waiting": len(self._jobs)}, exc_info=True)
            self._failed()
            return False
        return True
