"""What the front page says about when somebody is here: the hours of all counselors who may be met.

Everybody opens the front page, and hours change seldom: they are read once a minute at most.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from counseling import desks, queue
from counseling.hours import Week, joined
from counseling.matchable import Why, why_not
from counseling.standings import standings
from web.register import Register
from web.services import Services

FRESH_S: Final = 60.0
"""How long what was read is shown."""


@dataclass(frozen=True, slots=True)
class Reception:
    """The week's hours in the service's zone, and whether somebody takes people at this moment."""

    week: Week
    is_open: bool


@dataclass(slots=True)
class Board:
    """What was read last, and when that grows old."""

    shown: Reception | None = None
    until_s: float = 0.0

    async def read(self, services: Services, register: Register) -> Reception:
        """Give what the front page shows."""
        now_s = services.clock.monotonic()
        if self.shown is None or now_s >= self.until_s:
            async with services.database.sessions() as db:
                self.shown = await _read(db, register, now=services.now())
            self.until_s = now_s + FRESH_S
        return self.shown


BOARD: Final = http.AppKey("board", Board)


async def _read(db: AsyncSession, register: Register, *, now: datetime) -> Reception:
    today = register.today(now)
    found = await standings(db, entries=await queue.verified(db), today=today)
    weeks = [
        standing.entry.hours
        for _, standing in found.values()
        if not set(why_not(standing, register.credentials, today=today)) - {Why.FULL}
    ]
    open_now = await desks.open_desks(db, register.credentials, today=today, now=now)
    return Reception(joined(weeks), bool(open_now))


def setup(app: http.Application) -> None:
    """Add the board."""
    app[BOARD] = Board()
