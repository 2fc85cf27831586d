"""Coming in, coming back and working here, in real browsers and both languages."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from pathlib import Path

import pyotp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import at, look, press, shows_code, virtual_key
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.e2e.server import Server

pytestmark = ONE_LOOP

SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), id="phone-id"),
    pytest.param(Shape(DESK, "dark", "en-GB"), id="desk-en"),
]
PASSWORD = "kopi susu hangat di teras"


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server at a name, as passkeys need it, with an admin."""
    server = Server(tmp_path_factory.mktemp("service"))
    server.extra["TEDUH_PUBLIC_URL"] = f"http://localhost:{server.http_port}"
    server.start()
    file = Path(server.data_dir) / "password"
    file.write_text(PASSWORD + "\n")
    server.command("admin", "create", "Dewi Lestari", "dewi", "--password-file", str(file))
    yield server
    server.stop()


async def start(one: Room, service: Server, *, pictured: bool = True) -> None:
    """Make a client's account."""
    await one.page.goto(f"{service.public_url}/start")
    if pictured:
        await look(one, "start")
        await press(one.page, "/start")
        await expect(one.page.locator("#wrong")).to_be_focused()
        await look(one, "start-wrong")
    await one.page.check("input[name=age][value=adult]")
    await one.page.check("input[name=phone][value=own]")
    await press(one.page, "/start")
    await at(one.page, "/home")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_client_comes_back_on_a_new_phone_and_the_old_one_sees_it(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as old, room(blue_browser, shape) as new:
        await start(old, service)
        name = await old.page.locator(".who").inner_text()
        await old.page.goto(f"{service.public_url}/me/recovery")
        await look(old, "recovery")
        await press(old.page, "/me/recovery")
        code = await old.page.locator("#code").inner_text()
        await look(old, "recovery-code")
        assert "teduh" not in (await old.page.title()).lower()
        await old.page.emulate_media(media="print")
        assert (await old.page.inner_text("body")).strip() == code, "the paper names nobody"
        await old.page.emulate_media(media="screen")

        await new.page.goto(f"{service.public_url}/enter")
        await look(new, "enter")
        await new.page.fill("#code", "0000 0000 0000 0000 0000")
        await new.page.check("input[name=phone][value=shared]")
        await press(new.page, "/enter")
        await expect(new.page.locator("#code-wrong")).to_be_visible()
        await look(new, "enter-wrong")
        assert await new.page.input_value("#code") == "0000 0000 0000 0000 0000"
        await new.page.fill("#code", code.lower().replace("-", " "))
        await press(new.page, "/enter")
        await at(new.page, "/home")
        await expect(new.page.locator(".who")).to_have_text(name)
        (cookie,) = await new.page.context.cookies()
        assert cookie["httpOnly"]
        assert cookie["expires"] == -1

        await old.page.goto(f"{service.public_url}/me/devices")
        await expect(old.page.locator("#new-logins")).to_be_visible()
        await look(old, "devices")
        await press(old.page, "/me/devices/end")
        await expect(old.page.locator("[data-login=other]")).to_have_count(0)
        await new.page.reload()
        await at(new.page, "/enter")

        await old.page.goto(f"{service.public_url}/me/name?another")
        await look(old, "name")
        await press(old.page, "/me/name")
        await expect(old.page.locator(".who")).not_to_have_text(name)
        await press(old.page, "/me/logout")
        await old.page.goto(f"{service.public_url}/home")
        await at(old.page, "/enter")


@pytest.mark.parametrize("shape", SHAPES)
async def test_under_18_is_told_kindly_what_there_is(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as one:
        await one.page.goto(f"{service.public_url}/start")
        await one.page.check("input[name=age][value=minor]")
        await one.page.check("input[name=phone][value=own]")
        await press(one.page, "/start")
        await at(one.page, "/start/under-18")
        await look(one, "under-18")
        assert await one.page.context.cookies() == []


async def test_without_script_a_client_starts_and_comes_back(red_browser: Browser, service: Server) -> None:
    context = await red_browser.new_context(java_script_enabled=False, locale="id-ID")
    try:
        page = await context.new_page()
        await page.goto(f"{service.public_url}/start")
        before = await page.locator(".plain-name").inner_text()
        for _ in range(3):
            await page.click("a[href='/start']:visible >> nth=0")
        after = await page.locator(".plain-name").inner_text()
        assert before
        assert after
        await page.check("input[name=age][value=adult]")
        await page.check("input[name=phone][value=own]")
        await press(page, "/start")
        await expect(page.locator(".who")).to_have_text(after)
        await page.goto(f"{service.public_url}/me/recovery")
        await press(page, "/me/recovery")
        code = await page.locator("#code").inner_text()
        await press(page, "/me/logout")
        await page.goto(f"{service.public_url}/enter")
        await page.fill("#code", code)
        await page.check("input[name=phone][value=own]")
        await press(page, "/enter")
        await expect(page.locator(".who")).to_have_text(after)
    finally:
        await context.close()


async def log_in(one: Room, service: Server, login: str) -> None:
    """The first step."""
    await one.page.goto(f"{service.public_url}/staff/login")
    await one.page.fill("#login", login)
    await one.page.fill("#password", PASSWORD)
    await press(one.page, "/staff/login")


async def enrol_app(one: Room) -> tuple[str, str]:
    """Set an app up from the page; gives its secret and a backup code."""
    await at(one.page, "/staff/enrol")
    await look(one, "staff-enrol")
    await one.page.click("summary")
    uri = await one.page.get_attribute("details a", "href")
    assert uri is not None
    await shows_code(one.page, uri)
    secret = (await one.page.locator("details .code").inner_text()).replace(" ", "")
    await one.page.fill("#code", pyotp.TOTP(secret).now())
    await press(one.page, "/staff/enrol")
    backup = await one.page.locator("#codes li").first.inner_text()
    await look(one, "backup-codes")
    await one.page.click("main a.primary")
    return secret, backup


async def test_an_admin_invites_and_the_invited_sets_up_a_second_factor(
    red_browser: Browser, blue_browser: Browser, service: Server
) -> None:
    admin_shape, new_shape = Shape(DESK, "light", "id-ID"), Shape(PHONE, "dark", "en-GB")
    async with room(red_browser, admin_shape) as admin, room(blue_browser, new_shape) as new:
        await admin.page.goto(f"{service.public_url}/staff/login")
        await look(admin, "staff-login")
        await log_in(admin, service, "dewi")
        await enrol_app(admin)
        await at(admin.page, "/admin")
        await admin.page.goto(f"{service.public_url}/admin/people/invite")
        await admin.page.fill("#note", "Bima")
        await admin.page.check("input[name=roles][value=counselor]")
        await admin.page.fill("#password", PASSWORD)
        await admin.page.fill("#password", PASSWORD)
        await press(admin.page, "/admin/people/invite")
        link = await admin.page.locator("#link").inner_text()

        asked: list[str] = []
        new.page.on("request", lambda request: asked.append(request.url))
        await new.page.goto(link)
        await new.page.wait_for_selector("form[action='/invitation/join']")
        code = link.partition("#")[2]
        assert code
        assert not any(code in url for url in asked)
        assert code not in new.page.url
        await look(new, "invitation")
        await new.page.fill("#name", "Bima Sakti")
        await new.page.fill("#login", "Bima")
        await new.page.fill("#password", "password123")
        await new.page.fill("#again", "password123")
        await press(new.page, "/invitation/join")
        await expect(new.page.locator("#password-wrong")).to_be_visible()
        await look(new, "invitation-wrong")
        assert await new.page.input_value("#name") == "Bima Sakti"
        await new.page.fill("#password", PASSWORD)
        await new.page.fill("#again", PASSWORD)
        await press(new.page, "/invitation/join")
        secret, backup = await enrol_app(new)
        await at(new.page, "/counselor")

        await press(new.page, "/me/logout")
        await log_in(new, service, "bima")
        await at(new.page, "/staff/factor")
        await look(new, "staff-factor")
        await new.page.fill("#code", backup)
        await press(new.page, "/staff/factor")
        await at(new.page, "/counselor")
        await press(new.page, "/me/logout")
        await log_in(new, service, "bima")
        await new.page.fill("#code", str(pyotp.TOTP(secret).at(time.time() + 30)))
        await press(new.page, "/staff/factor")
        await at(new.page, "/counselor")
    assert code not in service.log()
    assert code.replace("-", "").lower() not in service.log()


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_passkey_is_made_and_opens_and_can_be_taken_away(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    login = f"ratih.{shape.locale[:2]}"
    file = Path(service.data_dir) / "password"
    service.command("admin", "create", "Ratih", login, "--password-file", str(file))
    async with room(red_browser, shape) as one:
        await virtual_key(one.page)
        await log_in(one, service, login)
        await one.page.click("[data-passkey=make]")
        await expect(one.page.locator("#codes li")).to_have_count(10)
        await one.page.click("main a.primary")
        await at(one.page, "/admin")
        await press(one.page, "/me/logout")
        await log_in(one, service, login)
        await at(one.page, "/staff/factor")
        await look(one, "staff-factor-passkey")
        await one.page.click("[data-passkey=sign]")
        await at(one.page, "/admin")

        await one.page.goto(f"{service.public_url}/me/credentials/app")
        await one.page.click("summary")
        await look(one, "credentials-app")
        secret = (await one.page.locator("details .code").inner_text()).replace(" ", "")
        await one.page.fill("#code", pyotp.TOTP(secret).now())
        await one.page.fill("#password", PASSWORD)
        await press(one.page, "/me/credentials/app")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "credentials")
        await one.page.click("main ul.cards a")
        await look(one, "credentials-remove")
        await one.page.fill("#password", PASSWORD)
        await press(one.page, "/me/credentials/remove")
        await expect(one.page.locator("main ul.cards")).to_have_count(0)
        for path in ("password", "passkey", "backup"):
            await one.page.goto(f"{service.public_url}/me/credentials/{path}")
            await look(one, f"credentials-{path}")
        await one.page.goto(f"{service.public_url}/me/credentials/passkey")
        await one.page.fill("#password", PASSWORD)
        await one.page.click("[data-passkey=make]")
        await at(one.page, "/me/credentials")
        await expect(one.page.locator("main ul.cards > li")).to_have_count(1)
