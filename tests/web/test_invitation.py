"""Invitations in the pages: the link, the account that it makes, and what does not fit."""

from __future__ import annotations

import re

import pytest

from accounts import invitations, people
from accounts.roles import Role
from tests.fakes import FakeClock
from tests.web.browsing import get, post, send
from tests.web.conftest import Client
from tests.web.people import log_out, make
from tests.web.test_staff_login import PASSWORD, enrol, with_password
from web.services import SERVICES


async def invite(client: Client, *roles: Role) -> str:
    services = client.app[SERVICES]
    by = await make(client, Role.ADMIN)
    async with services.database.sessions.begin() as db:
        _, code = await invitations.create(
            db, services.codes, roles=roles, note="Bima", by=by.id, once="x", now=services.now()
        )
    return code


def joining(code: str, **changed: str) -> dict[str, str]:
    fields = {"name": "Bima Sakti", "login": "bima", "password": PASSWORD, "again": PASSWORD}
    return {"code": code} | fields | changed


async def test_an_invitation_leads_to_an_account_with_its_roles(client: Client, clock: FakeClock) -> None:
    code = await invite(client, Role.COUNSELOR, Role.SUPERVISOR)
    opened = await send(client, "/invitation", code=code.upper())
    assert opened.status == 200
    assert "Supervisor" in opened.text
    fields = opened.form("/invitation/join")
    page = await post(client, "/invitation/join", fields | joining(code))
    assert page.location == "/staff/enrol"
    await enrol(client, clock)
    assert (await get(client, "/counselor")).status == 200
    assert (await get(client, "/admin")).status == 403
    await log_out(client)
    used = await send(client, "/invitation", code=code)
    assert used.status == 422
    assert "does not hold" in used.text


async def test_sent_twice_an_invitation_makes_one_account(client: Client) -> None:
    code = await invite(client, Role.COUNSELOR)
    opened = await send(client, "/invitation", code=code)
    fields = opened.form("/invitation/join") | joining(code)
    first = await post(client, "/invitation/join", fields)
    await log_out(client)
    second = await post(client, "/invitation/join", fields)
    assert [first.location, second.location] == ["/staff/enrol"] * 2
    assert (await get(client, "/staff/enrol")).status == 200
    async with client.app[SERVICES].database.sessions() as db:
        assert len(await people.with_role(db, role=Role.COUNSELOR)) == 1


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("password", "pendek", "Too short"),
        ("password", "password123", "too common"),
        ("password", "bima.sakti", "too much like"),
        ("again", "lain sama sekali", "differ"),
        ("login", "b", "login name has"),
        ("login", "bima sakti", "login name has"),
        ("login", "SRI", "is taken"),
        ("name", "", "not been filled|missing|empty|Fill"),
    ],
)
async def test_what_does_not_fit_is_said_and_the_invitation_still_holds(
    client: Client, field: str, value: str, said: str
) -> None:
    await with_password(client, "sri")
    code = await invite(client, Role.COUNSELOR)
    opened = await send(client, "/invitation", code=code)
    fields = opened.form("/invitation/join")
    page = await post(client, "/invitation/join", fields | joining(code, **{field: value}))
    assert page.status == 422
    assert f'id="{field}-wrong"' in page.text
    assert re.search(said, page.text)
    assert PASSWORD not in page.text
    async with client.app[SERVICES].database.sessions() as db:
        assert await people.with_role(db, role=Role.COUNSELOR) == []
    assert (await post(client, "/invitation/join", fields | joining(code))).location == "/staff/enrol"


async def test_a_wrong_invitation_says_no_more(client: Client) -> None:
    for code in ("", "abc", "0" * 20, "x" * 80):
        assert (await send(client, "/invitation", code=code)).status == 422
