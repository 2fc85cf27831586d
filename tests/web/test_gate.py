from __future__ import annotations

import pytest
from aiohttp import web as http

from accounts.logins import Stage
from accounts.roles import PERMITTED, Permission, Role, may
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make
from web.gate import PERMISSIONS, unguarded

SAMPLES = {"digest": "x", "path": "y", "participant": "p_x", "language": "id", "id": "s_x"}


def routes(client: Client) -> list[tuple[str, str, Permission]]:
    """Every route with its method and permission, its places filled with something that is not there."""
    app = client.app
    assert app is not None
    found = []
    for (method, canonical), permission in app[PERMISSIONS].items():
        parts = [SAMPLES.get(part.strip("{}"), "x") if "{" in part else part for part in canonical.split("/")]
        found.append((method, "/".join(parts), permission))
    return found


async def test_no_route_is_without_a_permission(client: Client) -> None:
    assert client.app is not None
    assert unguarded(client.app) == []


def test_every_permission_stands_in_the_table_once() -> None:
    assert set(PERMITTED) == set(Permission)


@pytest.mark.parametrize("role", list(Role))
async def test_a_role_reaches_its_own_routes_and_no_others(client: Client, role: Role) -> None:
    person = await make(client, role)
    for method, path, permission in routes(client):
        if PERMITTED[permission] is None:
            continue
        await log_out(client)
        await log_in(client, person)
        async with client.request(method, path, allow_redirects=False) as answer:
            if may({role}, permission):
                assert answer.status != 401, (method, path)
            else:
                assert answer.status in {403, 404}, (method, path, answer.status)


async def test_nobody_is_shown_the_way_to_log_in(client: Client) -> None:
    for method, path, permission in routes(client):
        if PERMITTED[permission] is None:
            continue
        async with client.request(method, path, allow_redirects=False) as answer:
            assert answer.status in {303, 401}, (method, path)
            if answer.status == 303:
                assert answer.headers["Location"] in {"/enter", "/staff/login"}


async def test_a_login_without_its_second_factor_opens_nothing(client: Client) -> None:
    person = await make(client, Role.ADMIN)
    for stage in (Stage.FACTOR, Stage.ENROL):
        await log_in(client, person, stage=stage)
        async with client.get("/admin", allow_redirects=False) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/staff/login")


async def test_a_page_of_another_site_can_send_nothing(client: Client) -> None:
    person = await make(client)
    await log_in(client, person)
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        async with client.post("/exit", headers=headers) as answer:
            assert answer.status == 403
    async with client.get("/home") as answer:
        assert answer.status == 200


async def test_a_login_rests_no_longer_than_its_phone_allows(client: Client, clock: FakeClock) -> None:
    person = await make(client)
    await log_in(client, person, own_phone=False)
    clock.advance(14 * 60)
    async with client.get("/home") as answer:
        assert answer.status == 200
    clock.advance(14 * 60)
    async with client.get("/home") as answer:
        assert answer.status == 200, "a sign of life begins the rest anew"
    clock.advance(16 * 60)
    async with client.get("/home", allow_redirects=False) as answer:
        assert answer.status == 303


async def test_the_quick_exit_ends_the_login_and_has_the_browser_forget(client: Client) -> None:
    person = await make(client)
    token = await log_in(client, person)
    async with client.get("/exit", allow_redirects=False) as answer:
        assert answer.status == 303
        assert answer.headers["Location"] == "https://www.bmkg.go.id/"
        assert '"cookies"' in answer.headers["Clear-Site-Data"]
        assert answer.headers["Cache-Control"] == "no-store"
    client.session.cookie_jar.update_cookies({"teduh_login": token})
    async with client.get("/home", allow_redirects=False) as answer:
        assert answer.status == 303, "the login is over on the server too"


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Purpose": "prefetch"}])
async def test_a_link_elsewhere_or_a_page_fetched_ahead_logs_nobody_out(
    client: Client, headers: dict[str, str]
) -> None:
    await log_in(client, await make(client))
    async with client.get("/exit", headers=headers, allow_redirects=False) as answer:
        assert answer.status == 303
        assert "Clear-Site-Data" not in answer.headers
        assert "Set-Cookie" not in answer.headers
    async with client.head("/exit", allow_redirects=False) as answer:
        assert answer.status == 303
        assert "Set-Cookie" not in answer.headers
    async with client.get("/home", allow_redirects=False) as answer:
        assert answer.status == 200


async def test_a_route_that_slipped_in_is_found() -> None:
    async def open_door(_request: http.Request) -> http.Response:
        return http.Response(text="open")

    app = http.Application()
    app.router.add_get("/back-door", open_door)
    assert sorted(unguarded(app)) == ["GET /back-door", "HEAD /back-door"]
