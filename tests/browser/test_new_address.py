"""A Chromium whose device leaves one network for another: no proxy, real interfaces and addresses."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import aiohttp
from playwright.async_api import Playwright

from tests.browser.conftest import ONE_LOOP
from tests.browser.driver import CHROMIUM, Person, chromium, person_in
from tests.browser.media import BLUE, RED
from tests.e2e.server import Server
from tests.netem.namespaces import Roaming

pytestmark = ONE_LOOP
WITHIN_S = 6.0


async def gap_s(person: Person, since: float, *, calm_s: float = 1.0) -> float:
    """Seconds from ``since`` until voice came again and went on for a while; 0 when it never stopped."""
    back = since
    while time.monotonic() - since < 3 * WITHIN_S:
        before = await person.count("in_audio", "packets")
        await asyncio.sleep(0.1)
        if await person.count("in_audio", "packets") <= before:
            back = time.monotonic()
        elif back > since and time.monotonic() - back > calm_s:
            return back - since
    return 0.0 if back == since else float("inf")


async def test_a_call_goes_on_within_six_seconds_of_a_new_network(
    playwright: Playwright, tmp_path: Path
) -> None:
    with Roaming() as roaming:
        server = Server(tmp_path / "data", media_addresses=(roaming.server,))
        server.extra["TEDUH_HTTP_HOST"] = f"127.0.0.1,{roaming.server}"
        server.extra["TEDUH_PUBLIC_URL"] = f"http://{roaming.server}:{server.http_port}"
        await asyncio.to_thread(server.start)
        inside = roaming.command(tmp_path, CHROMIUM)
        origin = server.public_url
        red_browser = await chromium(playwright, RED, tmp_path, program=str(inside), origin=origin)
        blue_browser = await chromium(playwright, BLUE, tmp_path, origin=origin)
        try:
            async with aiohttp.ClientSession() as http:
                session = await server.create_session(http, mode="voice")
            async with person_in(red_browser, RED) as red, person_in(blue_browser, BLUE) as blue:
                await red.open(session.client.join_url)
                await blue.open(session.counselor.join_url)
                for person in (red, blue):
                    await person.join()
                for person in (red, blue):
                    await person.reaches("connected")
                    await person.hears_packets()
                moved = time.monotonic()
                await asyncio.to_thread(roaming.move)
                gaps = await asyncio.gather(gap_s(red, moved), gap_s(blue, moved))
                assert max(gaps) <= WITHIN_S, gaps
                for person, other in ((red, BLUE), (blue, RED)):
                    await person.hears(other)
                    await person.reaches("connected")
                    assert person.errors == []
        finally:
            await red_browser.close()
            await blue_browser.close()
            await asyncio.to_thread(server.stop)
