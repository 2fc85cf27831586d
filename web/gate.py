"""The gate: who comes, and whether this route is open to them. No route exists without a permission.

Routes are added through ``add``; a route without a permission stops the start, and one that slipped
past it is closed to everybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from aiohttp import web as http
from aiohttp.typedefs import Handler

from accounts import logins
from accounts.logins import Login, Stage
from accounts.people import Person
from accounts.roles import PERMITTED, STAFF, Permission
from core.errors import Forbidden, NotFound, Unauthenticated
from core.ids import UserId
from web.access import route_of
from web.client import own_origins
from web.plain import check_address
from web.services import SERVICES

SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

PERMISSIONS: Final = http.AppKey("permissions", dict[tuple[str, str], Permission])
"""The permission of each (method, route)."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who comes. ``person`` is somebody whose login is complete; ``login`` may be on its way there."""

    person: Person | None = None
    login: Login | None = None
    pending: Person | None = None
    """Who passed the first factor and still owes the second."""


NOBODY: Final = Visitor()
VISITOR: Final = http.RequestKey("visitor", Visitor)


def add(app: http.Application, method: str, path: str, handler: Handler, permission: Permission) -> None:
    """Add a route that this permission opens; a GET answers HEAD too where people come."""
    resource = app.router.add_resource(path)
    methods = ("GET", "HEAD") if method == "GET" and not path.startswith("/api/") else (method,)
    for one in methods:
        app.setdefault(PERMISSIONS, {})[one, resource.canonical] = permission
        resource.add_route(one, handler)


def unguarded(app: http.Application) -> list[str]:
    """Name the routes that no permission guards."""
    return [
        f"{route.method} {route.resource.canonical}"
        for route in app.router.routes()
        if route.resource is not None
        and (route.method, route.resource.canonical) not in app.get(PERMISSIONS, {})
    ]


def cookie_name(*, secure: bool) -> str:
    """Name the login's cookie; with ``__Host-`` no other host can set it (RFC 6265bis, 4.1.3.2)."""
    return "__Host-teduh_login" if secure else "teduh_login"


def visitor_of(request: http.Request) -> Visitor:
    """Say who came, after the gate."""
    visitor: Visitor = request.get(VISITOR, NOBODY)
    return visitor


def person_of(request: http.Request) -> Person:
    """Say who came, on a route that only people with a role reach."""
    person = visitor_of(request).person
    if person is None:
        raise Unauthenticated("Nobody is logged in.")
    return person


def user_of(request: http.Request) -> UserId | None:
    """Say whose login came; None for nobody's."""
    person = visitor_of(request).person
    return None if person is None else person.id


def login_of(request: http.Request) -> Login:
    """Say by which login they came."""
    login = visitor_of(request).login
    if login is None:
        raise Unauthenticated("Nobody is logged in.")
    return login


LEFT: Final = "teduh_left"
"""The cookie by which a page tells that its person left quickly while there was no network: the first request
that comes through leaves for them. Until then nobody is logged in, and help is open."""


@http.middleware
async def gate(request: http.Request, handler: Handler) -> http.StreamResponse:
    """Let in who may come in. Nobody at a page for somebody is shown the way to log in."""
    if request.match_info.http_exception is not None:
        return await handler(request)
    if LEFT in request.cookies and _is_page(request) and request.path not in {"/exit", "/crisis"}:
        raise http.HTTPSeeOther("/exit")
    permission = request.app[PERMISSIONS].get((request.method, route_of(request)))
    if permission is None:
        raise NotFound("There is nothing here.")
    check_address(request)
    if request.method not in SAFE and permission is not Permission.PROGRAM:
        check_origin(request)
    roles = PERMITTED.get(permission, frozenset())
    asks_who = roles is not None or permission is Permission.PLACE or _is_page(request)
    visitor = await _visitor(request) if asks_who else NOBODY
    request[VISITOR] = visitor
    if roles is not None:
        if visitor.person is None:
            return _ask_to_log_in(request, staff=roles <= STAFF)
        if not visitor.person.may(permission):
            raise Forbidden("This is not open to you.")
        if _is_leaving(visitor.person, request):
            return _show_way_back(request)
    return await handler(request)


def check_origin(request: http.Request) -> None:
    """Refuse pages of others. Browsers send ``Origin`` with every POST; programs may leave it out."""
    origin = request.headers.get("Origin")
    if request.headers.get("Sec-Fetch-Site") == "cross-site" or (
        origin is not None and origin not in own_origins(request.app[SERVICES].config)
    ):
        raise Forbidden("This page belongs to another site.")


async def _visitor(request: http.Request) -> Visitor:
    services = request.app[SERVICES]
    token = request.cookies.get(cookie_name(secure=services.config.secure), "")
    if not token or (LEFT in request.cookies and request.path != "/exit"):
        return NOBODY
    async with services.database.sessions.begin() as db:
        found = await logins.find(db, token=token, now=services.now())
    if found is None:
        return NOBODY
    person, login = found
    if login.stage is Stage.FULL:
        return Visitor(person, login)
    return Visitor(None, login, pending=person)


async def still_there(request: http.Request) -> Person | None:
    """Read again who it is that came: an answer that lasts ends with the login. None once it has ended."""
    return (await _visitor(request)).person


def _is_page(request: http.Request) -> bool:
    return not request.path.startswith(("/api/", "/static/", "/healthz", "/readyz", "/metrics"))


LEAVING_MAY: Final = ("/me/erase", "/me/logout", "/me/history")


def _is_leaving(person: Person, request: http.Request) -> bool:
    """Who asked to be erased can take it back, see who opened what, and log out; nothing else."""
    return person.is_leaving and not request.path.startswith(LEAVING_MAY)


def _show_way_back(request: http.Request) -> http.StreamResponse:
    """Lead who is leaving to the one page that is theirs; what was sent elsewhere is not done."""
    if request.method not in SAFE or not _is_page(request):
        raise Forbidden("This is not open to you.")
    raise http.HTTPSeeOther("/me/erase")


def _ask_to_log_in(request: http.Request, *, staff: bool) -> http.StreamResponse:
    if not _is_page(request):
        raise Unauthenticated("Nobody is logged in.")
    raise http.HTTPSeeOther("/staff/login" if staff else "/enter")
