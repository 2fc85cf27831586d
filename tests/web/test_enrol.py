"""The first second factor is the owner's: who only knows the password cannot put another in its place."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

import pyotp

from accounts import logins
from accounts.logins import Stage
from tests.fakes import FakeClock
from tests.web.browsing import Page, get, post
from tests.web.conftest import Client
from tests.web.people import log_in, log_out
from tests.web.test_staff_login import enrol, first_step, secret_in, with_password
from web.services import SERVICES


def cookies(client: Client) -> Mapping[str, str]:
    return {morsel.key: morsel.value for morsel in client.session.cookie_jar}


async def come_with(client: Client, before: Mapping[str, str]) -> None:
    await log_out(client)
    client.session.cookie_jar.update_cookies(before)


def filled(page: Page, clock: FakeClock) -> dict[str, str]:
    code = str(pyotp.TOTP(secret_in(page)).at(clock.now()))
    return page.form("/staff/enrol") | {"code": code}


async def factor_works(client: Client, clock: FakeClock, secret: str) -> bool:
    """Whether the owner's app still opens the account."""
    await log_out(client)
    clock.advance(60)
    await first_step(client)
    page = await get(client, "/staff/factor")
    code = str(pyotp.TOTP(secret).at(clock.now()))
    return (await post(client, "/staff/factor", page.form("/staff/factor") | {"code": code})).status == 303


async def test_a_login_from_before_the_owner_enrolled_opens_nothing_after(
    client: Client, clock: FakeClock
) -> None:
    await with_password(client)
    await first_step(client)
    thief, prepared = cookies(client), filled(await get(client, "/staff/enrol"), clock)
    await log_out(client)
    await first_step(client)
    secret, _ = await enrol(client, clock)
    assert (await get(client, "/admin")).status == 200
    await come_with(client, thief)
    assert (await get(client, "/staff/enrol")).location == "/staff/login"
    assert (await post(client, "/staff/enrol", prepared)).location == "/staff/login"
    assert await factor_works(client, clock, secret)


async def test_a_login_that_was_on_its_way_as_the_owner_enrolled_replaces_nothing(
    client: Client, clock: FakeClock
) -> None:
    person = await with_password(client)
    await first_step(client)
    secret, _ = await enrol(client, clock)
    await log_out(client)
    await log_in(client, person, stage=Stage.ENROL)
    page = await get(client, "/staff/enrol")
    assert (page.status, page.location) == (303, "/staff/login")
    form = (await get(client, "/staff/login")).form("/staff/login")
    numbers = {name: form[name] for name in ("csrf", "once")}
    for path in ("/staff/enrol", "/staff/enrol/passkey"):
        page = await post(client, path, numbers | {"code": "000000", "credential": "{}"})
        assert (page.status, page.location) == (303, "/staff/login"), path
    assert await factor_works(client, clock, secret)


async def test_of_two_who_enrol_at_once_one_has_the_account(client: Client, clock: FakeClock) -> None:
    person = await with_password(client)
    both = []
    for _ in range(2):
        await log_out(client)
        await first_step(client)
        both.append((cookies(client), filled(await get(client, "/staff/enrol"), clock)))
    headers = ["; ".join(f"{name}={value}" for name, value in jar.items()) for jar, _ in both]
    await log_out(client)
    answers = await asyncio.gather(
        *(
            post(client, "/staff/enrol", fields, Cookie=header)
            for header, (_, fields) in zip(headers, both, strict=True)
        )
    )
    assert sorted(page.status for page in answers) == [200, 303]
    services = client.app[SERVICES]
    async with services.database.sessions() as db:
        (left,) = await logins.of(db, user=person.id, now=services.now())
    assert left.stage is Stage.FULL
