"""Turns: few things at once, and whoever asks for many waits behind their own.

Each asker (an address) has a line; the lines are served in turn. So a flood from one address slows
that address down and hardly anybody else, and a campus behind one address is slowed, never refused.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from core.errors import TooMany

MOST_WAITING = 20_000
RETRY_AFTER_S = 30.0


@dataclass(slots=True)
class Turns:
    """Lets ``at_once`` in; the others wait. Raises ``TooMany`` beyond 20,000 in all lines."""

    at_once: int
    _inside: int = 0
    _waiting: int = 0
    _lines: OrderedDict[str, deque[asyncio.Future[None]]] = field(default_factory=OrderedDict)

    @property
    def waiting(self) -> int:
        """How many wait in all lines."""
        return self._waiting

    @asynccontextmanager
    async def turn(self, asker: str) -> AsyncIterator[None]:
        """Wait for a turn and hold it: ``async with turns.turn(address): ...``."""
        await self._come_in(asker)
        try:
            yield
        finally:
            self._go_out()

    async def _come_in(self, asker: str) -> None:
        if self._inside < self.at_once:
            self._inside += 1
            return
        if self._waiting >= MOST_WAITING:
            raise TooMany("Too many wait already.", retry_after_s=RETRY_AFTER_S)
        called = asyncio.get_running_loop().create_future()
        self._lines.setdefault(asker, deque()).append(called)
        self._waiting += 1
        try:
            await called
        except asyncio.CancelledError:
            if called.done() and not called.cancelled():
                self._go_out()  # it was called in the moment in which it gave up: the next one is
            else:
                self._take_out(asker, called)
            raise

    def _go_out(self) -> None:
        while self._lines:
            asker, line = next(iter(self._lines.items()))
            called = line.popleft()
            self._waiting -= 1
            if line:
                self._lines.move_to_end(asker)
            else:
                del self._lines[asker]
            if not called.done():
                called.set_result(None)  # the turn passes over; nobody can come between
                return
        self._inside -= 1

    def _take_out(self, asker: str, called: asyncio.Future[None]) -> None:
        line = self._lines.get(asker)
        if line is None or called not in line:
            return
        line.remove(called)
        self._waiting -= 1
        if not line:
            del self._lines[asker]
