"""An event loop whose timers are exact to some 50 microseconds; the usual one rounds up to 1 ms."""

from __future__ import annotations

import asyncio
import select
import selectors
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class PreciseSelector(selectors.EpollSelector):
    """An epoll selector that waits by ``select`` on the epoll descriptor itself.

    ``epoll_wait`` counts in milliseconds, ``select`` in microseconds.
    """

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout > 0:
            select.select([self.fileno()], [], [], timeout)
        return super().select(0)


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine in a loop with exact timers."""
    with asyncio.Runner(loop_factory=lambda: asyncio.SelectorEventLoop(PreciseSelector())) as runner:
        return runner.run(main)
