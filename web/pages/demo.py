"""`/demo`: be one of the invented people with one tap. Only on loopback, and only with `serve --demo`."""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.logins import Stage
from accounts.roles import Permission
from core.errors import NotFound
from web import demo, entering
from web.client import from_loopback
from web.demo import DemoPerson
from web.forms import PageForm, do_once, sent
from web.gate import add
from web.pages.navigation import home_of
from web.pages.site import SITE
from web.services import SERVICES

DEMO: Final = http.AppKey("demo", list[DemoPerson])
"""Who may be chosen; empty unless the demo was asked for."""


async def choose(request: http.Request) -> http.Response:
    """Answer `GET /demo`."""
    return request.app[SITE].show(request, "demo.html", people=_people(request))


async def become(request: http.Request) -> http.Response:
    """Answer `POST /demo/{login}`: log in as one of them, without password or second step."""
    services = request.app[SERVICES]
    login = request.match_info["login"]
    if login not in {one.login for one in _people(request)}:
        raise NotFound("There is nothing here.")
    form = await sent(request, PageForm)
    token = entering.token_for(request, form, f"demo {login}")

    async def act(db: AsyncSession) -> str:
        person = await demo.find(services, db, login=login)
        if person is None:
            raise NotFound("There is nothing here.")
        await entering.open_login(request, db, person=person, token=token, stage=Stage.FULL)
        return home_of(person)

    response = await do_once(request, form, act)
    await entering.answer_again(request, response, token)
    return response


def may_choose(request: http.Request) -> bool:
    """Whether there is a demo, and this request comes from this machine."""
    on_loopback = request.app[SERVICES].config.loopback_only and from_loopback(request)
    return bool(request.app[DEMO]) and on_loopback


def _people(request: http.Request) -> list[DemoPerson]:
    """List them, to this machine alone; to others there is no such page."""
    if not may_choose(request):
        raise NotFound("There is nothing here.")
    return request.app[DEMO]


def setup(app: http.Application) -> None:
    """Add the page; it stays closed until `app[DEMO]` names people."""
    app[DEMO] = []
    add(app, "GET", "/demo", choose, Permission.OPEN)
    add(app, "POST", "/demo/{login}", become, Permission.OPEN)
