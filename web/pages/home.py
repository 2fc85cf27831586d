"""The homes: where a client, a counselor and an admin begin. `/home` leads each to their own."""

from __future__ import annotations

from aiohttp import web as http

from accounts.roles import Permission, Role
from signaling import directory
from signaling.directory import ParticipantRecord
from web.gate import add, person_of
from web.pages.devices import newcomers_of
from web.pages.local_time import next_of
from web.pages.navigation import STAFF_ALSO, home_of, ways_of
from web.pages.site import SITE
from web.pages.waiting import is_in_line
from web.services import SERVICES


async def home(request: http.Request) -> http.Response:
    """Answer `GET /home`: the client's home; staff are led to theirs."""
    person = person_of(request)
    if not person.is_client:
        return http.Response(status=303, headers={"Location": home_of(person)})
    ways = ways_of(person, Role.CLIENT)
    return request.app[SITE].show(
        request,
        "home/client.html",
        next=await next_of(request),
        ways=ways,
        waits=await is_in_line(request),
        sessions=await _sessions(request),
        newcomers=await newcomers_of(request),
    )


async def counselor(request: http.Request) -> http.Response:
    """Answer `GET /counselor`."""
    ways, sessions = ways_of(person_of(request), Role.COUNSELOR), await _sessions(request)
    return request.app[SITE].show(
        request,
        "home/staff.html",
        place="counselor",
        next=await next_of(request),
        ways=ways,
        also=STAFF_ALSO,
        sessions=sessions,
        newcomers=await newcomers_of(request),
    )


async def admin(request: http.Request) -> http.Response:
    """Answer `GET /admin`."""
    ways = ways_of(person_of(request), Role.ADMIN)
    return request.app[SITE].show(
        request,
        "home/staff.html",
        place="admin",
        ways=ways,
        also=STAFF_ALSO,
        sessions=[],
        newcomers=await newcomers_of(request),
    )


async def _sessions(request: http.Request) -> list[ParticipantRecord]:
    """List the places that this login opens now."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        return await directory.open_places(db, user=person_of(request).id, now=services.now())


def setup(app: http.Application) -> None:
    """Add the homes."""
    add(app, "GET", "/home", home, Permission.OWN_LOGIN)
    add(app, "GET", "/counselor", counselor, Permission.OWN_REGISTER)
    add(app, "GET", "/admin", admin, Permission.SEE_PEOPLE)
