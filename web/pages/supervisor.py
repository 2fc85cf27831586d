"""`/supervisor`: whom somebody supervises, where each stands, and where else to go. Nothing said in talks."""

from __future__ import annotations

from typing import Final

from aiohttp import web as http

from accounts.roles import Permission, Role
from counseling import register, supervision
from counseling.matchable import why_not
from counseling.standings import standings
from web.gate import add, person_of
from web.pages.navigation import ways_of
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/supervisor"


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
        request,
        "register/supervisor.html",
        rows=rows,
        waiting=len(mine) - len(rows),
        today=today,
        ways=[way for way in ways_of(person_of(request), Role.SUPERVISOR) if way.path != PAGE],
    )


def setup(app: http.Application) -> None:
    """Add the supervisor's home."""
    add(app, "GET", PAGE, supervisor, Permission.SEE_SUPERVISED)
