"""`/admin/people`: who works here. Invitations, roles, closing an account, a lost second factor.

Clients are only counted: nobody browses them.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeVar
from urllib.parse import urlencode

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import admins, closing, invitations, logins, notices, passkeys, people, totp
from accounts.people import Person
from accounts.roles import Permission, Role
from core.errors import Forbidden, NotFound
from core.ids import UserId
from web.forms import PageForm, Wrong, blank, do_once, sent
from web.gate import add, person_of
from web.pages.credentials import confirm
from web.pages.people_forms import ROLES, CloseForm, FactorsForm, InviteForm, OpenForm, RolesForm
from web.pages.site import SITE
from web.services import SERVICES

F = TypeVar("F", bound=PageForm)
Detail = Mapping[str, str] | None
Change = Callable[[AsyncSession, Person, F], Awaitable[Detail]]
"""What is done to somebody, as they are now; gives what the audit keeps of it."""

FORMS: Final[Mapping[str, type[PageForm]]] = {
    "roles": RolesForm,
    "factors": FactorsForm,
    "closing": CloseForm,
    "opening": OpenForm,
}


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

    try:
        if form.validate():
            await confirm(request, form)
            await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
    if form.wrong:
        form.forget_secrets("password")
        return request.app[SITE].show(request, "people/invite.html", status=422, form=form)
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
    return await _show(request, await _staff(request))


async def set_roles(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/{id}/roles`. An admin cannot stop being one: another has to do it."""
    services, admin = request.app[SERVICES], person_of(request)

    async def change(db: AsyncSession, person: Person, form: RolesForm) -> Detail:
        roles = frozenset(Role(value) for value in form.roles.data or [])
        now = services.now()
        if Role.ADMIN not in roles:
            if person.id == admin.id:
                raise Wrong("roles", "people.not_yourself")
            await invitations.revoke_all(db, by=person.id, now=now)
        elif Role.ADMIN not in person.roles:
            await admins.tell_of_new(db, but={person.id, admin.id}, now=now)
        await people.set_roles(db, user=person.id, roles=roles)
        await notices.post(db, user=person.id, kind="staff_roles", now=now)
        return {"before": " ".join(sorted(person.roles)), "after": " ".join(sorted(roles))}

    return await _change(request, RolesForm, change, tag="staff:roles", done="saved")


async def close(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/{id}/close`: nobody logs in to it any more, from this moment."""
    services, admin = request.app[SERVICES], person_of(request)

    async def change(db: AsyncSession, person: Person, form: CloseForm) -> Detail:
        if person.id == admin.id:
            raise Wrong("reason", "people.not_yourself")
        await closing.close(db, user=person.id, now=services.now())
        return {"reason": str(form.reason.data)}

    return await _change(request, CloseForm, change, tag="staff:close", done="closed")


async def reopen(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/{id}/open`."""
    services = request.app[SERVICES]

    async def change(db: AsyncSession, person: Person, _form: OpenForm) -> Detail:
        await people.disable(db, user=person.id, at=None)
        await notices.post(db, user=person.id, kind="staff_opened", now=services.now())
        return None

    return await _change(request, OpenForm, change, tag="staff:open", done="opened")


async def reset_factors(request: http.Request) -> http.Response:
    """Answer `POST /admin/people/{id}/factors`: a lost second step is set up anew at the next login.

    Nobody does it to themselves: that would take the last factor away from whoever is logged in here.
    """
    services, admin = request.app[SERVICES], person_of(request)

    async def change(db: AsyncSession, person: Person, _form: FactorsForm) -> Detail:
        if person.id == admin.id:
            raise Wrong("password", "people.not_yourself")
        await totp.remove(db, user=person.id)
        for passkey in await passkeys.every(db, user=person.id):
            await passkeys.remove(db, user=person.id, passkey=passkey.id)
        await logins.end_all(db, user=person.id)
        await notices.post(db, user=person.id, kind="staff_factors", now=services.now())
        return None

    return await _change(request, FactorsForm, change, tag="staff:factors", done="factors")


async def _change(
    request: http.Request, kind: type[F], change: Change[F], *, tag: str, done: str
) -> http.Response:
    """Do something to a staff member, once the admin has proved again who they are."""
    services, admin, shown = request.app[SERVICES], person_of(request), await _staff(request)
    form = await sent(request, kind)

    async def act(db: AsyncSession) -> str:
        person = await _hold(db, admin, shown)
        detail = await change(db, person, form)
        await admins.require_one(db)
        await services.audit.append(
            db, tag=tag, actor=admin.id, subject=person.id, detail=detail, now=services.now()
        )
        return f"/admin/people/{person.id}?done={done}"

    try:
        if form.validate():
            await confirm(request, form)
            return await do_once(request, form, act)
    except Wrong as error:
        form.say_wrong(error)
    form.forget_secrets("password")
    return await _show(request, shown, form, status=422)


async def _hold(db: AsyncSession, admin: Person, person: Person) -> Person:
    """Have both to oneself until the commit; gives the person as they are now.

    Of two admins who close each other at once, the second finds out here that they are none any more.
    """
    await people.hold(db, users=[admin.id, person.id])
    if not (await people.get(db, user=admin.id)).may(Permission.CHANGE_PEOPLE):
        raise Forbidden("This is not open to you.")
    return await _staff_of(db, person.id)


async def _staff(request: http.Request) -> Person:
    """Find the staff member of this address."""
    async with request.app[SERVICES].database.sessions() as db:
        return await _staff_of(db, UserId(request.match_info["id"]))


async def _staff_of(db: AsyncSession, user: UserId) -> Person:
    """Find a staff member; a client is not found here."""
    person = await people.get(db, user=user)
    if not person.is_staff or person.is_leaving:
        raise NotFound("There is no such person.")
    return person


async def _show(
    request: http.Request, person: Person, form: PageForm | None = None, *, status: int = 200
) -> http.Response:
    """Show somebody; ``form`` is one that was sent and does not fit, shown in its place."""
    services = request.app[SERVICES]
    async with services.database.sessions() as db:
        devices = await logins.of(db, user=person.id, now=services.now())
        has_totp = await totp.since(db, user=person.id) is not None
        keys = await passkeys.count(db, user=person.id)
    forms = {name: form if isinstance(form, kind) else blank(request, kind) for name, kind in FORMS.items()}
    if not isinstance(form, RolesForm):
        forms["roles"] = blank(request, RolesForm, roles=[role.value for role in person.roles])
    return request.app[SITE].show(
        request,
        "people/one.html",
        status=status,
        one=person,
        forms=forms,
        is_me=person.id == person_of(request).id,
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
