"""Every state of the room, on a phone and on a desk: pictured, and without anything for axe to find."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import ONE_LOOP
from tests.browser.houses import House, house, meeting
from tests.browser.rooms import DESK, PHONE, Shape, room

__all__ = ["house"]

pytestmark = ONE_LOOP

SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), Shape(DESK, "dark", "en-GB"), id="phone-light-id"),
    pytest.param(Shape(PHONE, "dark", "en-GB"), Shape(DESK, "light", "id-ID"), id="phone-dark-en"),
]
REFUSALS = {"denied": "NotAllowedError", "none": "NotFoundError", "busy": "NotReadableError"}


@pytest.mark.parametrize(("small", "wide"), SHAPES)
async def test_arriving_and_waiting(red_browser: Browser, house: House, small: Shape, wide: Shape) -> None:
    session = await house.session()
    for shape in (small, wide):
        async with room(red_browser, shape) as one:
            await one.open(session.client.join_url)
            await expect(one.page.locator("#mirror-veil")).to_be_hidden()
            await one.audit("preview")
            await one.page.click("#device-choice summary")
            await one.audit("preview-devices")
            await one.page.click("label:has(input[value=voice])")
            await expect(one.page.locator("#mirror-veil")).to_be_visible()
            await one.audit("preview-voice")
            await one.page.click("label:has(input[value=video])")
            await one.join()
            await one.reaches("waiting")
            await one.audit("waiting")
            await one.act("leave")
            await one.reaches("left")
            await one.audit("left")


@pytest.mark.parametrize(("small", "wide"), SHAPES)
async def test_talking(red_browser: Browser, house: House, small: Shape, wide: Shape) -> None:
    async with meeting(red_browser, house, (small, wide)) as (phone, desk, _):
        for one in (phone, desk):
            await one.audit("connected")
        await phone.act("chat")
        await expect(phone.page.locator("#line")).to_be_focused()
        await phone.page.fill("#line", "Halo, apa suara saya terdengar?")
        await phone.act("send")
        await desk.sees("#unread")
        await desk.audit("chat-came")
        await desk.act("chat")
        await expect(desk.page.locator("#unread")).to_be_hidden()
        await desk.page.fill("#line", "Ya, jelas sekali. Ambil waktu Anda, kita tidak terburu-buru.")
        await desk.page.keyboard.press("Enter")
        await expect(phone.page.locator("#lines li")).to_have_count(2)
        for one in (phone, desk):
            await one.audit("chat")
        await phone.page.keyboard.press("Escape")
        await expect(phone.page.locator("[data-action=chat]")).to_be_focused()
        await phone.act("mute")
        await phone.act("camera")
        await desk.sees("#remote-muted")
        for one in (phone, desk):
            await one.audit("muted")
        await phone.act("mode")
        await desk.sees("main[data-mode=voice]")
        for one in (phone, desk):
            await one.audit("voice")
        await desk.act("devices")
        await desk.audit("devices")
        await desk.page.keyboard.press("Escape")
        await desk.act("end")
        await desk.audit("end-asked")
        await desk.page.click("#end-yes")
        for one in (phone, desk):
            await one.reaches("ended")
            await one.audit("ended")


@pytest.mark.parametrize(("small", "wide"), SHAPES)
async def test_a_broken_line(red_browser: Browser, house: House, small: Shape, wide: Shape) -> None:
    async with meeting(red_browser, house, (small, wide)) as (phone, desk, session):
        with house.standing_still():
            for one in (phone, desk):
                await one.reaches("interrupted")
                await one.sees("#broken [data-action=restart]")
                await one.audit("own-line-broke")
            await phone.act("chat")
            await phone.audit("own-line-broke-chat")
        for one in (phone, desk):
            await one.reaches("connected")
        await phone.page.goto("about:blank")
        await desk.reaches("interrupted")
        await desk.audit("their-line-broke")
        async with room(red_browser, small) as other:
            await other.open(session.client.join_url)
            await other.join()
            await desk.sees("#takeover-dialog")
            await other.audit("held")
            await desk.audit("takeover")
            await desk.page.click("#takeover-dialog button[value=no]")
            await other.reaches("left")
            await other.audit("refused")


@pytest.mark.parametrize(("small", "wide"), SHAPES)
async def test_chat_alone(red_browser: Browser, house: House, small: Shape, wide: Shape) -> None:
    refuse = "navigator.mediaDevices.getUserMedia = () => { throw new Error('asked for a device'); };"
    session = await house.session("chat")
    async with (
        room(red_browser, small, script=refuse) as phone,
        room(red_browser, wide, script=refuse) as desk,
    ):
        await phone.open(session.client.join_url)
        await phone.audit("preview-chat")
        await phone.join()
        await phone.reaches("waiting")
        await phone.audit("waiting-chat")
        await desk.open(session.counselor.join_url)
        await desk.join()
        for one in (phone, desk):
            await one.reaches("connected")
        await desk.page.fill("#line", "Selamat sore. Saya di sini.")
        await desk.act("send")
        await expect(phone.page.locator("#lines li")).to_have_count(1)
        for one in (phone, desk):
            await one.audit("connected-chat")


@pytest.mark.parametrize("kind", REFUSALS)
async def test_each_refusal_says_what_to_do(red_browser: Browser, house: House, kind: str) -> None:
    session = await house.session()
    script = (
        "navigator.mediaDevices.getUserMedia = async () => "
        f"{{ throw new DOMException('no', '{REFUSALS[kind]}'); }};"
    )
    async with room(red_browser, Shape(PHONE, "light", "id-ID"), script=script) as one:
        await one.open(session.client.join_url)
        await one.sees("#refusal")
        await one.audit(f"refusal-{kind}")
        await one.join()
        await one.reaches("waiting")


async def test_an_insecure_origin_is_named(red_browser: Browser, house: House) -> None:
    session = await house.session()
    script = "Object.defineProperty(navigator, 'mediaDevices', {value: undefined});"
    async with room(red_browser, Shape(PHONE, "light", "en-GB"), script=script) as one:
        await one.open(session.client.join_url)
        await expect(one.page.locator("#refusal")).to_contain_text("https")
        await one.audit("refusal-insecure")


async def test_a_camera_that_is_refused_leaves_the_voice(red_browser: Browser, house: House) -> None:
    session = await house.session()
    script = """
    const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (wanted) => {
      if (wanted.video) throw new DOMException('no', 'NotReadableError');
      return ask(wanted);
    };"""
    async with room(red_browser, Shape(DESK, "light", "en-GB"), script=script) as one:
        await one.open(session.client.join_url)
        await expect(one.page.locator("#refusal")).to_contain_text("Your voice still works")
        await expect(one.page.locator("#mic-words")).not_to_have_text("No microphone")


@pytest.mark.parametrize(("small", "wide"), SHAPES)
async def test_pages_beside_the_room(red_browser: Browser, house: House, small: Shape, wide: Shape) -> None:
    for shape in (small, wide):
        async with room(red_browser, shape) as one:
            for path, name in (("/", "front"), ("/nowhere", "missing")):
                await one.page.goto(f"{house.server.url}{path}")
                await one.audit(name, scripts=False)
            await one.open(f"{house.server.url}/join#xxxxxxxxxxxxxxxxxxxxxx")
            await one.reaches("ended")
            await one.audit("closed-link")
