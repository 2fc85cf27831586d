"""`/quality/trends`: how lines were over many sessions; small groups are kept back.

Admins see all sessions, supervisors those of the counselors whom they supervise. No session can be told apart
in it; who a client is, no summary knows, so that several of one client may be a group.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.roles import Permission
from core.ids import UserId
from counseling import oversight
from counseling.oversight import Oversight
from counseling.tallies import SMALLEST
from signaling import summaries
from signaling.gaps import Blame
from signaling.quality_trends import NO_COUNSELOR, Group, trends
from signaling.summaries import Summary
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.quality_words import Words
from web.register import REGISTER
from web.services import SERVICES

PERIODS: Final = (7, 30, 90)
DEFAULT_DAYS: Final = 30


async def show(request: http.Request) -> http.Response:
    """Answer `GET /quality/trends?days=30`."""
    services, site, person = request.app[SERVICES], request.app[SITE], person_of(request)
    now, wanted = services.now(), request.query.get("days", "")
    days = next((one for one in PERIODS if str(one) == wanted), DEFAULT_DAYS)
    async with services.database.sessions() as db:
        seen = await oversight.of(db, person=person, day=request.app[REGISTER].today(now))
        mine = [row async for row in _read(db, since=now - timedelta(days=days), until=now, seen=seen)]
        users = {row.counselor_id for row in mine if row.counselor_id is not None}
        names = {one.id: one.name for one in await people.find_all(db, users=sorted(users))}
    zone = ZoneInfo(services.config.time_zone)
    words = Words(site.renderer, language_of(request))
    found = await asyncio.to_thread(trends, mine, hour_of=lambda at: at.astimezone(zone).hour)

    def counselor(word: str) -> str:
        return words.text("quality.no_counselor") if word == NO_COUNSELOR else names.get(UserId(word), "")

    groups: list[tuple[str, tuple[Group, ...], Callable[[str], str]]] = [
        ("hours", found.hours, lambda word: words.text("quality.hour", hour=word)),
        ("networks", found.networks, words.network),
        ("media", found.media, lambda word: words.text(f"register.medium_{word}")),
        ("counselors", found.counselors, counselor),
    ]
    return site.show(
        request,
        "quality/trends.html",
        days=days,
        periods=PERIODS,
        smallest=SMALLEST,
        everybody=seen.counselors is None,
        trends=found,
        groups=groups,
        tallies=[
            ("why", found.ended, lambda word: words.text(f"quality.ended_{word}")),
            ("causes", found.causes, lambda word: _cause(words, word)),
        ],
        figure=words.figure,
        long=words.long,
        number=words.number,
    )


async def _read(
    db: AsyncSession, *, since: datetime, until: datetime, seen: Oversight
) -> AsyncIterator[Summary]:
    """Read a day at a time, so that calls do not wait for many rows."""
    while since < until:
        to = min(since + timedelta(days=1), until)
        for row in await summaries.read(db, since=since, until=to):
            if seen.covers(row.counselor_id):
                yield row
        since = to


def _cause(words: Words, word: str) -> str:
    """Say a cause, and on whose line it was."""
    role, _, cause = word.partition(".")
    direction, _, kind = cause.partition("_")
    return words.text("quality.of_whom", who=words.who(role), what=words.cause(Blame(direction, kind), role))


def setup(app: http.Application) -> None:
    """Add the trends."""
    add(app, "GET", "/quality/trends", show, Permission.SEE_TRENDS)
