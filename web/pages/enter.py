"""`/enter`: a client comes back with the recovery code, on this or another device.

A wrong look-up part and a wrong secret get the same answer after the same work. Tries are counted by
look-up part (``accounts/tries.py``); an address is never refused.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import RadioField, StringField
from wtforms.validators import InputRequired, Length

from accounts import people, recovery, tries
from accounts.codes import MOST_TYPED_CHARS
from accounts.logins import Stage
from accounts.people import Person
from accounts.recovery import Code, Found
from accounts.roles import Permission
from core.errors import TooMany
from web import entering
from web.fields import pick
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, visitor_of
from web.pages.navigation import home_of
from web.pages.site import SITE
from web.services import SERVICES

PURPOSE: Final = "enter"


class EnterForm(PageForm):
    """The code, and whose phone this is."""

    code = StringField(
        "enter.code", [InputRequired("form.missing"), Length(max=MOST_TYPED_CHARS, message="form.long")]
    )
    phone = RadioField(
        "start.phone",
        [InputRequired("form.choice")],
        choices=pick(("own", "start.phone.own"), ("shared", "start.phone.shared")),
    )


async def ask(request: http.Request) -> http.Response:
    """Answer `GET /enter`."""
    person = visitor_of(request).person
    if person is not None:
        return http.Response(status=303, headers={"Location": home_of(person)})
    return request.app[SITE].show(request, "enter/enter.html", form=blank(request, EnterForm))


async def enter(request: http.Request) -> http.Response:
    """Answer `POST /enter`."""
    person = visitor_of(request).person
    if person is not None:
        return http.Response(status=303, headers={"Location": home_of(person)})
    form = await sent(request, EnterForm)
    if not form.validate():
        return request.app[SITE].show(request, "enter/enter.html", status=422, form=form)
    try:
        person = await whose(request, str(form.code.data))
    except Wrong as error:
        form.say_wrong(error)
        return request.app[SITE].show(request, "enter/enter.html", status=422, form=form)
    token = entering.token_for(request, form, PURPOSE)
    own_phone = form.phone.data == "own"

    async def act(db: AsyncSession) -> str:
        await entering.open_login(
            request, db, person=person, token=token, stage=Stage.FULL, own_phone=own_phone
        )
        return "/me/erase" if person.is_leaving else "/home?done=entered"

    response = await do_once(request, form, act)
    await entering.answer_again(request, response, token, own_phone=own_phone)
    return response


async def whose(request: http.Request, typed: str) -> Person:
    """Say whose code was typed. Raises ``Wrong``."""
    services = request.app[SERVICES]
    code = recovery.read(typed)
    if code is None:
        raise Wrong("code", "enter.no_code")
    person = await _prove(request, code)
    if person is None:
        raise Wrong("code", "enter.wrong")
    async with services.database.sessions.begin() as db:
        await tries.clear(db, subject=recovery.subject(services.codes, code))
    return person


async def _prove(request: http.Request, code: Code) -> Person | None:
    """Say who proves themselves by this code. The try is taken in turn, no faster than Argon2 goes."""
    services = request.app[SERVICES]
    found: Found | None = None

    async def look() -> str | None:
        nonlocal found
        await _take(request, code)
        async with services.database.sessions() as db:
            found = await recovery.find(db, services.codes, code=code)
        return None if found is None else found.secret_hash

    fits = await services.passwords.fits(code.secret, look, asker=entering.asker_of(request))
    if found is None or not fits:
        return None
    async with services.database.sessions() as db:
        return await people.find(db, user=found.user)


async def _take(request: http.Request, code: Code) -> None:
    services = request.app[SERVICES]
    subject = recovery.subject(services.codes, code)
    try:
        async with services.database.sessions.begin() as db:
            await tries.take(db, subject=subject, limit=tries.RECOVERY, now=services.now())
    except TooMany:
        raise Wrong("code", "enter.often") from None


def setup(app: http.Application) -> None:
    """Add the way back."""
    add(app, "GET", "/enter", ask, Permission.OPEN)
    add(app, "POST", "/enter", enter, Permission.OPEN)
