"""`/start`: a client's account in one step. Nothing is asked that would tell who it is.

Who is under 18 gets an account only where the operator has a policy for minors; else a page that says
what there is, and nothing is kept.
"""

from __future__ import annotations

import hmac
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, RadioField
from wtforms.validators import InputRequired

from accounts import names, people
from accounts.logins import Stage
from accounts.roles import Permission
from web import entering
from web.fields import pick
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, visitor_of
from web.pages.navigation import home_of
from web.pages.site import SITE, language_of
from web.services import SERVICES

PURPOSE: Final = "start"


class StartForm(PageForm):
    """Two questions; the name is proposed by us, and counts with the proof that this form proposed it."""

    name = HiddenField("start.name", [InputRequired("form.missing")])
    ours = HiddenField("start.name")
    age = RadioField(
        "start.age",
        [InputRequired("form.choice")],
        choices=pick(("adult", "start.age.adult"), ("minor", "start.age.minor")),
    )
    phone = RadioField(
        "start.phone",
        [InputRequired("form.choice")],
        choices=pick(("own", "start.phone.own"), ("shared", "start.phone.shared")),
    )


async def ask(request: http.Request) -> http.Response:
    """Answer `GET /start`: another name each time."""
    if (somebody := _elsewhere(request)) is not None:
        return somebody
    form = blank(request, StartForm)
    await _propose(request, form)
    return request.app[SITE].show(request, "start/start.html", form=form)


async def make(request: http.Request) -> http.Response:
    """Answer `POST /start`: make the account and log in."""
    if (somebody := _elsewhere(request)) is not None:
        return somebody
    form = await sent(request, StartForm)
    fits, is_ours = form.validate(), _is_ours(request, form)
    if not fits or not is_ours:
        if not is_ours:
            await _propose(request, form)
        return request.app[SITE].show(request, "start/start.html", status=422, form=form)
    services = request.app[SERVICES]
    adult, own_phone = form.age.data == "adult", form.phone.data == "own"
    if not adult and services.minors is None:
        return http.Response(status=303, headers={"Location": "/start/under-18"})
    await entering.slow_down(request)
    token = entering.token_for(request, form, PURPOSE)

    async def act(db: AsyncSession) -> str:
        now = services.now()
        person = await people.create_client(
            db, name=str(form.name.data), language=language_of(request), adult=adult, now=now
        )
        await services.audit.append(db, tag="account:make", actor=person.id, subject=person.id, now=now)
        await entering.open_login(
            request, db, person=person, token=token, stage=Stage.FULL, own_phone=own_phone
        )
        return "/home?done=started"

    response = await do_once(request, form, act)
    await entering.answer_again(request, response, token, own_phone=own_phone)
    return response


async def under_18(request: http.Request) -> http.Response:
    """Answer `GET /start/under-18`: say honestly what there is."""
    return request.app[SITE].show(request, "start/under_18.html")


def _elsewhere(request: http.Request) -> http.Response | None:
    """Who is logged in has an account already."""
    person = visitor_of(request).person
    return None if person is None else http.Response(status=303, headers={"Location": home_of(person)})


async def _propose(request: http.Request, form: StartForm) -> None:
    """Put another name into the form."""
    async with request.app[SERVICES].database.sessions() as db:
        form.name.data = await names.new_name(db, language=language_of(request))
    form.name.errors = ()
    form.ours.data = _proof(request, form)


def _is_ours(request: http.Request, form: StartForm) -> bool:
    typed = str(form.ours.data or "").encode()
    return hmac.compare_digest(typed, _proof(request, form).encode())


def _proof(request: http.Request, form: StartForm) -> str:
    return request.app[SERVICES].codes.hash("proposed name", f"{form.once.data}|{form.name.data}")


def setup(app: http.Application) -> None:
    """Add the way in for clients."""
    add(app, "GET", "/start", ask, Permission.OPEN)
    add(app, "POST", "/start", make, Permission.OPEN)
    add(app, "GET", "/start/under-18", under_18, Permission.OPEN)
