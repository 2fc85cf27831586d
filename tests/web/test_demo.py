from __future__ import annotations

import re
from pathlib import Path

from pytest_aiohttp.plugin import AiohttpClient

from accounts.roles import Role
from tests.fakes import FakeClock
from tests.web.conftest import Client, FakeEngine, make_config
from web import demo
from web.app import make_app
from web.pages.demo import DEMO
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
