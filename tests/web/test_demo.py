from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import delete

from accounts import login_names, logins, people
from accounts.roles import Role
from accounts.tables import UserRow
from core.config import Config
from counseling import desks, register
from tests.fakes import FakeClock
from tests.web.conftest import Client, FakeEngine, make_config
from tests.web.people import make
from web import demo
from web.app import make_app
from web.pages.demo import DEMO
from web.register import REGISTER
from web.services import SERVICES, Services

HIDDEN = re.compile(r'name="(csrf|once)" value="([^"]*)"')
HOMES = {
    "sekar": "/home",
    "bima": "/counselor",
    "ratih": "/supervisor",
    "wayan": "/officer",
    "dewi": "/admin",
}


async def demo_client(aiohttp_client: AiohttpClient, folder: Path, clock: FakeClock, url: str) -> Client:
    config = make_config(folder, public_url=url)
    return await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))


async def test_one_tap_makes_each_of_them(
    aiohttp_client: AiohttpClient, tmp_path: Path, clock: FakeClock
) -> None:
    client = await demo_client(aiohttp_client, tmp_path, clock, "")
    client.app[DEMO].extend(await demo.make_people(client.app[SERVICES]))
    for login, home in HOMES.items():
        async with client.get("/demo") as answer:
            numbers = dict(HIDDEN.findall(await answer.text()))
        async with client.post(f"/demo/{login}", data=numbers, allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, home)
            assert "teduh_login=" in answer.headers["Set-Cookie"]
        async with client.get(home) as answer:
            assert answer.status == 200, home


async def test_they_are_made_once_and_keep_their_secrets(client: Client, services: Services) -> None:
    first, again = await demo.make_people(services), await demo.make_people(services)
    assert first == again
    assert {one.role for one in first} == set(Role)
    assert len({one.secret for one in first}) == len(first)


async def test_a_lan_has_no_admin_and_the_public_nobody(
    aiohttp_client: AiohttpClient, tmp_path: Path, clock: FakeClock
) -> None:
    lan = await demo_client(aiohttp_client, tmp_path / "lan", clock, "http://192.168.1.4:8080")
    assert {one.role for one in await demo.make_people(lan.app[SERVICES])} == set(Role) - {Role.ADMIN}
    public = await demo_client(aiohttp_client, tmp_path / "public", clock, "https://teduh.example.org")
    assert await demo.make_people(public.app[SERVICES]) == []


async def start(client: Client, config: Config, *, demo_too: bool) -> dict[str, demo.DemoPerson]:
    """Start the server's data again with other settings, as `serve` does; gives who was told."""
    services = dataclasses.replace(client.app[SERVICES], config=config)
    await demo.settle(services, demo=demo_too)
    return {one.login: one for one in (await demo.make_people(services) if demo_too else [])}


async def open_ones(client: Client) -> set[str]:
    """Name the people of the demo who can log in, each by a login that is tried."""
    services, found = client.app[SERVICES], set()
    async with services.database.sessions.begin() as db:
        for login in HOMES:
            person = await demo.find(services, db, login=login)
            if person is None:
                continue
            token = logins.new_token()
            await logins.open_login(
                db,
                person=person,
                token=token,
                stage=logins.Stage.FULL,
                device="x",
                own_phone=False,
                now=services.now(),
            )
            if await logins.find(db, token=token, now=services.now()) is not None:
                found.add(login)
    return found


@pytest.mark.parametrize(
    ("url", "demo_too", "left"),
    [
        ("", True, set(HOMES)),
        ("", False, set()),
        ("http://192.168.1.4:8080", True, set(HOMES) - {"dewi"}),
        ("http://192.168.1.4:8080", False, set()),
        ("https://teduh.example.org", True, set()),
        ("https://teduh.example.org", False, set()),
    ],
)
async def test_whom_the_demo_made_is_closed_where_others_come(
    client: Client, config: Config, url: str, demo_too: bool, left: set[str]
) -> None:
    services = client.app[SERVICES]
    first = await start(client, config, demo_too=True)
    assert await open_ones(client) == set(HOMES)
    async with services.database.sessions.begin() as db:
        dewi = await demo.find(services, db, login="dewi")
        assert dewi is not None
        hashed = await services.passwords.hash("another one than what was printed")
        await login_names.change(db, user=dewi.id, hashed=hashed, now=services.now())
    real = await make(client, Role.ADMIN, name="Dewi")
    there = dataclasses.replace(config, public_url=url or config.public_url)
    told = await start(client, there, demo_too=demo_too)
    assert set(told) == (left if demo_too else set())
    async with services.database.sessions() as db:
        for login in set(HOMES) - left:
            person = await demo.find(services, db, login=login)
            assert person is not None
            assert await logins.of(db, user=person.id, now=services.now()) == []
        assert (await people.get(db, user=real.id)).disabled_at is None
    assert await open_ones(client) == left
    assert await start(client, config, demo_too=True) == first
    assert await open_ones(client) == set(HOMES)


