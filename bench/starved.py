"""Whether this process got its turns: who waits for a processor measures the machine, not the program."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import AsyncIterator, Sequence

EVERY_S = 0.02
# The networks between browsers and server run in this loop: it would be a delay that no model asked for.
LATE_MS = 150.0
# A page that looks every 50 ms and did not for so long stood still, and its voice came late.
PAGE_LATE_MS = 400.0


class Lateness:
    """How late the event loop woke up at worst since ``since``; ``watch`` runs it."""

    def __init__(self) -> None:
        self.worst_ms = 0.0

    def begin(self) -> None:
        """Forget what was before."""
        self.worst_ms = 0.0

    async def run(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + EVERY_S
            await asyncio.sleep(EVERY_S)
            self.worst_ms = max(self.worst_ms, 1000 * (loop.time() - due))


@contextlib.asynccontextmanager
async def watch() -> AsyncIterator[Lateness]:
    """Look at the loop until the block ends."""
    lateness = Lateness()
    task = asyncio.create_task(lateness.run())
    try:
        yield lateness
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


def longest_gap_ms(times_s: Sequence[float]) -> float:
    """The longest time between two looks of a page; 0 with fewer than two."""
    return 1000 * max((b - a for a, b in itertools.pairwise(times_s)), default=0.0)
