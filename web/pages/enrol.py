"""`/staff/enrol`: the first second factor. Until it is there, nothing else opens."""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import logins, people
from accounts.logins import Login, Stage
from accounts.people import Person
from accounts.roles import Permission
from web import entering, known
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, visitor_of
from web.pages import factors
from web.pages.factors import AppForm, NewPasskeyForm
from web.pages.navigation import home_of
from web.pages.site import SITE
from web.pages.staff_login import has_factor
from web.services import SERVICES

PURPOSE: Final = "enrol"


async def offer(request: http.Request) -> http.Response:
    """Answer `GET /staff/enrol`: an app or a passkey."""
    found = _pending(request)
    if isinstance(found, http.Response):
        return found
    async with request.app[SERVICES].database.sessions() as db:
        await _refuse_second(db, found[0])
    return await _show(request, *found, blank(request, AppForm))


async def take_app(request: http.Request) -> http.Response:
    """Answer `POST /staff/enrol`: a code of the app."""
    found = _pending(request)
    if isinstance(found, http.Response):
        return found
    person, login = found
    form = await sent(request, AppForm)
    if not form.validate():
        return await _show(request, person, login, form, status=422)

    async def keep(db: AsyncSession) -> None:
        await factors.keep_app(request, db, person.id, form)

    try:
        return await _finish(request, form, person, login, keep)
    except Wrong as error:
        form.say_wrong(error)
        return await _show(request, person, login, form, status=422)


async def take_passkey(request: http.Request) -> http.Response:
    """Answer `POST /staff/enrol/passkey`."""
    found = _pending(request)
    if isinstance(found, http.Response):
        return found
    person, login = found
    form = await sent(request, NewPasskeyForm)

    async def keep(db: AsyncSession) -> None:
        response = str(form.credential.data or "")
        await factors.keep_passkey(request, db, user=person.id, login=login.id, response=response)

    try:
        return await _finish(request, form, person, login, keep)
    except Wrong as error:
        return await _show(request, person, login, blank(request, AppForm), status=422, trouble=error.text)


async def _finish(
    request: http.Request, form: PageForm, person: Person, login: Login, keep: entering.Act
) -> http.Response:
    """Keep the factor and ten backup codes, complete the login, and show the codes this once.

    All other logins end: one of them may be of somebody who knows the password and no more.
    """
    token = entering.token_for(request, form, PURPOSE)

    async def act(db: AsyncSession) -> str:
        await people.hold(db, users=[person.id])
        await _refuse_second(db, person)
        await keep(db)
        await factors.keep_backup_codes(request, db, person.id, form)
        await logins.end_all(db, user=person.id, but=login.id)
        await logins.advance(db, login=login.id, stage=Stage.FULL, token=token)
        await entering.tell(request, db, person=person, login=login)
        return home_of(person)

    await do_once(request, form, act)
    response = request.app[SITE].show(
        request,
        "credentials/codes.html",
        codes=factors.codes_of(request, person.id, form),
        onward=home_of(person),
    )
    entering.keep_cookie(request, response, token)
    known.remember(request, response, person.id)
    return response


async def _show(
    request: http.Request,
    person: Person,
    login: Login,
    form: AppForm,
    *,
    status: int = 200,
    trouble: str | None = None,
) -> http.Response:
    return request.app[SITE].show(
        request,
        "staff/enrol.html",
        status=status,
        form=form,
        app=await factors.app_offer(request, person, form),
        passkey=blank(request, NewPasskeyForm),
        options=await factors.passkey_offer(request, person, login.id),
        trouble=trouble,
    )


async def _refuse_second(db: AsyncSession, person: Person) -> None:
    """Send away whoever has a factor by now: nobody replaces it with a password alone."""
    if await has_factor(db, person.id):
        raise http.HTTPSeeOther("/staff/login")


def _pending(request: http.Request) -> tuple[Person, Login] | http.Response:
    """Say who has to set up a second factor; else where this visitor belongs."""
    visitor = visitor_of(request)
    if visitor.person is not None:
        return http.Response(status=303, headers={"Location": home_of(visitor.person)})
    if visitor.pending is None or visitor.login is None:
        return http.Response(status=303, headers={"Location": "/staff/login"})
    if visitor.login.stage is not Stage.ENROL:
        return http.Response(status=303, headers={"Location": "/staff/factor"})
    return visitor.pending, visitor.login


def setup(app: http.Application) -> None:
    """Add the set-up of the first second factor."""
    add(app, "GET", "/staff/enrol", offer, Permission.OPEN)
    add(app, "POST", "/staff/enrol", take_app, Permission.OPEN)
    add(app, "POST", "/staff/enrol/passkey", take_passkey, Permission.OPEN)
