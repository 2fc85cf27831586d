"""`/admin/people`: who works here. Invitations, roles, closing an account, a lost second factor.

Clients are only counted: nobody browses them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlencode

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import StringField
from wtforms.validators import InputRequired, Length

from accounts import invitations, logins, passkeys, people, totp
from accounts.people import Person
from accounts.roles import STAFF, Permission, Role
from core.errors import NotFound
from core.ids import UserId
from web.fields import Checks, pick
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE
from web.services import SERVICES

Change = Callable[[AsyncSession, Person], Awaitable[None]]
ROLES: Final = [(role.value, f"role.{role.value}") for role in Role if role in STAFF]


class InviteForm(PageForm):
    """Whom to invite."""

    roles = Checks("people.roles", [InputRequired("people.one_role")], choices=pick(*ROLES))
    note = StringField("people.note", [InputRequired("form.missing"), Length(max=60, message="form.long")])


class RolesForm(PageForm):
    """Which roles somebody has."""

    roles = Checks("people.roles", [InputRequired("people.one_role")], choices=pick(*ROLES))


class ReasonForm(PageForm):
    """Why an account is closed."""

    reason = StringField(
        "people.reason", [InputRequired("form.missing"), Length(max=200, message="form.long")]
    )


async def listed(request: http.Request) -> http.Response:
    """Answer `GET /admin/people`: staff by name, and the invitations."""
    services = request.app[SERVICES]
    name, role = request.query.get("name", "")[:60], request.query.get("role", "")
    after = request.query.get("after", "")[:60], UserId(request.query.get("after_id", "")[:32])
    async with services.database.sessions() as db:
        found = await people.staff(
            db,
            name=name,
            role=Role(role) if role in {value for value, _ in ROLES} else None,
            after=after if after[1] else None,
        )
        clients = await people.count_clients(db)
        invited = await invitations.every(db, most=50)
    more = ""
    if found.after is not None:
        query = {"name": name, "role": role, "after": found.after[0], "after_id": found.after[1]}
        more = f"/admin/people?{urlencode(query)}"
    open_ones = [one for one in invited if one.holds(services.now())]
    return request.app[SITE].show(
        request,
        "people/list.html",
        staff=found.people,
        more=more,
        clients=clients,
        invited=open_ones,
        name=name,
        role=role,
        roles=ROLES,
    )


async def ask_invite(request: http.Request) -> http.Response:
    """Answer `GET /admin/people/invite`."""
    return request.app[SITE].show(request, "people/invite.html", form=blank(request, InviteForm))


async def invite(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/invite`: show the link, this once."""
    services, admin = request.app[SERVICES], person_of(request)
    form = await sent(request, InviteForm)
    if not form.validate():
        return request.app[SITE].show(request, "people/invite.html", status=422, form=form)
    once = str(form.once.data)

    async def act(db: AsyncSession) -> str:
        now = services.now()
        made, _ = await invitations.create(
            db,
            services.codes,
            roles=[Role(value) for value in form.roles.data or []],
            note=str(form.note.data),
            by=admin.id,
            once=once,
            now=now,
        )
        roles = " ".join(sorted(made.roles))
        await services.audit.append(
            db,
            tag="staff:invite",
            actor=admin.id,
            subject=None,
            object_id=made.id,
            detail={"roles": roles},
            now=now,
        )
        return "/admin/people"

    await do_once(request, form, act)
    code = invitations.code_of(services.codes, by=admin.id, once=once)
    link = services.config.public_url + invitations.path_of(code)
    return request.app[SITE].show(request, "people/invited.html", link=link, note=form.note.data)


async def revoke(request: http.Request) -> http.Response:
    """Answer `POST /admin/invitations/{id}/revoke`."""
    services, admin = request.app[SERVICES], person_of(request)
    form = await sent(request, PageForm)
    invitation = request.match_info["id"]

    async def act(db: AsyncSession) -> str:
        now = services.now()
        await invitations.revoke(db, invitation=invitation, now=now)
        await services.audit.append(
            db, tag="staff:uninvite", actor=admin.id, subject=None, object_id=invitation[:32], now=now
        )
        return "/admin/people?done=uninvited"

    return await do_once(request, form, act)


async def one(request: http.Request) -> http.Response:
    """Answer `GET /admin/people/{id}`."""
    person = await _staff(request)
    form = blank(request, RolesForm, roles=[role.value for role in person.roles])
    return await _show(request, person, form)


