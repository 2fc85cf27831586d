"""`/`: what this server is, and the ways in: talk now, book, write, come, and help in a crisis."""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission
from counseling.hours import alike
from web import reception
from web.gate import add, visitor_of
from web.pages.demo import may_choose
from web.pages.site import SITE
from web.pages.waiting import is_in_line
from web.reception import BOARD
from web.register import REGISTER
from web.services import SERVICES


async def front(request: http.Request) -> http.Response:
    """Answer `GET /`."""
    services, person = request.app[SERVICES], visitor_of(request).person
    shown = await request.app[BOARD].read(services, request.app[REGISTER])
    return request.app[SITE].show(
        request,
        "front.html",
        is_open=shown.is_open,
        hours=alike(shown.week) if shown.week else [],
        zone=services.config.time_zone.rpartition("/")[2].replace("_", " "),
        waits=person is not None and person.is_client and await is_in_line(request),
        demo=may_choose(request),
    )


def setup(app: http.Application) -> None:
    """Add the front page."""
    reception.setup(app)
    add(app, "GET", "/", front, Permission.OPEN)
