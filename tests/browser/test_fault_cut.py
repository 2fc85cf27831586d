"""The network fails in mid-call: the page says so, comes back, and both directions carry media again."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import ONE_LOOP, Call, Stage, two_people
from tests.netem.model import Conditions

pytestmark = ONE_LOOP
NOTICED_S = 2.5
BACK_TO_UDP_S = 60


async def is_well(call: Call, *, within_s: float) -> None:
    """Both pages say connected and both directions carry voice and pictures."""
    await asyncio.gather(
        *(person.reaches("connected", within_s=within_s) for person in (call.red, call.blue))
    )
    await call.both_decode(within_s=within_s)


@pytest.mark.parametrize("cut_s", [3, 10])
async def test_a_short_cut(stage: Stage, red_browser: Browser, blue_browser: Browser, cut_s: int) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        stage.red.cut()
        try:
            await call.red.reaches("interrupted", within_s=NOTICED_S)
            await call.blue.reaches("interrupted", within_s=NOTICED_S)
            await asyncio.sleep(cut_s - NOTICED_S)
        finally:
            stage.red.heal()
        await is_well(call, within_s=8)


async def test_a_cut_of_30_seconds(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        stage.red.cut()
        stage.red.http.reset_tcp()
        try:
            await call.red.reaches("interrupted", within_s=NOTICED_S)
            await asyncio.sleep(28)
        finally:
            stage.red.heal()
        await is_well(call, within_s=12)
        await call.red.write("kembali")
        await call.blue.reads("kembali")


@pytest.mark.parametrize("way", ["rebind", "move"])
async def test_a_new_address(stage: Stage, red_browser: Browser, blue_browser: Browser, way: str) -> None:
    """A NAT that forgot its bindings, and an address that is gone with every socket on it."""
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        getattr(stage.red, way)()
        await asyncio.sleep(2)
        await is_well(call, within_s=10)


async def test_udp_is_blocked_in_mid_call(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        stage.red.media.block_udp()
        await call.red.reaches("interrupted", within_s=NOTICED_S)
        await is_well(call, within_s=15)
        assert await call.red.transport() == {"tcp"}
        stage.red.media.block_udp(blocked=False)
        await is_well(call, within_s=5)
        for _ in range(BACK_TO_UDP_S):
            if await call.red.transport() == {"udp"}:
                break
            await asyncio.sleep(1)
        assert await call.red.transport() == {"udp"}, "UDP works again and carries less"
        await is_well(call, within_s=5)


async def test_loss_and_jitter_do_not_interrupt(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        stage.red.media.set(Conditions(loss=0.05, delay_ms=60, jitter_ms=25, reorder=0.01))
        for _ in range(5):
            await asyncio.sleep(1)
            assert await call.red.state() == "connected"
            assert await call.blue.state() == "connected"
        await call.both_decode()


async def test_bursts_of_loss_are_lived_through(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        stage.red.media.set(Conditions(burst_start=0.02, burst_end=0.2, delay_ms=40))
        await asyncio.sleep(4)
        await call.both_decode()
        stage.red.heal()
        await is_well(call, within_s=8)
