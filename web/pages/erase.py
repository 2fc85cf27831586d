"""`/me/erase`: to be erased. At once for others, after 72 hours for good, and taken back until then.

Whoever asks is out of the line at once, and a talk of theirs ends.
"""

from __future__ import annotations

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import BooleanField
from wtforms.validators import InputRequired

from accounts.roles import Permission
from core.errors import InvalidState
from counseling import line
from counseling.talks import Talk
from web import opening
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, login_of, person_of
from web.line import BELL
from web.pages.site import SITE
from web.services import SERVICES


class EraseForm(PageForm):
    """The one question, whether one is sure."""

    sure = BooleanField("erase.sure", [InputRequired("erase.sure_missing")])


async def erase(request: http.Request) -> http.Response:
    """Answer `GET /me/erase`: what goes, what stays, and how to take it back."""
    return _show(request, blank(request, EraseForm))


async def ask(request: http.Request) -> http.Response:
    """Answer `POST /me/erase`."""
    form = await sent(request, EraseForm)
    person, services = person_of(request), request.app[SERVICES]
    ended: list[Talk] = []

    async def act(db: AsyncSession) -> str:
        now = services.now()
        await services.erasure.ask(db, person=person, login=login_of(request).id, now=now)
        talk = await line.depart(db, services.audit, user=person.id, now=now)
        ended.extend([talk] if talk else [])
        return "/me/erase?done=erase_asked"

    if not form.validate():
        return _show(request, form, status=422)
    response = await do_once(request, form, act)
    for talk in ended:
        await opening.end_session(services, talk)
    request.app[BELL].ring()
    return response


async def cancel(request: http.Request) -> http.Response:
    """Answer `POST /me/erase/cancel`."""
    form = await sent(request, PageForm)
    person, services = person_of(request), request.app[SERVICES]

    async def act(db: AsyncSession) -> str:
        await services.erasure.cancel(db, person=person, now=services.now())
        return "/me/erase?done=erase_cancelled"

    try:
        return await do_once(request, form, act)
    except InvalidState:
        return _show(request, blank(request, EraseForm), status=409)


def _show(request: http.Request, form: EraseForm, *, status: int = 200) -> http.Response:
    at = person_of(request).erase_at
    too_late = at is not None and at <= request.app[SERVICES].now()
    return request.app[SITE].show(
        request, "erase/erase.html", status=status, form=form, at=at, too_late=too_late
    )


def setup(app: http.Application) -> None:
    """Add the page."""
    add(app, "GET", "/me/erase", erase, Permission.OWN_ACCOUNT)
    add(app, "POST", "/me/erase", ask, Permission.OWN_ACCOUNT)
    add(app, "POST", "/me/erase/cancel", cancel, Permission.OWN_ACCOUNT)
