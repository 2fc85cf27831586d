"""Who knows a name and no more keeps nobody out of a browser that its owner has logged in with."""

from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, select

from accounts.auth_tables import TryRow
from accounts.turns import Asker
from tests.fakes import FakeClock
from tests.web.browsing import get, post
from tests.web.conftest import Client
from tests.web.people import log_out
from tests.web.test_askers import until_waiting
from tests.web.test_staff_login import OTHER, PASSWORD, enrolled, first_step, whole
from web.services import SERVICES

COOKIE = "teduh_known"


def cookie(client: Client) -> str:
    return next(one.value for one in client.session.cookie_jar if one.key == COOKIE)


def bring(client: Client, cookies: dict[str, str]) -> None:
    client.session.cookie_jar.update_cookies(cookies, client.make_url("/"))


async def lock(client: Client, login: str) -> None:
    """Try a name until it is refused, from a browser that nobody knows."""
    await log_out(client)
    fields = (await get(client, "/staff/login")).form("/staff/login")
    wrong = fields | {"login": login, "password": "salah salah"}
    for _ in range(10):
        assert "does not fit" in (await post(client, "/staff/login", wrong)).text
    assert "too often" in (await post(client, "/staff/login", wrong | {"password": PASSWORD})).text


async def test_a_known_browser_is_let_in_while_its_name_is_tried_elsewhere(
    client: Client, clock: FakeClock
) -> None:
    staff = await enrolled(client, clock)
    await whole(client, clock, staff)
    known = cookie(client)
    await lock(client, staff.login)
    bring(client, {COOKIE: known})
    clock.advance(60)
    await whole(client, clock, staff)


async def test_in_a_known_browser_tries_end_too(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    await whole(client, clock, staff)
    known = cookie(client)
    await log_out(client)
    bring(client, {COOKIE: known})
    for _ in range(10):
        assert "does not fit" in (await first_step(client, staff.login, "salah salah")).text
    assert "too often" in (await first_step(client, staff.login)).text
    await log_out(client)
    assert (await first_step(client, staff.login)).location == "/staff/factor"


@pytest.mark.parametrize(
    "forged",
    ["", ".", "x", "é" * 22, "a" * 22, "a" * 22 + "." + "0" * 32, "a" * 22 + "." + "é" * 32, "." * 500],
)
async def test_nobody_makes_a_browser_known(client: Client, clock: FakeClock, forged: str) -> None:
    staff = await enrolled(client, clock)
    await lock(client, staff.login)
    cookies = {"Cookie": f"{COOKIE}={forged}"}
    fields = (await get(client, "/staff/login")).form("/staff/login")
    right = fields | {"login": staff.login, "password": PASSWORD}
    assert "too often" in (await post(client, "/staff/login", right, **cookies)).text


async def test_one_browser_knows_several_people_and_nobody_by_anothers_proof(
    client: Client, clock: FakeClock
) -> None:
    sri = await enrolled(client, clock)
    await whole(client, clock, sri)
    of_sri = cookie(client)
    await log_out(client)
    tri = await enrolled(client, clock, "tri")
    bring(client, {COOKIE: of_sri})
    clock.advance(60)
    await whole(client, clock, tri)
    of_both = cookie(client)
    assert of_both.split(".")[0] == of_sri.split(".")[0]
    for login in ("sri", "tri"):
        await lock(client, login)
        bring(client, {COOKIE: of_both})
        assert (await first_step(client, login)).location == "/staff/factor"
    await log_out(client)
    bring(client, {COOKIE: of_sri})
    assert "too often" in (await first_step(client, "tri")).text


async def test_the_cookie_says_nothing_and_is_out_of_scripts_reach(client: Client, clock: FakeClock) -> None:
    staff = await enrolled(client, clock)
    await first_step(client, staff.login)
    fields = (await get(client, "/staff/factor")).form("/staff/factor") | {"code": staff.code(clock)}
    made = (await post(client, "/staff/factor", fields)).cookies[COOKIE]
    assert "HttpOnly" in made
    assert "SameSite=Lax" in made
    assert "Max-Age=31536000" in made
    assert staff.person.id not in made
    async with client.get("/exit", allow_redirects=False) as answer:
        assert answer.cookies[COOKIE]["max-age"] == "0"


async def test_who_is_logged_in_proves_themselves_while_their_name_is_tried_elsewhere(
    client: Client, clock: FakeClock
) -> None:
    staff = await enrolled(client, clock)
    await whole(client, clock, staff)
    inside = {one.key: one.value for one in client.session.cookie_jar if one.key != COOKIE}
    await lock(client, staff.login)
    bring(client, inside)
    path = "/me/credentials/password"
    fields = (await get(client, path)).form(path) | {"password": PASSWORD, "new": OTHER, "again": OTHER}
    assert (await post(client, path, fields)).location == "/me/credentials?done=password"


@pytest.mark.parametrize(
    ("path", "typed"),
    [
        ("/staff/login", {"login": "nobody", "password": "salah salah"}),
        ("/enter", {"code": "0" * 20, "phone": "own"}),
    ],
)
async def test_a_try_is_written_no_faster_than_argon2_goes(
    client: Client, path: str, typed: dict[str, str]
) -> None:
    services = client.app[SERVICES]

    async def written() -> int:
        async with services.database.sessions() as db:
            return await db.scalar(select(func.count()).select_from(TryRow)) or 0

    fields = (await get(client, path)).form(path) | typed
    line, inside = services.passwords._turns, Asker("inside")
    async with line.turn(inside), line.turn(inside):
        asked = asyncio.create_task(post(client, path, fields))
        await until_waiting(client, 1)
        assert await written() == 0
    assert (await asked).status == 422
    assert await written() == 1
