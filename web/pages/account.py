"""`/me/name` and `/me/logout`: a client's name, and leaving in peace."""

from __future__ import annotations

import unicodedata

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import Field, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from accounts import logins, names, people
from accounts.people import MAX_NAME_CHARS
from accounts.roles import Permission
from web import entering
from web.forms import PageForm, blank, do_once, sent
from web.gate import add, login_of, person_of
from web.pages.site import SITE, language_of
from web.place import drop_places
from web.services import SERVICES

FEWEST_CHARS = 2


def plain_name(_form: object, field: Field) -> None:
    """Tidy a name, and refuse signs that nobody sees or that change what stands beside it."""
    text = " ".join(unicodedata.normalize("NFC", str(field.data or "")).split())
    if any(unicodedata.category(sign)[0] == "C" for sign in text):
        raise ValidationError("name.signs")
    if not any(sign.isalnum() for sign in text):
        raise ValidationError("form.missing")
    field.data = text


class NameForm(PageForm):
    """The name that counselors read."""

    name = StringField(
        "name.label",
        [
            InputRequired("form.missing"),
            plain_name,
            Length(min=FEWEST_CHARS, message="form.short"),
            Length(max=MAX_NAME_CHARS, message="form.long"),
        ],
    )


class LogoutForm(PageForm):
    """One button."""


async def show_name(request: http.Request) -> http.Response:
    """Answer `GET /me/name`; with `?another` the field holds a proposal."""
    person = person_of(request)
    name = person.name
    if "another" in request.query:
        async with request.app[SERVICES].database.sessions() as db:
            name = await names.new_name(db, language=language_of(request), but=person.name)
    return request.app[SITE].show(request, "account/name.html", form=blank(request, NameForm, name=name))


async def rename(request: http.Request) -> http.Response:
    """Answer `POST /me/name`."""
    form = await sent(request, NameForm)
    if not form.validate():
        return request.app[SITE].show(request, "account/name.html", status=422, form=form)
    person, services = person_of(request), request.app[SERVICES]

    async def act(db: AsyncSession) -> str:
        await people.rename(db, user=person.id, name=str(form.name.data))
        await services.audit.append(
            db, tag="account:rename", actor=person.id, subject=person.id, now=services.now()
        )
        return "/home?done=renamed"

    return await do_once(request, form, act)


async def log_out(request: http.Request) -> http.Response:
    """Answer `POST /me/logout`."""
    form = await sent(request, LogoutForm)
    person, login, services = person_of(request), login_of(request), request.app[SERVICES]

    async def act(db: AsyncSession) -> str:
        await logins.end(db, user=person.id, login=login.id)
        await services.audit.append(
            db, tag="login:end", actor=person.id, subject=person.id, object_id=login.id, now=services.now()
        )
        return "/?done=left"

    response = await do_once(request, form, act)
    entering.drop_cookie(request, response)
    drop_places(request, response)
    return response


def setup(app: http.Application) -> None:
    """Add the account's own pages."""
    add(app, "GET", "/me/name", show_name, Permission.OWN_ACCOUNT)
    add(app, "POST", "/me/name", rename, Permission.OWN_ACCOUNT)
    add(app, "POST", "/me/logout", log_out, Permission.OWN_LOGIN)
