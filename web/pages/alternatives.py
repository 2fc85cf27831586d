"""`/talk/else`: nobody is free. Leave a message, book, come in person; and crisis help.

Never for who waits for urgent help: they are led back to it, for none of this is an answer to it.
"""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission
from counseling import hours, walkins
from counseling.hours import DAYS, write_day
from counseling.triage import Risk
from web.gate import add, visitor_of
from web.pages.site import SITE
from web.reception import BOARD
from web.register import REGISTER
from web.services import SERVICES


async def ways(request: http.Request) -> http.Response:
    """Answer `GET /talk/else`."""
    services, ours, person = request.app[SERVICES], request.app[REGISTER], visitor_of(request).person
    walkin = None
    if person is not None and person.is_client:
        async with services.database.sessions() as db:
            walkin = await walkins.find_open(db, client=person.id)
    if walkin is not None and walkin.triage.risk is Risk.URGENT:
        return http.Response(status=303, headers={"Location": "/talk/urgent"})
    shown = await request.app[BOARD].read(services, ours)
    return request.app[SITE].show(
        request,
        "messages/alternatives.html",
        walkin=walkin,
        is_open=shown.is_open,
        next_start=hours.next_start(shown.week, now=services.now(), zone=ours.zone),
        hours=[(day, write_day(shown.week, day)) for day in DAYS] if shown.week else [],
        zone=services.config.time_zone.rpartition("/")[2].replace("_", " "),
        message_hours=services.config.message_hours,
    )


def setup(app: http.Application) -> None:
    """Add the page."""
    add(app, "GET", "/talk/else", ways, Permission.OPEN)
