"""While a page says that it is disconnected, no sound and no picture leaves it: seen on the wire."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator

import pytest
from playwright.async_api import Browser

from tests.browser.conftest import ONE_LOOP, Stage, two_people
from tests.browser.driver import Person
from tests.netem.model import CLEAN, CUT
from tests.netem.proxy import Address, Proxy

pytestmark = ONE_LOOP
CALM_S = 0.3
"""What was encoded before the page said so may still be on its way out."""


def is_media(datagram: bytes) -> bool:
    """Whether it is RTP: version 2, and no RTCP (RFC 5761, 4), no STUN, no DTLS (RFC 7983, 7)."""
    return len(datagram) >= 12 and datagram[0] >> 6 == 2 and not 192 <= datagram[1] <= 223


@contextlib.contextmanager
def sent_through(proxy: Proxy) -> Iterator[list[float]]:
    """When media left the browser, whether or not it gets through."""
    at: list[float] = []
    forward = proxy._from_client  # the tests' own proxy

    def seen(data: bytes, client: Address) -> None:
        if is_media(data):
            at.append(time.monotonic())
        forward(data, client)

    proxy._from_client = seen  # type: ignore[method-assign]  # as above
    try:
        yield at
    finally:
        proxy._from_client = forward  # type: ignore[method-assign]  # as above


async def stays(person: Person, state: str, *, for_s: float) -> tuple[float, float]:
    """Wait for a state that holds for a while; gives from when to when it was seen."""
    await person.reaches(state, within_s=4)
    began = time.monotonic()
    while time.monotonic() - began < for_s:
        assert await person.state() == state
        await asyncio.sleep(0.05)
    return began + CALM_S, time.monotonic()


@pytest.mark.parametrize("mode", ["voice", "video"])
async def test_nothing_leaves_while_our_own_line_is_broken(
    stage: Stage, red_browser: Browser, blue_browser: Browser, mode: str
) -> None:
    async with two_people(stage, red_browser, blue_browser, mode=mode) as call:
        await call.both_hear()
        with sent_through(stage.red.media) as red, sent_through(stage.blue.media) as blue:
            await asyncio.sleep(1)
            assert len(red) > 10
            assert len(blue) > 10
            stage.red.cut()
            try:
                (began, ended), theirs = await asyncio.gather(
                    stays(call.red, "interrupted", for_s=6), stays(call.blue, "interrupted", for_s=6)
                )
            finally:
                stage.red.heal()
            assert [at for at in red if began <= at <= ended] == []
            assert [at for at in blue if theirs[0] <= at <= theirs[1]] == [], (
                "the other side sends nothing either"
            )
            await asyncio.gather(*(one.reaches("connected", within_s=10) for one in (call.red, call.blue)))
            await call.both_hear()


async def test_nothing_leaves_where_only_our_way_in_is_broken(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, red_browser, blue_browser, mode="voice") as call:
        await call.both_hear()
        with sent_through(stage.red.media) as red:
            stage.red.media.set(CLEAN, CUT)
            try:
                began, ended = await stays(call.red, "interrupted", for_s=3)
            finally:
                stage.red.heal()
            assert [at for at in red if began <= at <= ended] == []
            await call.red.reaches("connected", within_s=10)
            await call.both_hear()