async def test_who_was_made_an_admin_in_the_demo_is_closed_on_a_lan_too(
    client: Client, config: Config
) -> None:
    services = client.app[SERVICES]
    await start(client, config, demo_too=True)
    async with services.database.sessions.begin() as db:
        bima = await demo.find(services, db, login="bima")
        assert bima is not None
        await people.set_roles(db, user=bima.id, roles=[Role.COUNSELOR, Role.ADMIN])
    lan = dataclasses.replace(config, public_url="http://192.168.1.4:8080")
    told = await start(client, lan, demo_too=True)
    assert set(told) == await open_ones(client) == set(HOMES) - {"dewi", "bima"}


async def test_who_only_has_such_a_login_name_is_left_alone(client: Client, config: Config) -> None:
    services = client.app[SERVICES]
    real = await make(client, Role.ADMIN, name="Dewi")
    hashed = await services.passwords.hash("kopi susu hangat di teras")
    async with services.database.sessions.begin() as db:
        await login_names.keep(db, user=real.id, login="Dewi", hashed=hashed, now=services.now())
    assert "dewi" not in await start(client, config, demo_too=True)
    assert "dewi" not in await open_ones(client)
    await start(client, config, demo_too=False)
    async with services.database.sessions() as db:
        assert (await people.get(db, user=real.id)).disabled_at is None


async def test_whom_an_older_demo_made_is_known_by_the_printed_password(
    client: Client, config: Config
) -> None:
    services = client.app[SERVICES]
    printed = (await start(client, config, demo_too=True))["dewi"].secret
    old = await make(client, Role.ADMIN, name="Dewi")
    hashed = await services.passwords.hash(printed)
    async with services.database.sessions.begin() as db:
        new = await demo.find(services, db, login="dewi")
        assert new is not None
        await db.execute(delete(UserRow).where(UserRow.id == new.id))
        await login_names.keep(db, user=old.id, login="dewi", hashed=hashed, now=services.now())
    await start(client, config, demo_too=False)
    async with services.database.sessions() as db:
        assert (await people.get(db, user=old.id)).disabled_at is not None


async def test_without_the_demo_there_is_no_such_page(client: Client) -> None:
    async with client.get("/demo") as answer:
        assert answer.status == 404
    async with client.post("/demo/dewi") as answer:
        assert answer.status == 404


async def test_nobody_comes_to_it_through_a_proxy_or_a_lan(
    aiohttp_client: AiohttpClient, tmp_path: Path, clock: FakeClock
) -> None:
    client = await demo_client(aiohttp_client, tmp_path / "a", clock, "")
    client.app[DEMO].extend(await demo.make_people(client.app[SERVICES]))
    async with client.get("/demo", headers={"X-Forwarded-For": "203.0.113.7"}) as answer:
        assert answer.status == 404
    lan = await demo_client(aiohttp_client, tmp_path / "b", clock, "http://192.168.1.4:8080")
    lan.app[DEMO].extend(await demo.make_people(lan.app[SERVICES]))
    async with lan.get("/demo") as answer:
        assert answer.status == 404


async def test_clients_can_be_sent_to_the_invented_counselor_who_says_what_he_is(
    client: Client, config: Config, clock: FakeClock
) -> None:
    services = client.app[SERVICES]
    credentials = client.app[REGISTER].credentials
    await start(client, config, demo_too=True)
    clock.advance(400 * 86_400)
    await start(client, config, demo_too=True)
    async with services.database.sessions.begin() as db:
        bima = await demo.find(services, db, login="bima")
        assert bima is not None
        await desks.open_desk(db, services.audit, counselor=bima.id, now=clock.now())
        today = client.app[REGISTER].today(clock.now())
        assert await desks.open_desks(db, credentials, today=today, now=clock.now()) == [bima.id]
    async with client.get(f"/counselors/{bima.id}") as answer:
        assert "bukan orang sungguhan" in await answer.text()
    await start(client, config, demo_too=False)
    async with services.database.sessions() as db:
        assert await register.find(db, user=bima.id) is None
        desk = await desks.find(db, counselor=bima.id)
        assert desk is not None
        assert desk.open_since is None
    async with client.get(f"/counselors/{bima.id}") as answer:
        assert answer.status == 404
