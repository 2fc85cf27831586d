"""The quick exit: gone in the same moment, and the counselor knows not to call back."""

from __future__ import annotations

import re

from playwright.async_api import Browser, expect

from tests.browser.conftest import ONE_LOOP
from tests.browser.houses import House, house, meeting
from tests.browser.rooms import DESK, PHONE, Shape, room

__all__ = ["house"]

pytestmark = ONE_LOOP

SMALL = Shape(PHONE, "light", "id-ID")
WIDE = Shape(DESK, "light", "en-GB")
NEUTRAL = re.compile("/healthz$")
LIVE = "document.querySelector('#self').srcObject.getTracks().map((track) => track.readyState)"
WATCH = """
window.kept = document.querySelector('#self').srcObject.getTracks();
document.addEventListener('teduh:exit', () => {
  sessionStorage.setItem('x', '1');
  navigator.sendBeacon('/seen-by-test?' + window.kept.map((track) => track.readyState).join());
});
"""


async def test_leaving_quickly_from_a_call_stops_everything_and_tells_the_counselor(
    red_browser: Browser, house: House
) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, desk, _):
        assert await phone.page.evaluate(LIVE) == ["live"]
        told: list[str] = []
        phone.page.context.on(
            "request", lambda request: told.append(request.url) if "seen-by-test" in request.url else None
        )
        await phone.page.evaluate(WATCH)
        await phone.page.screenshot(path="tests/out/pages/room-exit-390.png")
        await phone.page.locator("[data-action=quick-exit]:visible").click()
        await expect(phone.page).to_have_url(NEUTRAL)
        assert [url.partition("?")[2] for url in told] == ["ended"], "the camera stopped in the same tick"
        await expect(desk.page.locator("#person-words")).to_contain_text("left quickly")
        await expect(desk.page.locator("#person-more")).to_contain_text("do not contact")
        await desk.page.screenshot(path="tests/out/pages/room-left-quickly-1280.png")
        names = {cookie["name"] for cookie in await phone.page.context.cookies()}
        assert not any(name.startswith("teduh_") for name in names)
        await phone.page.go_back()
        await expect(phone.page).not_to_have_url(re.compile("/room/"))


async def test_three_presses_of_shift_leave_too_and_two_do_not(red_browser: Browser, house: House) -> None:
    async with room(red_browser, WIDE) as one:
        await one.page.goto(f"{house.server.url}/exit/about")
        await one.page.keyboard.press("Shift")
        await one.page.keyboard.press("Shift")
        await one.page.keyboard.press("a")
        await one.page.keyboard.press("Shift")
        await expect(one.page).to_have_url(re.compile("/exit/about$"))
        for _ in range(3):
            await one.page.keyboard.press("Shift")
        await expect(one.page).to_have_url(NEUTRAL)


async def test_the_button_works_without_script(red_browser: Browser, house: House) -> None:
    context = await red_browser.new_context(java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{house.server.url}/exit/about")
    await page.locator("[data-action=quick-exit]").click()
    await expect(page).to_have_url(NEUTRAL)
    await context.close()
