from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

import pyotp
import pytest

from accounts import closing, invitations, login_names, logins, notices, passkeys, people, totp
from accounts.auth_tables import PasskeyRow
from accounts.people import Person
from accounts.roles import Permission, Role
from core.ids import UserId, new_id
from tests.fakes import FakeClock
from tests.web import browsing
from tests.web.conftest import Client
from tests.web.people import log_in, make
from web.services import Services

HIDDEN = re.compile(r'name="(csrf|once)" value="([^"]*)"')
PASSWORD = "kopi susu hangat di teras"


async def page(client: Client, path: str) -> str:
    async with client.get(path) as answer:
        assert answer.status == 200, path
        return await answer.text()


async def send(client: Client, path: str, shown: str, **fields: object) -> tuple[int, str]:
    """Send a form with the hidden numbers of the page that showed it; gives the status and the page."""
    numbers = dict(HIDDEN.findall(shown)) | {"password": PASSWORD}
    async with client.post(path, data={**numbers, **fields}, allow_redirects=False) as answer:
        return answer.status, answer.headers.get("Location", "") or await answer.text()


async def new_admin(client: Client, services: Services, name: str = "Ratih") -> Person:
    person = await make(client, Role.ADMIN, name=name)
    hashed = await services.passwords.hash(PASSWORD)
    async with services.database.sessions.begin() as db:
        await login_names.keep(db, user=person.id, login=name.lower(), hashed=hashed, now=services.now())
    return person


async def admin(client: Client, services: Services) -> Person:
    person = await new_admin(client, services)
    await log_in(client, person)
    return person


async def tags(services: Services) -> list[str]:
    async with services.database.sessions() as db:
        return await services.audit.tags(db)


async def told(services: Services, person: Person) -> list[str]:
    async with services.database.sessions() as db:
        return [notice.kind for notice in await notices.inbox(db, user=person.id)]


async def now_is(services: Services, user: UserId) -> Person:
    async with services.database.sessions() as db:
        return await people.get(db, user=user)


async def with_role(services: Services, role: Role) -> list[Person]:
    async with services.database.sessions() as db:
        return await people.with_role(db, role=role)


async def give_passkey(services: Services, user: UserId) -> None:
    async with services.database.sessions.begin() as db:
        row = PasskeyRow(
            id=new_id("w"),
            user_id=user,
            credential_id=user,
            public_key=b"",
            sign_count=0,
            label="x",
            created_at=services.now(),
            used_at=None,
        )
        db.add(row)


async def test_an_invitation_gives_one_link_however_often_the_form_is_sent(
    client: Client, services: Services
) -> None:
    await admin(client, services)
    shown = await page(client, "/admin/people/invite")
    answers = [
        await send(client, "/admin/people/invite", shown, note="Bu Sari", roles="counselor") for _ in range(2)
    ]
    links = {re.search(r"/invitation#[^<]+", text).group() for _, text in answers}  # type: ignore[union-attr]  # it is there
    assert [status for status, _ in answers] == [200, 200]
    assert len(links) == 1
    async with services.database.sessions() as db:
        made = await invitations.every(db)
        assert [one.roles for one in made] == [{Role.COUNSELOR}]
        found = await invitations.find(
            db, services.codes, typed=links.pop().partition("#")[2], now=services.now()
        )
    assert found == made[0]
    listed = await page(client, "/admin/people")
    assert "Bu Sari" in listed
    assert "invitation#" not in listed


async def test_what_was_typed_stays_when_something_is_missing(client: Client, services: Services) -> None:
    await admin(client, services)
    shown = await page(client, "/admin/people/invite")
    status, text = await send(client, "/admin/people/invite", shown, note="Bu <Sari>")
    assert status == 422
    assert 'value="Bu &lt;Sari&gt;"' in text
    assert "Pilih sedikitnya satu peran" in text
    assert PASSWORD not in text


async def test_a_closed_account_is_logged_out_at_once(client: Client, services: Services) -> None:
    me = await admin(client, services)
    other = await make(client, Role.ADMIN, name="Bima")
    async with services.database.sessions.begin() as db:
        await logins.open_login(
            db,
            person=other,
            token="t" * 40,
            stage=logins.Stage.FULL,
            device="x",
            own_phone=False,
            now=services.now(),
        )
        await invitations.create(
            db, services.codes, roles=[Role.ADMIN], note="", by=other.id, once="x", now=services.now()
        )
    path = f"/admin/people/{other.id}"
    shown = await page(client, path)
    status, text = await send(client, f"{path}/close", shown, reason="")
    assert status == 422
    assert 'id="reason-wrong"' in text
    assert (await send(client, f"{path}/close", shown, reason="left us"))[0] == 303
    async with services.database.sessions() as db:
        assert await logins.of(db, user=other.id, now=services.now()) == []
        assert [one.revoked_at for one in await invitations.every(db)] == [services.now()]
    assert (await now_is(services, other.id)).disabled_at is not None
    assert (await send(client, f"{path}/open", await page(client, path)))[0] == 303
    assert (await now_is(services, other.id)).disabled_at is None
    assert {"staff:close", "staff:open"} <= set(await tags(services))
    assert await told(services, other) == ["staff_opened"]
    assert await told(services, me) == []


