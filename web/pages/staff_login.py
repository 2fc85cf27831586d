"""`/staff/login` and `/staff/factor`: staff prove themselves twice before anything opens.

An unknown name gets the same answer as a wrong password after the same work. Tries are counted by name,
in a browser that its owner is known in by themselves; those of the second factor by person.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from accounts import admins, backup_codes, login_names, logins, passkeys, people, totp, tries
from accounts.login_names import LoginName
from accounts.logins import Login, Stage
from accounts.passkeys import MOST_RESPONSE_CHARS, NoPasskey
from accounts.passwords import MOST_CHARS
from accounts.people import Person
from accounts.roles import Permission
from core.errors import TooMany
from core.ids import UserId
from web import entering, known
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, visitor_of
from web.pages.navigation import home_of
from web.pages.site import SITE
from web.services import SERVICES

PURPOSE: Final = "staff"
FACTOR: Final = "factor"
MOST_LOGIN_CHARS: Final = 100
MOST_CODE_CHARS: Final = 40


class LoginForm(PageForm):
    """The first factor."""

    login = StringField("staff.login", [InputRequired("form.missing"), Length(max=MOST_LOGIN_CHARS)])
    password = PasswordField(
        "staff.password", [InputRequired("form.missing"), Length(max=MOST_CHARS, message="form.long")]
    )


class CodeForm(PageForm):
    """The second factor: six digits of the app, or a backup code."""

    code = StringField("factor.code", [InputRequired("form.missing"), Length(max=MOST_CODE_CHARS)])


class PasskeyForm(PageForm):
    """The second factor: what a passkey signed."""

    credential = HiddenField(
        "factor.passkey", [InputRequired("form.missing"), Length(max=MOST_RESPONSE_CHARS)]
    )


async def ask(request: http.Request) -> http.Response:
    """Answer `GET /staff/login`."""
    if (person := visitor_of(request).person) is not None:
        return _to(home_of(person))
    return request.app[SITE].show(request, "staff/login.html", form=blank(request, LoginForm))


async def log_in(request: http.Request) -> http.Response:
    """Answer `POST /staff/login`: the first factor holds, the second is asked or set up."""
    if (person := visitor_of(request).person) is not None:
        return _to(home_of(person))
    form = await sent(request, LoginForm)
    if form.validate():
        try:
            return await _first_factor(request, form)
        except Wrong as error:
            form.say_wrong(error)
    form.forget_secrets("password")
    return request.app[SITE].show(request, "staff/login.html", status=422, form=form)


async def _first_factor(request: http.Request, form: LoginForm) -> http.Response:
    person = await prove(request, str(form.login.data), str(form.password.data))
    token = entering.token_for(request, form, PURPOSE)

    async def act(db: AsyncSession) -> str:
        stage = Stage.FACTOR if await has_factor(db, person.id) else Stage.ENROL
        await entering.open_login(request, db, person=person, token=token, stage=stage)
        return "/staff/factor" if stage is Stage.FACTOR else "/staff/enrol"

    response = await do_once(request, form, act)
    await entering.answer_again(request, response, token)
    return response


async def prove(request: http.Request, login: str, password: str, *, subject: str | None = None) -> Person:
    """Say who has this name and password. Raises ``Wrong`` at the password, and says no more.

    ``subject`` counts the tries; without it the name does, or the name in a browser that its owner is
    known in. A try is taken in turn before Argon2, so that nobody fills the table faster than that goes.
    """
    services = request.app[SERVICES]
    named: LoginName | None = None

    async def look() -> str | None:
        nonlocal named, subject
        async with services.database.sessions() as db:
            named = await login_names.find(db, login=login)
        subject = subject or known.subject_of(request, login, None if named is None else named.user)
        await _take(request, subject)
        return None if named is None else named.hash

    fits = await services.passwords.fits(password, look, asker=entering.asker_of(request))
    if not fits or named is None or subject is None:
        raise Wrong("password", "staff.wrong")
    async with services.database.sessions() as db:
        person = await people.get(db, user=named.user)
    if person.disabled_at is not None:
        raise Wrong("password", "staff.wrong")
    await _renew(request, named, password)
    async with services.database.sessions.begin() as db:
        await tries.clear(db, subject=subject)
    return person


async def _take(request: http.Request, subject: str) -> None:
    services = request.app[SERVICES]
    try:
        async with services.database.sessions.begin() as db:
            await tries.take(db, subject=subject, limit=tries.PASSWORD, now=services.now())
    except TooMany:
        raise Wrong("password", "staff.often") from None


async def _renew(request: http.Request, named: LoginName, password: str) -> None:
    """Hash the password anew if it was hashed at another cost."""
    services = request.app[SERVICES]
    if not services.passwords.is_old(named.hash):
        return
    hashed = await services.passwords.hash(password, asker=entering.asker_of(request))
    async with services.database.sessions.begin() as db:
        await login_names.change(db, user=named.user, hashed=hashed, now=named.changed_at)


async def has_factor(db: AsyncSession, user: UserId) -> bool:
    """Whether somebody has a second factor: an app or a passkey."""
    return await totp.since(db, user=user) is not None or await passkeys.count(db, user=user) > 0


async def ask_factor(request: http.Request) -> http.Response:
    """Answer `GET /staff/factor`."""
    found = _pending(request)
    if isinstance(found, http.Response):
        return found
    return await _show_factor(request, found[0], found[1])


async def take_code(request: http.Request) -> http.Response:
    """Answer `POST /staff/factor`: a code of the app, or a backup code."""
    found = _pending(request)
    if isinstance(found, http.Response):
        return found
    person, login = found
    form = await sent(request, CodeForm)
    if not form.validate():
        return await _show_factor(request, person, login, form=form, status=422)
    services = request.app[SERVICES]
    typed = str(form.code.data)

    async def check(db: AsyncSession) -> None:
        if await services.totps.check(db, user=person.id, code=typed, now=services.now()):
            return
        if not await backup_codes.use(db, services.codes, user=person.id, typed=typed):
            raise Wrong("code", "factor.wrong")

    try:
        return await _second_factor(request, form, person, login, check)
    except Wrong as error:
        form.say_wrong(error)
        return await _show_factor(request, person, login, form=form, status=422)


async def take_passkey(request: http.Request) -> http.Response:
    """Answer `POST /staff/factor/passkey`."""
    found = _pending(request)
    if isinstance(found, http.Response):
        return found
    person, login = found
    form = await sent(request, PasskeyForm)
    services = request.app[SERVICES]

    async def check(db: AsyncSession) -> None:
        try:
            await services.passkeys.check(
                db,
                login=login.id,
                user=person.id,
                response=str(form.credential.data or ""),
                now=services.now(),
            )
        except NoPasskey:
            raise Wrong("code", "factor.passkey_wrong") from None

    try:
        return await _second_factor(request, form, person, login, check)
    except Wrong as error:
        shown = blank(request, CodeForm)
        shown.say_wrong(error)
        return await _show_factor(request, person, login, form=shown, status=422)


async def leave(request: http.Request) -> http.Response:
    """Answer `POST /staff/leave`: give the half-done login up."""
    visitor = visitor_of(request)
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        if visitor.login is not None:
            await logins.end(db, user=visitor.login.user, login=visitor.login.id)
        return "/staff/login"

    response = await do_once(request, form, act)
    entering.drop_cookie(request, response)
    return response


async def _second_factor(
    request: http.Request, form: PageForm, person: Person, login: Login, check: entering.Act
) -> http.Response:
    services = request.app[SERVICES]
    subject = services.codes.hash("factor", person.id)
    try:
        async with services.database.sessions.begin() as db:
            count = await tries.take(db, subject=subject, limit=tries.FACTOR, now=services.now())
    except TooMany:
        raise Wrong("code", "factor.often") from None
    token = entering.token_for(request, form, FACTOR)

    async def act(db: AsyncSession) -> str:
        await check(db)
        await tries.clear(db, subject=subject)
        await logins.advance(db, login=login.id, stage=Stage.FULL, token=token)
        await entering.tell(request, db, person=person, login=login)
        return home_of(person)

    try:
        response = await do_once(request, form, act)
    except Wrong:
        await _note_used_up(request, person, count)
        raise
    entering.keep_cookie(request, response, token)
    known.remember(request, response, person.id)
    return response


async def _note_used_up(request: http.Request, person: Person, count: int) -> None:
    """Write down a wrong try that was the last of the day, or came after it; the last one is told too."""
    if count < tries.FACTOR.freely:
        return
    services = request.app[SERVICES]
    now = services.now()
    async with services.database.sessions.begin() as db:
        await services.audit.hold(db)
        if count == tries.FACTOR.freely:
            await admins.tell_of_tries(db, person=person, now=now)
        await services.audit.append(
            db, tag=tries.FACTOR_USED_UP, actor=None, subject=person.id, detail={"count": count}, now=now
        )


async def _show_factor(
    request: http.Request, person: Person, login: Login, *, form: PageForm | None = None, status: int = 200
) -> http.Response:
    services = request.app[SERVICES]
    async with services.database.sessions.begin() as db:
        options = await services.passkeys.ask_to_sign(db, login=login.id, user=person.id, now=services.now())
        has_app = await totp.since(db, user=person.id) is not None
    return request.app[SITE].show(
        request,
        "staff/factor.html",
        status=status,
        form=form or blank(request, CodeForm),
        passkey=blank(request, PasskeyForm),
        options=options,
        has_app=has_app,
    )


def _pending(request: http.Request) -> tuple[Person, Login] | http.Response:
    """Say who owes the second factor; else where this visitor belongs."""
    visitor = visitor_of(request)
    if visitor.person is not None:
        return _to(home_of(visitor.person))
    if visitor.pending is None or visitor.login is None:
        return _to("/staff/login")
    if visitor.login.stage is Stage.ENROL:
        return _to("/staff/enrol")
    return visitor.pending, visitor.login


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the way in for staff."""
    add(app, "GET", "/staff/login", ask, Permission.OPEN)
    add(app, "POST", "/staff/login", log_in, Permission.OPEN)
    add(app, "GET", "/staff/factor", ask_factor, Permission.OPEN)
    add(app, "POST", "/staff/factor", take_code, Permission.OPEN)
    add(app, "POST", "/staff/factor/passkey", take_passkey, Permission.OPEN)
    add(app, "POST", "/staff/leave", leave, Permission.OPEN)
