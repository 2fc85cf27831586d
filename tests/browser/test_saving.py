"""The menu of picture and data, and what is read when it takes effect: pictured, and looked at by axe."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from tests.browser.conftest import ONE_LOOP
from tests.browser.houses import House, house, meeting
from tests.browser.rooms import Shape
from tests.browser.test_page_states import SHAPES

__all__ = ["house"]

pytestmark = ONE_LOOP


@pytest.mark.parametrize(("small", "wide"), SHAPES)
async def test_choosing_a_picture_and_a_limit(
    red_browser: Browser, house: House, small: Shape, wide: Shape
) -> None:
    async with meeting(red_browser, house, (small, wide)) as (phone, desk, _):
        for one in (phone, desk):
            await one.sees("#used")
        await phone.act("saving")
        await phone.page.fill("#budget", "250")
        await phone.page.locator("#budget").blur()
        await expect(phone.page.locator("#picture-now")).not_to_be_empty()
        await phone.page.wait_for_timeout(5_000)  # until the pace is known
        for one in (phone, desk):
            if one is desk:
                await one.act("saving")
            await one.audit("saving")
            await one.page.keyboard.press("Escape")
        await phone.act("saving")
        await phone.page.select_option("#pick-picture", "paused")
        await phone.page.keyboard.press("Escape")
        await expect(phone.page.locator("[data-action=saving]")).to_be_focused()
        await expect(desk.page.locator("#person")).to_be_visible()
        for one in (phone, desk):
            await one.audit("picture-paused")
        # It holds over a reload.
        await phone.page.reload()
        await phone.reaches("connected")
        await phone.page.wait_for_selector("#self-box.paused", timeout=15_000)
        await phone.act("saving")
        assert await phone.page.input_value("#pick-picture") == "paused"
        assert await phone.page.input_value("#budget") == "250"
        await phone.page.select_option("#pick-picture", "")
        await phone.page.fill("#budget", "1")
        await phone.page.keyboard.press("Tab")
        await phone.page.keyboard.press("Escape")
        for one in (phone, desk):
            await one.sees("main[data-mode=chat]")
            await one.audit("chat-by-data")
