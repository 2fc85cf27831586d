"""`/me/credentials`: a staff member's password, authenticator app, passkeys and backup codes.

Each change asks for the password again (``confirm``, for other pages too), is audited, and is told in the
inbox. The last second factor cannot be taken away.
"""

from __future__ import annotations

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, PasswordField
from wtforms.validators import InputRequired, Length

from accounts import backup_codes, login_names, logins, notices, passkeys, people, totp
from accounts.passkeys import MOST_RESPONSE_CHARS
from accounts.passwords import MOST_CHARS, what_is_wrong
from accounts.roles import Permission
from web import entering
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, login_of, person_of
from web.pages import factors
from web.pages.factors import AppForm
from web.pages.site import SITE
from web.pages.staff_login import prove
from web.services import SERVICES


class ConfirmedForm(PageForm):
    """A form that asks for the present password."""

    password = PasswordField(
        "staff.present_password",
        [InputRequired("form.missing"), Length(max=MOST_CHARS, message="form.long")],
    )


class PasswordForm(ConfirmedForm):
    """Another password."""

    new = PasswordField("staff.new_password", [InputRequired("form.missing")])
    again = PasswordField("staff.password_again", [InputRequired("form.missing")])


class OtherAppForm(AppForm, ConfirmedForm):
    """Another authenticator app."""


class OtherPasskeyForm(ConfirmedForm):
    """One more passkey."""

    credential = HiddenField(
        "factor.passkey", [InputRequired("factor.passkey_wrong"), Length(max=MOST_RESPONSE_CHARS)]
    )


class RemoveForm(ConfirmedForm):
    """Which factor to take away: the app, or a passkey's id."""

    factor = HiddenField("factor.passkey", [InputRequired("form.missing")])


async def confirm(request: http.Request, form: PageForm) -> None:
    """Have somebody of the staff prove again who they are, by the form's ``password``. Raises ``Wrong``."""
    user, services = person_of(request).id, request.app[SERVICES]
    async with services.database.sessions() as db:
        named = await login_names.of(db, user=user)
    subject = services.codes.hash("confirm", user)
    await prove(request, named.login, str(form["password"].data), subject=subject)


async def overview(request: http.Request) -> http.Response:
    """Answer `GET /me/credentials`."""
    user = person_of(request).id
    async with request.app[SERVICES].database.sessions() as db:
        named = await login_names.of(db, user=user)
        keys = await passkeys.every(db, user=user)
        app_since = await totp.since(db, user=user)
        left = await backup_codes.left(db, user=user)
    return request.app[SITE].show(
        request,
        "credentials/overview.html",
        named=named,
        keys=keys,
        app_since=app_since,
        left=left,
        available=request.app[SERVICES].passkeys.available,
        removable=len(keys) + (app_since is not None) > 1,
    )


async def ask_password(request: http.Request) -> http.Response:
    """Answer `GET /me/credentials/password`."""
    return request.app[SITE].show(request, "credentials/password.html", form=blank(request, PasswordForm))


async def change_password(request: http.Request) -> http.Response:
    """Answer `POST /me/credentials/password`: all other logins end."""
    form = await sent(request, PasswordForm)
    try:
        if form.validate():
            return await _change_password(request, form)
    except Wrong as error:
        form.say_wrong(error)
    form.forget_secrets("password", "new", "again")
    return request.app[SITE].show(request, "credentials/password.html", status=422, form=form)


async def _change_password(request: http.Request, form: PasswordForm) -> http.Response:
    person, services = person_of(request), request.app[SERVICES]
    new = str(form.new.data)
    async with services.database.sessions() as db:
        named = await login_names.of(db, user=person.id)
    if (wrong := what_is_wrong(new, names=(named.login, person.name))) is not None:
        raise Wrong("new", f"staff.password_{wrong}")
    if form.again.data != new:
        raise Wrong("again", "staff.password_differs")
    await confirm(request, form)
    hashed = await services.passwords.hash(new, asker=entering.asker_of(request))

    async def act(db: AsyncSession) -> str:
        await login_names.change(db, user=person.id, hashed=hashed, now=services.now())
        await logins.end_all(db, user=person.id, but=login_of(request).id)
        await _tell(request, db, "password:change")
        return "/me/credentials?done=password"

    return await do_once(request, form, act)


async def ask_app(request: http.Request) -> http.Response:
    """Answer `GET /me/credentials/app`."""
    return await _show_app(request, blank(request, OtherAppForm))


async def change_app(request: http.Request) -> http.Response:
    """Answer `POST /me/credentials/app`: the former app counts no more."""
    form = await sent(request, OtherAppForm)
    person = person_of(request)

    async def act(db: AsyncSession) -> str:
        await factors.keep_app(request, db, person.id, form)
        await _tell(request, db, None)
        return "/me/credentials?done=factor"

    try:
        if form.validate():
            await confirm(request, form)
            return await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
    form.forget_secrets("password")
    return await _show_app(request, form, status=422)


