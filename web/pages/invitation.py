"""`/invitation#CODE`: somebody who was invited becomes staff.

The code is in the fragment, which no server and no log sees; a small module puts it into the form. Without
script it is typed. Then come a name, a name to log in with, a password, and at once the second factor.
"""

from __future__ import annotations

from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField, PasswordField, StringField
from wtforms.validators import InputRequired, Length

from accounts import admins, invitations, login_names, people
from accounts.auth_tables import MOST_LOGIN_CHARS
from accounts.codes import MOST_TYPED_CHARS
from accounts.invitations import Invitation, Spent
from accounts.login_names import Taken
from accounts.logins import Stage
from accounts.passwords import what_is_wrong
from accounts.people import MAX_NAME_CHARS
from accounts.roles import Permission, Role
from web import entering
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, visitor_of
from web.pages.account import plain_name
from web.pages.navigation import home_of
from web.pages.site import SITE, language_of
from web.services import SERVICES

PURPOSE: Final = "invitation"


class CodeForm(PageForm):
    """The code of the link."""

    code = StringField(
        "invitation.code", [InputRequired("form.missing"), Length(max=MOST_TYPED_CHARS, message="form.long")]
    )


class JoinForm(PageForm):
    """Who comes."""

    code = HiddenField("invitation.code", [InputRequired("form.missing"), Length(max=MOST_TYPED_CHARS)])
    name = StringField(
        "invitation.name",
        [InputRequired("form.missing"), plain_name, Length(max=MAX_NAME_CHARS, message="form.long")],
    )
    login = StringField(
        "staff.login", [InputRequired("form.missing"), Length(max=MOST_LOGIN_CHARS, message="form.long")]
    )
    password = PasswordField("staff.new_password", [InputRequired("form.missing")])
    again = PasswordField("staff.password_again", [InputRequired("form.missing")])


async def ask(request: http.Request) -> http.Response:
    """Answer `GET /invitation`."""
    if (person := visitor_of(request).person) is not None:
        return http.Response(status=303, headers={"Location": home_of(person)})
    return request.app[SITE].show(request, "invitation/code.html", form=blank(request, CodeForm))


async def open_code(request: http.Request) -> http.Response:
    """Answer `POST /invitation`: show what the invitation is for, and ask who comes."""
    form = await sent(request, CodeForm)
    invitation = await _find(request, str(form.code.data or "")) if form.validate() else None
    if invitation is None:
        if not form.errors:
            form.say_wrong(Wrong("code", "invitation.wrong"))
        return request.app[SITE].show(request, "invitation/code.html", status=422, form=form)
    join = blank(request, JoinForm, code=form.code.data)
    return _show_join(request, join, invitation)


async def join(request: http.Request) -> http.Response:
    """Answer `POST /invitation/join`: make the account and log in as far as the second factor."""
    form = await sent(request, JoinForm)
    fits = form.validate()
    token = entering.token_for(request, form, PURPOSE)
    invitation = await _find(request, str(form.code.data or ""))
    try:
        if fits:
            check_password(form, str(form.password.data), str(form.login.data), str(form.name.data))
            return await _make(request, form, invitation, token)
    except Wrong as error:
        form.say_wrong(error)
    if invitation is None:
        code_form = blank(request, CodeForm)
        code_form.say_wrong(Wrong("code", "invitation.wrong"))
        return request.app[SITE].show(request, "invitation/code.html", status=422, form=code_form)
    form.forget_secrets("password", "again")
    return _show_join(request, form, invitation, status=422)


def _show_join(
    request: http.Request, form: JoinForm, invitation: Invitation, *, status: int = 200
) -> http.Response:
    """Ask who comes. The page is had again by the code, which a small module keeps meanwhile."""
    return request.app[SITE].show(
        request,
        "invitation/join.html",
        status=status,
        back="/invitation",
        form=form,
        roles=sorted(invitation.roles),
    )


def check_password(form: JoinForm, password: str, *names: str) -> None:
    """Raise ``Wrong`` for a name or a new password that will not do."""
    if not login_names.is_fit(names[0]):
        raise Wrong("login", "staff.login_form")
    if (wrong := what_is_wrong(password, names=names)) is not None:
        raise Wrong("password", f"staff.password_{wrong}")
    if form.again.data != password:
        raise Wrong("again", "staff.password_differs")


async def _make(
    request: http.Request, form: JoinForm, invitation: Invitation | None, token: str
) -> http.Response:
    services = request.app[SERVICES]
    hashed = await services.passwords.hash(str(form.password.data), asker=entering.asker_of(request))

    async def act(db: AsyncSession) -> str:
        now = services.now()
        if invitation is None:
            raise Wrong("code", "invitation.wrong")
        try:
            person = await people.create_staff(
                db,
                name=str(form.name.data),
                language=language_of(request),
                roles=invitation.roles,
                now=now,
            )
            await login_names.keep(db, user=person.id, login=str(form.login.data), hashed=hashed, now=now)
            await invitations.use(db, invitation=invitation.id, user=person.id, now=now)
        except Taken:
            raise Wrong("login", "staff.login_taken") from None
        except Spent:
            raise Wrong("code", "invitation.wrong") from None
        await entering.open_login(request, db, person=person, token=token, stage=Stage.ENROL)
        if Role.ADMIN in invitation.roles:
            await admins.tell_of_new(db, but={person.id}, now=now)
        await services.audit.append(
            db,
            tag="invitation:use",
            actor=person.id,
            subject=person.id,
            object_id=invitation.id,
            detail={"roles": " ".join(sorted(invitation.roles))},
            now=now,
        )
        return "/staff/enrol"

    response = await do_once(request, form, act)
    await entering.answer_again(request, response, token)
    return response


async def _find(request: http.Request, typed: str) -> Invitation | None:
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        return await invitations.find(db, services.codes, typed=typed, now=services.now())


def setup(app: http.Application) -> None:
    """Add the way in for those who were invited."""
    add(app, "GET", "/invitation", ask, Permission.OPEN)
    add(app, "POST", "/invitation", open_code, Permission.OPEN)
    add(app, "POST", "/invitation/join", join, Permission.OPEN)
