"""What a browser decides by itself: whether sound may start, whether the screen sleeps, what "back" shows."""

from __future__ import annotations

from playwright.async_api import Browser, Page, expect

from tests.browser.conftest import ONE_LOOP
from tests.browser.houses import House, house, meeting
from tests.browser.rooms import DESK, PHONE, Shape

__all__ = ["house"]

pytestmark = ONE_LOOP

SMALL = Shape(PHONE, "light", "en-GB")
WIDE = Shape(DESK, "light", "en-GB")
PLAYS = "!document.querySelector('#remote').paused"
# Chromium without a screen denies every lock.
LOCKS = """
window.locks = 0;
navigator.wakeLock.request = async () => {
  window.locks += 1;
  const lock = new EventTarget();
  lock.release = async () => {
    window.locks -= 1;
    lock.dispatchEvent(new Event('release'));
  };
  return lock;
};
"""
# As Safari does it; Chromium remembers over a reload that somebody pressed something.
NO_SOUND_UNASKED = """
const play = HTMLMediaElement.prototype.play;
let pressed = false;
addEventListener('click', () => (pressed = true), true);
HTMLMediaElement.prototype.play = function () {
  if (pressed) return play.call(this);
  this.pause();
  return Promise.reject(new DOMException('', 'NotAllowedError'));
};
"""


async def until(page: Page, said: str) -> None:
    """Wait until this is true in a page, whose policy forbids what Playwright waits by."""
    for _ in range(150):
        if await page.evaluate(said):
            return
        await page.wait_for_timeout(100)
    raise AssertionError(said)


async def test_sound_that_the_browser_holds_back_starts_by_a_button(
    red_browser: Browser, house: House
) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, _, _session):
        await phone.page.add_init_script(NO_SOUND_UNASKED)
        await phone.page.reload()
        await phone.reaches("connected")
        await expect(phone.page.locator("#toast-words")).to_contain_text("holds the sound back")
        assert not await phone.page.evaluate(PLAYS)
        await phone.page.click("#toast-do")
        await until(phone.page, PLAYS)
        assert phone.errors == []


async def test_the_screen_stays_on_while_one_is_inside_and_no_longer(
    red_browser: Browser, house: House
) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, _, _session):
        await phone.page.add_init_script(LOCKS)
        await phone.page.reload()
        await phone.reaches("connected")
        await until(phone.page, "window.locks === 1")
        await phone.act("leave")
        await phone.reaches("left")
        await until(phone.page, "window.locks === 0")


async def test_back_leads_into_the_call_again(red_browser: Browser, house: House) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, desk, _session):
        await phone.page.goto(f"{house.server.url}/crisis")
        await phone.page.go_back()
        await phone.reaches("connected")
        await until(phone.page, PLAYS)
        await desk.reaches("connected")
        assert phone.errors == []