async def test_who_is_an_admin_no_more_has_no_open_invitation(client: Client, services: Services) -> None:
    await admin(client, services)
    other = await make(client, Role.ADMIN, name="Bima")
    async with services.database.sessions.begin() as db:
        await invitations.create(
            db, services.codes, roles=[Role.ADMIN], note="", by=other.id, once="x", now=services.now()
        )
    path = f"/admin/people/{other.id}"
    assert (await send(client, f"{path}/roles", await page(client, path), roles="counselor"))[0] == 303
    async with services.database.sessions() as db:
        assert [one.revoked_at for one in await invitations.every(db)] == [services.now()]
    assert await told(services, other) == ["staff_roles"]


async def test_an_admin_cannot_lock_the_last_door_from_inside(client: Client, services: Services) -> None:
    me = await admin(client, services)
    await give_passkey(services, me.id)
    path = f"/admin/people/{me.id}"
    shown = await page(client, path)
    for act, fields in (("roles", {"roles": "counselor"}), ("close", {"reason": "tired"}), ("factors", {})):
        assert (await send(client, f"{path}/{act}", shown, **fields))[0] == 422, act
    async with services.database.sessions() as db:
        assert await passkeys.count(db, user=me.id) == 1
    assert (await now_is(services, me.id)).may(Permission.CHANGE_PEOPLE)


async def test_a_reset_second_step_is_told_to_whose_it_was(client: Client, services: Services) -> None:
    await admin(client, services)
    other = await make(client, Role.COUNSELOR, name="Bima")
    await give_passkey(services, other.id)
    path = f"/admin/people/{other.id}"
    assert (await send(client, f"{path}/factors", await page(client, path)))[0] == 303
    async with services.database.sessions() as db:
        assert await passkeys.count(db, user=other.id) == 0
    assert await told(services, other) == ["staff_factors"]


async def test_the_other_admins_hear_of_a_new_one(client: Client, services: Services) -> None:
    me = await admin(client, services)
    third = await make(client, Role.ADMIN, name="Wayan")
    other = await make(client, Role.COUNSELOR, name="Bima")
    path = f"/admin/people/{other.id}"
    for _ in range(2):  # who is one already is not made one
        sent = await send(client, f"{path}/roles", await page(client, path), roles="admin")
        assert sent == (303, f"{path}?done=saved")
    assert await told(services, third) == ["admin_new"]
    assert await told(services, me) == []
    assert await told(services, other) == ["staff_roles"] * 2


@pytest.mark.parametrize(("role", "heard"), [(Role.ADMIN, ["admin_new"]), (Role.OFFICER, [])])
async def test_admins_hear_when_an_invitation_makes_another(
    client: Client, services: Services, role: Role, heard: list[str]
) -> None:
    me = await make(client, Role.ADMIN, name="Ratih")
    async with services.database.sessions.begin() as db:
        _, code = await invitations.create(
            db, services.codes, roles=[role], note="", by=me.id, once="x", now=services.now()
        )
    opened = await browsing.send(client, "/invitation", code=code)
    fields = {"name": "Bima Sakti", "login": "bima", "password": PASSWORD, "again": PASSWORD}
    joined = await browsing.post(client, "/invitation/join", opened.form("/invitation/join") | fields)
    assert joined.location == "/staff/enrol"
    assert await told(services, me) == heard
    (new,) = [one for one in await with_role(services, role) if one.id != me.id]
    assert await told(services, new) == []


