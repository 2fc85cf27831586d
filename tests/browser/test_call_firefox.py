"""Chromium with Firefox ESR: both see and hear the other, over UDP and over TCP."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import ONE_LOOP, Stage, two_people
from tests.browser.media import BLUE, RED

pytestmark = ONE_LOOP


async def test_both_see_and_hear_the_other(stage: Stage, red_browser: Browser, blue_firefox: Browser) -> None:
    async with two_people(stage, red_browser, blue_firefox) as call:
        await asyncio.gather(call.red.sees(BLUE), call.blue.sees(RED))
        await call.red.hears(BLUE)
        await call.blue.hears(RED)
        await call.both_decode()
        await call.red.act("mode")
        for person in (call.red, call.blue):
            await person.in_mode("voice")
        await call.both_hear()
        await call.red.act("mode")
        for person in (call.red, call.blue):
            await person.in_mode("video")
        await call.both_decode()


async def test_firefox_reloads_and_continues(
    stage: Stage, red_browser: Browser, blue_firefox: Browser
) -> None:
    async with two_people(stage, red_browser, blue_firefox) as call:
        await call.both_decode()
        await call.blue.page.reload()
        await call.blue.reaches("connected")
        await call.red.reaches("connected")
        await call.both_decode()
        await call.red.sees(BLUE)


@pytest.mark.parametrize("fault", ["rebind", "move", "cut"])
async def test_firefox_comes_back(
    stage: Stage, red_browser: Browser, blue_firefox: Browser, fault: str
) -> None:
    """Firefox says USE-CANDIDATE once: after a NAT rebind its later checks have to move the path."""
    async with two_people(stage, red_browser, blue_firefox) as call:
        await call.both_decode()
        getattr(stage.blue, fault)()
        await asyncio.sleep(4)
        stage.blue.heal()
        await call.red.reaches("connected")
        await call.blue.reaches("connected")
        await call.both_decode()


@pytest.mark.parametrize("far", ["chromium", "firefox"])
async def test_where_udp_is_blocked_media_goes_over_tcp(
    stage: Stage, red_browser: Browser, blue_browser: Browser, blue_firefox: Browser, far: str
) -> None:
    other = blue_browser if far == "chromium" else blue_firefox
    async with two_people(stage, red_browser, other, udp=False) as call:
        await asyncio.gather(call.red.sees(BLUE), call.blue.sees(RED))
        await call.red.hears(BLUE)
        await call.blue.hears(RED)
        assert await call.red.transport() == {"tcp"}
