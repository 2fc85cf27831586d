"""Without a network: the page of help that a phone keeps, for whom it is kept, and how it goes again."""

from __future__ import annotations

import re

import pytest
from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import ONE_LOOP
from tests.browser.houses import House, house
from tests.browser.rooms import DESK, PHONE, Room, Shape, room

__all__ = ["house"]

pytestmark = ONE_LOOP

SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), id="phone-id"),
    pytest.param(Shape(DESK, "dark", "en-GB"), id="desk-en"),
]
KEPT = """async () => {
  const found = [];
  for (const name of await caches.keys())
    for (const request of await (await caches.open(name)).keys()) found.push(new URL(request.url).pathname);
  return found;
}"""
READY = "navigator.serviceWorker.ready.then((one) => Boolean(one.active))"


async def kept(page: Page) -> list[str]:
    """Paths of all that the browser keeps for our address."""
    found: list[str] = await page.evaluate(KEPT)
    return found


async def start(one: Room, house: House, phone: str) -> None:
    """Make an account, and say whose phone it is."""
    await one.page.goto(f"{house.server.url}/start")
    await one.page.check("input[name=age][value=adult]")
    await one.page.check(f"input[name=phone][value={phone}]")
    await one.page.click("main form button[type=submit], main form button:not([type])")
    await one.page.wait_for_url(re.compile("/home"))


@pytest.mark.parametrize("shape", SHAPES)
async def test_ones_own_phone_shows_help_without_a_network(
    red_browser: Browser, house: House, shape: Shape
) -> None:
    async with room(red_browser, shape) as one:
        await start(one, house, "own")
        assert await one.page.evaluate(READY)
        await expect(one.page.locator("link[rel=manifest]")).to_have_count(1)
        for path in await kept(one.page):
            assert path in {"/offline", "/offline/room"} or path.startswith("/static/"), path
        await one.page.context.set_offline(True)
        for path in ("/crisis", "/talk", "/home"):
            await one.page.goto(house.server.url + path)
            await expect(one.page.locator("a[href^='tel:']").first).to_be_visible()
            await expect(one.page.locator("main")).to_contain_text(re.compile(r"20\d\d, \d\d[.:]\d\d"))
        await expect(one.page.locator(".who")).to_have_count(0)
        await one.audit("offline", scripts=False)
        await one.page.context.set_offline(False)
        await one.page.goto(f"{house.server.url}/home")
        await expect(one.page.locator(".who")).to_have_count(1)


async def test_a_shared_phone_keeps_nothing(red_browser: Browser, house: House) -> None:
    async with room(red_browser, Shape(PHONE, "light", "en-GB")) as one:
        await start(one, house, "shared")
        for path in ("/home", "/crisis", "/"):
            await one.page.goto(house.server.url + path)
        await one.page.wait_for_timeout(500)
        assert await kept(one.page) == []
        assert (
            await one.page.evaluate("navigator.serviceWorker.getRegistrations().then((all) => all.length)")
            == 0
        )
        await expect(one.page.locator("link[rel=manifest]")).to_have_count(0)


async def test_whoever_asks_for_it_keeps_the_page_and_takes_it_off_again(
    red_browser: Browser, house: House
) -> None:
    async with room(red_browser, Shape(PHONE, "light", "en-GB")) as one:
        await one.page.goto(f"{house.server.url}/crisis")
        button = one.page.locator("[data-action=keep-help]")
        await button.scroll_into_view_if_needed()
        await expect(button).to_have_attribute("aria-pressed", "false")
        await one.audit("crisis-keep", scripts=False)
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "true")
        assert await one.page.evaluate(READY)
        assert "/offline" in await kept(one.page)
        await button.click()
        await expect(button).to_have_attribute("aria-pressed", "false")
        assert await kept(one.page) == []


@pytest.mark.parametrize("network", [True, False], ids=["with-network", "without"])
async def test_the_quick_exit_takes_it_away_too(red_browser: Browser, house: House, network: bool) -> None:
    async with room(red_browser, Shape(PHONE, "light", "en-GB")) as one:
        await start(one, house, "own")
        assert await one.page.evaluate(READY)
        await one.page.goto(f"{house.server.url}/home")
        await one.page.wait_for_function("() => navigator.serviceWorker.controller !== null")
        await one.page.context.set_offline(not network)
        await one.page.locator("[data-action=quick-exit]").click()
        await one.page.wait_for_timeout(800)
        await one.page.context.set_offline(False)
        await one.page.goto(f"{house.server.url}/healthz")
        assert await kept(one.page) == []
        await one.page.go_back()
        await expect(one.page.locator(".who")).to_have_count(0)
