"""Turns: few things at once, and whoever asks for many waits behind their own.

Each asker (an address) has a line; the lines are served in turn. So a flood from one address slows
that address down and hardly anybody else, and a campus behind one address is slowed, never refused. When
the lines are full, the longest one loses its newest, whoever comes; who has gone is not worked for.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Final

from core.errors import TooMany

MOST_WAITING: Final = 20_000
RETRY_AFTER_S: Final = 30.0
SWEEP_EVERY_S: Final = 1.0


def _here() -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Asker:
    """In whose line somebody waits, and whether they have gone meanwhile."""

    line: str = ""
    gone: Callable[[], bool] = _here


NOBODY: Final = Asker()


@dataclass(frozen=True, slots=True, eq=False)
class _Waiter:
    asker: Asker
    called: asyncio.Future[None]


@dataclass(slots=True)
class Turns:
    """Lets ``at_once`` in; the others wait, 20,000 in all lines together."""

    at_once: int
    _inside: int = 0
    _waiting: int = 0
    _swept_s: float = 0.0
    _lines: OrderedDict[str, deque[_Waiter]] = field(default_factory=OrderedDict)

    @property
    def waiting(self) -> int:
        """How many wait in all lines."""
        return self._waiting

    @asynccontextmanager
    async def turn(self, asker: Asker) -> AsyncIterator[None]:
        """Wait for a turn and hold it: ``async with turns.turn(asker): ...``.

        Raises ``TooMany`` for the newest of the longest line when the lines are full, and for who has gone.
        """
        await self._come_in(asker)
        try:
            yield
        finally:
            self._go_out()

    async def _come_in(self, asker: Asker) -> None:
        if self._inside < self.at_once:
            self._inside += 1
            return
        loop = asyncio.get_running_loop()
        waiter = _Waiter(asker, loop.create_future())
        self._lines.setdefault(asker.line, deque()).append(waiter)
        self._waiting += 1
        if self._waiting > MOST_WAITING:
            self._make_room(asker.line, loop.time())
        try:
            await waiter.called
        except asyncio.CancelledError:
            if waiter.called.done() and not waiter.called.cancelled() and not waiter.called.exception():
                self._go_out()  # it was called in the moment in which it gave up: the next one is
            else:
                self._take_out(waiter)
            raise

    def _make_room(self, newest: str, now_s: float) -> None:
        """Send away who has gone; else the newest of the longest line, of two as long the one just come."""
        if now_s - self._swept_s >= SWEEP_EVERY_S:
            self._swept_s = now_s
            self._sweep()
        if self._waiting > MOST_WAITING:
            longest = max(self._lines, key=lambda one: (len(self._lines[one]), one == newest))
            waiter = self._lines[longest][-1]
            self._take_out(waiter)
            _send_away(waiter)

    def _sweep(self) -> None:
        for name, line in list(self._lines.items()):
            here: deque[_Waiter] = deque()
            for waiter in line:
                if waiter.asker.gone():
                    _send_away(waiter)
                else:
                    here.append(waiter)
            self._waiting -= len(line) - len(here)
            if here:
                self._lines[name] = here
            else:
                del self._lines[name]

    def _go_out(self) -> None:
        while self._lines:
            asker, line = next(iter(self._lines.items()))
            waiter = line.popleft()
            self._waiting -= 1
            if line:
                self._lines.move_to_end(asker)
            else:
                del self._lines[asker]
            if waiter.called.done():
                continue
            if waiter.asker.gone():
                _send_away(waiter)
                continue
            waiter.called.set_result(None)  # the turn passes over; nobody can come between
            return
        self._inside -= 1

    def _take_out(self, waiter: _Waiter) -> None:
        line = self._lines.get(waiter.asker.line)
        if line is None or waiter not in line:
            return
        if line[-1] is waiter:
            line.pop()
        else:
            line.remove(waiter)
        self._waiting -= 1
        if not line:
            del self._lines[waiter.asker.line]


def _send_away(waiter: _Waiter) -> None:
    if not waiter.called.done():
        waiter.called.set_exception(TooMany("Too many wait already.", retry_after_s=RETRY_AFTER_S))