async def _show_app(request: http.Request, form: OtherAppForm, *, status: int = 200) -> http.Response:
    offer = await factors.app_offer(request, person_of(request), form)
    return request.app[SITE].show(request, "credentials/app.html", status=status, form=form, app=offer)


async def ask_passkey(request: http.Request) -> http.Response:
    """Answer `GET /me/credentials/passkey`."""
    return await _show_passkey(request, blank(request, OtherPasskeyForm))


async def add_passkey(request: http.Request) -> http.Response:
    """Answer `POST /me/credentials/passkey`."""
    form = await sent(request, OtherPasskeyForm)
    person, login = person_of(request), login_of(request)

    async def act(db: AsyncSession) -> str:
        response = str(form.credential.data)
        await factors.keep_passkey(request, db, user=person.id, login=login.id, response=response)
        await _tell(request, db, None)
        return "/me/credentials?done=factor"

    try:
        if form.validate():
            await confirm(request, form)
            return await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
    form.forget_secrets("password", "credential")
    return await _show_passkey(request, form, status=422)


async def _show_passkey(request: http.Request, form: OtherPasskeyForm, *, status: int = 200) -> http.Response:
    options = await factors.passkey_offer(request, person_of(request), login_of(request).id)
    return request.app[SITE].show(
        request, "credentials/passkey.html", status=status, form=form, options=options
    )


async def ask_remove(request: http.Request) -> http.Response:
    """Answer `GET /me/credentials/remove?factor=…`."""
    form = blank(request, RemoveForm, factor=request.query.get("factor", ""))
    return request.app[SITE].show(request, "credentials/remove.html", form=form)


async def remove(request: http.Request) -> http.Response:
    """Answer `POST /me/credentials/remove`: not the last one."""
    form = await sent(request, RemoveForm)
    person = person_of(request)
    factor = str(form.factor.data)

    async def act(db: AsyncSession) -> str:
        await people.hold(db, users=[person.id])
        if factor == "app":
            await totp.remove(db, user=person.id)
        else:
            await passkeys.remove(db, user=person.id, passkey=factor)
        if await totp.since(db, user=person.id) is None and not await passkeys.count(db, user=person.id):
            raise Wrong("password", "factor.last")
        await _tell(request, db, "factor:remove")
        return "/me/credentials?done=factor_removed"

    try:
        if form.validate():
            await confirm(request, form)
            return await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
    form.forget_secrets("password")
    return request.app[SITE].show(request, "credentials/remove.html", status=422, form=form)


async def ask_backup(request: http.Request) -> http.Response:
    """Answer `GET /me/credentials/backup`."""
    return request.app[SITE].show(request, "credentials/backup.html", form=blank(request, ConfirmedForm))


async def make_backup(request: http.Request) -> http.Response:
    """Answer `POST /me/credentials/backup`: ten new codes, shown once."""
    form = await sent(request, ConfirmedForm)
    person = person_of(request)

    async def act(db: AsyncSession) -> str:
        await factors.keep_backup_codes(request, db, person.id, form)
        await _tell(request, db, None)
        return "/me/credentials"

    try:
        if form.validate():
            await confirm(request, form)
            await do_once(request, form, act)
            codes = factors.codes_of(request, person.id, form)
            return request.app[SITE].show(
                request, "credentials/codes.html", codes=codes, onward="/me/credentials"
            )
    except Wrong as error:
        form.say_wrong(error)
    form.forget_secrets("password")
    return request.app[SITE].show(request, "credentials/backup.html", status=422, form=form)


async def _tell(request: http.Request, db: AsyncSession, tag: str | None) -> None:
    """Put the change into the inbox, and into the audit unless that was done."""
    user, now = person_of(request).id, request.app[SERVICES].now()
    await notices.post(db, user=user, kind="credentials_changed", now=now)
    if tag is not None:
        await factors.note(request, db, user, tag, {})


def setup(app: http.Application) -> None:
    """Add the pages about how staff log in."""
    for path, ask, do in (
        ("password", ask_password, change_password),
        ("app", ask_app, change_app),
        ("passkey", ask_passkey, add_passkey),
        ("remove", ask_remove, remove),
        ("backup", ask_backup, make_backup),
    ):
        add(app, "GET", f"/me/credentials/{path}", ask, Permission.OWN_CREDENTIALS)
        add(app, "POST", f"/me/credentials/{path}", do, Permission.OWN_CREDENTIALS)
    add(app, "GET", "/me/credentials", overview, Permission.OWN_CREDENTIALS)
