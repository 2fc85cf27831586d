"""Coming back, and who decides over a camera: what a person relies on without ever reading it."""

from __future__ import annotations

from playwright.async_api import Browser, expect

from tests.browser.conftest import ONE_LOOP
from tests.browser.houses import House, house, meeting
from tests.browser.rooms import DESK, PHONE, Shape, room

__all__ = ["house"]

pytestmark = ONE_LOOP

SMALL = Shape(PHONE, "light", "en-GB")
WIDE = Shape(DESK, "light", "en-GB")
SEEN = """
document.addEventListener('DOMContentLoaded', () => {
  const main = document.querySelector('main');
  window.seen = [main.dataset.state];
  const watch = new MutationObserver(() => window.seen.push(main.dataset.state));
  watch.observe(main, {attributeFilter: ['data-state']});
});
"""


async def test_a_reload_continues_without_asking_and_stays_muted(red_browser: Browser, house: House) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, desk, _):
        await phone.act("chat")
        await phone.page.fill("#line", "hello")
        await phone.act("send")
        await expect(desk.page.locator("#lines li")).to_have_count(1)
        await phone.act("mute")
        await phone.act("camera")
        await phone.page.add_init_script(SEEN)
        await phone.page.reload()
        await phone.reaches("connected")
        seen = await phone.page.evaluate("window.seen")
        assert seen[0] == "preview"
        assert set(seen[1:]) <= {"joining", "waiting", "connected"}
        await expect(phone.page.locator("[data-action=mute]")).to_have_attribute("data-on", "false")
        await expect(phone.page.locator("[data-action=camera]")).to_have_attribute("data-on", "false")
        await expect(phone.page.locator("#lines li")).to_have_count(1)
        await expect(phone.page.locator("#unread")).to_be_hidden()
        await desk.reaches("connected")
        await expect(desk.page.locator("#remote-muted")).to_be_visible()


async def test_a_line_written_while_the_line_is_broken_is_sent_later(
    red_browser: Browser, house: House
) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, desk, _):
        await phone.act("chat")
        with house.standing_still():
            await phone.reaches("interrupted")
            await phone.page.fill("#line", "are you there?")
            await phone.act("send")
            await expect(phone.page.locator("#lines li.unsent")).to_have_count(1)
        await expect(phone.page.locator("#lines li.unsent")).to_have_count(0)
        await expect(phone.page.locator("#lines li")).to_have_count(1)
        await expect(desk.page.locator("#lines li")).to_have_count(1)


async def test_the_place_is_in_one_window_only(red_browser: Browser, house: House) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, _, _):
        kept = await phone.page.evaluate("JSON.stringify({...sessionStorage})")
        twin = await phone.page.context.new_page()
        await twin.add_init_script(f"Object.assign(sessionStorage, {kept})")
        await twin.goto(phone.page.url)
        await twin.wait_for_selector("main[data-state=connected]")
        await phone.reaches("left")
        await expect(phone.page.locator("#gone-title")).to_have_text("Continued somewhere else")
        await phone.page.wait_for_timeout(1500)
        await phone.reaches("left")
        await phone.act("join")
        await phone.reaches("connected")
        await twin.wait_for_selector("main[data-state=left]")


async def test_a_camera_comes_on_only_by_its_owners_wish(red_browser: Browser, house: House) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, desk, _):
        await phone.act("mode")
        for one in (phone, desk):
            await one.sees("main[data-mode=voice]")
            await expect(one.page.locator("#self-box")).to_be_hidden()
        await desk.act("mode")
        await desk.sees("main[data-mode=video] #self-box")
        await phone.sees("main[data-mode=video]")
        await phone.page.wait_for_timeout(800)
        await expect(phone.page.locator("#self-box")).to_be_hidden()
        await phone.act("camera")
        await phone.sees("#self-box")


async def test_who_left_unheard_comes_back_without_being_held(red_browser: Browser, house: House) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, desk, _):
        await phone.page.evaluate("void (WebSocket.prototype.send = () => undefined)")
        await phone.act("leave")
        await phone.reaches("left")
        await phone.page.reload()
        await phone.reaches("preview")
        await phone.join()
        await phone.reaches("connected")
        await desk.reaches("connected")
        await expect(desk.page.locator("#takeover-dialog")).to_be_hidden()


async def test_the_microphone_goes_off_while_a_camera_is_asked_for(
    red_browser: Browser, house: House
) -> None:
    async with meeting(red_browser, house, (SMALL, WIDE)) as (phone, desk, _):
        await phone.act("camera")
        await phone.page.evaluate("void (navigator.mediaDevices.getUserMedia = () => new Promise(() => {}))")
        await phone.act("camera")
        await expect(phone.page.locator("[data-action=camera]")).to_be_disabled()
        await phone.act("mute")
        await expect(phone.page.locator("[data-action=mute]")).to_have_attribute("data-on", "false")
        await desk.sees("#remote-muted")


async def test_everything_can_be_done_with_keys(red_browser: Browser, house: House) -> None:
    session = await house.session()
    async with room(red_browser, WIDE) as one:
        await one.open(session.counselor.join_url)
        await expect(one.page.locator("[data-action=join]")).to_be_enabled()
        for _ in range(12):
            await one.page.keyboard.press("Tab")
            if await one.page.evaluate("document.activeElement.dataset.action === 'join'"):
                break
        await one.page.keyboard.press("Enter")
        await one.reaches("waiting")
        await expect(one.page.locator("#call-title")).to_be_focused()
        await one.page.locator("[data-action=mute]").focus()
        reached = []
        for _ in range(6):
            reached.append(await one.page.evaluate("document.activeElement.dataset.action"))
            await one.page.keyboard.press("ArrowRight")
        assert reached == ["mute", "camera", "mode", "chat", "leave", "end"]
        await one.page.locator("[data-action=end]").focus()
        await one.page.keyboard.press("Enter")
        await expect(one.page.locator("#end-dialog")).to_be_visible()
        await one.page.keyboard.press("Escape")
        await expect(one.page.locator("[data-action=end]")).to_be_focused()
        await one.page.locator("[data-action=leave]").focus()
        await one.page.keyboard.press("Space")
        await one.reaches("left")
        await expect(one.page.locator("#gone-title")).to_be_focused()
