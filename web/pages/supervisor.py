"""`/supervisor`: whom somebody supervises, and where each of them stands. Nothing of their talks."""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission
from counseling import register, supervision
from counseling.matchable import why_not
from counseling.standings import standings
from web.gate import add, person_of
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES


async def supervisor(request: http.Request) -> http.Response:
    """Answer `GET /supervisor`."""
    services, ours, language = request.app[SERVICES], request.app[REGISTER], language_of(request)
    today = ours.today(services.now())
    async with services.database.sessions() as db:
        mine = await supervision.of_supervisor(db, supervisor=person_of(request).id, day=today)
        entries = await register.find_all(db, users=[one.counselor for one in mine])
        found = await standings(db, entries=list(entries.values()), today=today)
    rows = [
        (
            one,
            found[one.counselor][0],
            entries[one.counselor],
            why_not(found[one.counselor][1], ours.credentials, today=today),
            ours.kind(entries[one.counselor].licence.kind, language),
        )
        for one in mine
        if one.counselor in found
    ]
    return request.app[SITE].show(
        request, "register/supervisor.html", rows=rows, waiting=len(mine) - len(rows), today=today
    )


def setup(app: http.Application) -> None:
    """Add the supervisor's home."""
    add(app, "GET", "/supervisor", supervisor, Permission.SEE_SUPERVISED)
