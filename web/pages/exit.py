"""`/exit`: the quick exit. Ends this login, has the browser forget, and leads to a page of no interest.

With script `exit.js` leaves in the same tick and tells us by a POST; without it the button is a link.
`Clear-Site-Data` (W3C) takes cookies, storage and cache; browsers heed it over HTTPS and on localhost.
"""

from __future__ import annotations

from aiohttp import web as http

from accounts import logins
from accounts.roles import Permission
from counseling import walkins
from counseling.walkin_states import Ended
from web import drops
from web.drops import DROPS
from web.gate import add, visitor_of
from web.line import BELL
from web.pages.site import SITE
from web.place import clients_places
from web.services import SERVICES

FORGET = {"Clear-Site-Data": '"cache", "cookies", "storage"', "Cache-Control": "no-store"}


async def leave(request: http.Request) -> http.Response:
    """Answer `GET /exit`: end the login and lead away.

    A link on another site ends nothing, nor does a browser that fetches pages ahead.
    """
    away = http.Response(status=303, headers={"Location": request.app[SERVICES].config.quick_exit_url})
    fetched_ahead = "prefetch" in request.headers.get("Sec-Purpose", "")
    from_elsewhere = request.headers.get("Sec-Fetch-Site") == "cross-site"
    if request.method == "HEAD" or fetched_ahead or from_elsewhere:
        return away
    await _end(request)
    away.headers.update(FORGET)
    return _forgetting(request, away)


async def left(request: http.Request) -> http.Response:
    """Answer `POST /exit`, which a page sends while it leaves."""
    await _end(request)
    return _forgetting(request, http.Response(status=204, headers=FORGET))


async def about(request: http.Request) -> http.Response:
    """Answer `GET /exit/about`: say honestly what the quick exit does and what it cannot do."""
    return request.app[SITE].show(request, "exit.html")


async def _end(request: http.Request) -> None:
    """Leave the call, so that the other side knows, and end the login. A place in the line is held."""
    services = request.app[SERVICES]
    for participant in clients_places(request):
        services.calls.leave_quickly(participant)
    visitor = visitor_of(request)
    person = visitor.person or visitor.pending
    if person is None or visitor.login is None:
        return
    async with services.database.sessions.begin() as db:
        await services.audit.hold(db)
        await logins.end(db, user=person.id, login=visitor.login.id)
        await drops.left_quickly(services, db, client=person.id)
        walkin = await walkins.find_open(db, client=person.id)
        if walkin is not None:
            await walkins.leave(
                db, services.audit, walkin=walkin.id, why=Ended.QUICK_EXIT, now=services.now()
            )
    await drops.look(services, request.app[DROPS])
    if walkin is not None:
        request.app[BELL].ring()


def _forgetting(request: http.Request, response: http.Response) -> http.Response:
    """Delete the cookies by name too: older browsers do not know the header."""
    secure = request.app[SERVICES].config.secure
    for name in request.cookies:
        if name.removeprefix("__Host-").startswith("teduh_"):
            response.del_cookie(name, path="/", secure=secure, httponly=True)
    return response


def setup(app: http.Application) -> None:
    """Add the quick exit."""
    add(app, "GET", "/exit", leave, Permission.OPEN)
    add(app, "POST", "/exit", left, Permission.OPEN)
    add(app, "GET", "/exit/about", about, Permission.OPEN)