@pytest.mark.parametrize("password", ["", "salah sekali ini"])
async def test_nothing_grave_is_done_without_the_admins_own_password(
    client: Client, services: Services, password: str
) -> None:
    await admin(client, services)
    other = await make(client, Role.COUNSELOR, name="Bima")
    closed = await make(client, Role.COUNSELOR, name="Sari")
    await give_passkey(services, other.id)
    async with services.database.sessions.begin() as db:
        await people.disable(db, user=closed.id, at=services.now())
    path, again = f"/admin/people/{other.id}", f"/admin/people/{closed.id}"
    tried: list[tuple[str, str, dict[str, Any], str]] = [
        ("/admin/people/invite", "/admin/people/invite", {"note": "x", "roles": "admin"}, "password"),
        (path, f"{path}/roles", {"roles": "admin"}, "password"),
        (path, f"{path}/close", {"reason": "x"}, "close_password"),
        (path, f"{path}/factors", {}, "factors_password"),
        (again, f"{again}/open", {}, "open_password"),
    ]
    for where, act, fields, element in tried:
        status, text = await send(client, act, await page(client, where), password=password, **fields)
        assert status == 422, act
        assert f'id="{element}-wrong"' in text, act
        ids = re.findall(r' id="([^"]+)"', text)
        assert len(ids) == len(set(ids)), act
    async with services.database.sessions() as db:
        assert await invitations.every(db) == []
        assert await passkeys.count(db, user=other.id) == 1
        assert await people.get(db, user=other.id) == other
    assert (await now_is(services, closed.id)).disabled_at is not None
    assert await tags(services) == []


@dataclass
class Meeting:
    """Has two wait for one another, and goes on when the other does not come."""

    wanted: int = 2
    here: int = 0
    met: asyncio.Event = field(default_factory=asyncio.Event)

    def before(self, act: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        async def waits(*args: Any, **kwargs: Any) -> None:
            await act(*args, **kwargs)
            self.here += 1
            if self.here == self.wanted:
                self.met.set()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.met.wait(), 0.5)

        return waits


@pytest.mark.parametrize("act", ["close", "roles"])
async def test_of_two_admins_who_end_each_other_at_once_one_stays(
    client: Client, services: Services, monkeypatch: pytest.MonkeyPatch, act: str
) -> None:
    one, other = await new_admin(client, services), await new_admin(client, services, "Wayan")
    forms = []
    for me, them in ((one, other), (other, one)):
        token = await log_in(client, me)
        path = f"/admin/people/{them.id}"
        numbers = dict(HIDDEN.findall(await page(client, path)))
        fields = {"password": PASSWORD, "reason": "x", "roles": "counselor"}
        forms.append((f"{path}/{act}", numbers | fields, f"teduh_login={token}"))
    client.session.cookie_jar.clear()
    meeting = Meeting()
    monkeypatch.setattr(closing, "close", meeting.before(closing.close))
    monkeypatch.setattr(people, "set_roles", meeting.before(people.set_roles))

    async def post(path: str, fields: dict[str, str], cookie: str) -> int:
        async with client.post(
            path, data=fields, headers={"Cookie": cookie}, allow_redirects=False
        ) as answer:
            return answer.status

    assert sorted(await asyncio.gather(*(post(*form) for form in forms))) == [303, 403]
    assert len(await with_role(services, Role.ADMIN)) == 1


async def test_of_two_factors_removed_at_once_one_stays(
    client: Client, services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    me = await admin(client, services)
    await give_passkey(services, me.id)
    secret = totp.new_secret(services.codes, user=me.id, once="x")
    async with services.database.sessions.begin() as db:
        code = str(pyotp.TOTP(secret).at(clock.now()))
        assert await services.totps.keep(db, user=me.id, secret=secret, code=code, now=clock.now())
        (passkey,) = await passkeys.every(db, user=me.id)
    meeting = Meeting()
    monkeypatch.setattr(totp, "remove", meeting.before(totp.remove))
    monkeypatch.setattr(passkeys, "remove", meeting.before(passkeys.remove))
    path = "/me/credentials/remove"
    pages = {factor: await page(client, f"{path}?factor={factor}") for factor in ("app", passkey.id)}
    answers = await asyncio.gather(
        *(send(client, path, shown, factor=factor) for factor, shown in pages.items())
    )
    assert sorted(status for status, _ in answers) == [303, 422]
    async with services.database.sessions() as db:
        left = await passkeys.count(db, user=me.id) + (await totp.since(db, user=me.id) is not None)
    assert left == 1
    assert await told(services, me) == ["credentials_changed"]


async def test_new_backup_codes_are_told(client: Client, services: Services) -> None:
    me = await admin(client, services)
    path = "/me/credentials/backup"
    assert (await send(client, path, await page(client, path)))[0] == 200
    assert await told(services, me) == ["credentials_changed"]


async def test_clients_are_counted_and_never_shown(client: Client, services: Services) -> None:
    await admin(client, services)
    someone = await make(client, name="Kabut Pagi")
    shown = await page(client, "/admin/people")
    assert "ada 1 akun klien" in shown
    assert "Kabut Pagi" not in shown
    async with client.get(f"/admin/people/{someone.id}") as answer:
        assert answer.status == 404