async def set_roles(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/{id}/roles`. An admin cannot stop being one: another has to do it."""
    services, admin, person = request.app[SERVICES], person_of(request), await _staff(request)
    form = await sent(request, RolesForm)
    if not form.validate():
        return await _show(request, person, form, status=422)
    roles = frozenset(Role(value) for value in form.roles.data or [])

    async def act(db: AsyncSession) -> str:
        if person.id == admin.id and Role.ADMIN not in roles:
            raise Wrong("roles", "people.not_yourself")
        now = services.now()
        await people.set_roles(db, user=person.id, roles=roles)
        await services.audit.append(
            db,
            tag="staff:roles",
            actor=admin.id,
            subject=person.id,
            detail={"before": " ".join(sorted(person.roles)), "after": " ".join(sorted(roles))},
            now=now,
        )
        return f"/admin/people/{person.id}?done=saved"

    try:
        return await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
        return await _show(request, person, form, status=422)


async def close(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/{id}/close`: nobody logs in to it any more, from this moment."""
    services, admin, person = request.app[SERVICES], person_of(request), await _staff(request)
    form = await sent(request, ReasonForm)
    if not form.validate():
        return await _show(request, person, _roles(request, person), status=422, closing=form)

    async def act(db: AsyncSession) -> str:
        if person.id == admin.id:
            raise Wrong("reason", "people.not_yourself")
        now = services.now()
        await people.disable(db, user=person.id, at=now)
        await logins.end_all(db, user=person.id)
        await services.audit.append(
            db,
            tag="staff:close",
            actor=admin.id,
            subject=person.id,
            detail={"reason": str(form.reason.data)},
            now=now,
        )
        return f"/admin/people/{person.id}?done=closed"

    try:
        return await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
        return await _show(request, person, _roles(request, person), status=422, closing=form)


async def reopen(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/{id}/open`."""

    async def change(db: AsyncSession, person: Person) -> None:
        await people.disable(db, user=person.id, at=None)

    return await _simply(request, change, tag="staff:open", done="opened")


async def reset_factors(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/{id}/factors`: a lost second step is set up anew at the next login."""

    async def change(db: AsyncSession, person: Person) -> None:
        await totp.remove(db, user=person.id)
        for passkey in await passkeys.every(db, user=person.id):
            await passkeys.remove(db, user=person.id, passkey=passkey.id)
        await logins.end_all(db, user=person.id)

    return await _simply(request, change, tag="staff:factors", done="factors")


async def _simply(request: http.Request, change: Change, *, tag: str, done: str) -> http.Response:
    services, admin, person = request.app[SERVICES], person_of(request), await _staff(request)
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        await change(db, person)
        await services.audit.append(db, tag=tag, actor=admin.id, subject=person.id, now=services.now())
        return f"/admin/people/{person.id}?done={done}"

    return await do_once(request, form, act)


async def _staff(request: http.Request) -> Person:
    """Find the staff member of this address; a client is not found here."""
    async with request.app[SERVICES].database.sessions() as db:
        person = await people.get(db, user=UserId(request.match_info["id"]))
    if not person.is_staff or person.is_leaving:
        raise NotFound("There is no such person.")
    return person


def _roles(request: http.Request, person: Person) -> RolesForm:
    return blank(request, RolesForm, roles=[role.value for role in person.roles])


async def _show(
    request: http.Request,
    person: Person,
    form: RolesForm,
    *,
    status: int = 200,
    closing: ReasonForm | None = None,
) -> http.Response:
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        devices = await logins.of(db, user=person.id, now=services.now())
        has_totp = await totp.since(db, user=person.id) is not None
        keys = await passkeys.count(db, user=person.id)
    return request.app[SITE].show(
        request,
        "people/one.html",
        status=status,
        one=person,
        form=form,
        closing=closing or blank(request, ReasonForm),
        devices=len(devices),
        has_second=has_totp or keys > 0,
    )


def setup(app: http.Application) -> None:
    """Add the pages."""
    see, change = Permission.SEE_PEOPLE, Permission.CHANGE_PEOPLE
    add(app, "GET", "/admin/people", listed, see)
    add(app, "GET", "/admin/people/invite", ask_invite, change)
    add(app, "POST", "/admin/people/invite", invite, change)
    add(app, "POST", "/admin/invitations/{id}/revoke", revoke, change)
    add(app, "GET", "/admin/people/{id}", one, see)
    add(app, "POST", "/admin/people/{id}/roles", set_roles, change)
    add(app, "POST", "/admin/people/{id}/close", close, change)
    add(app, "POST", "/admin/people/{id}/open", reopen, change)
    add(app, "POST", "/admin/people/{id}/factors", reset_factors, change)
