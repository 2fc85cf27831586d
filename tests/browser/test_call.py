"""Two people see and hear each other through the server: Chromium with Chromium."""

from __future__ import annotations

import asyncio

import pytest
from playwright.async_api import Browser

from bench.lab import Doing
from tests.browser.conftest import ONE_LOOP, Stage, two_people
from tests.browser.driver import new_context, person_in
from tests.browser.media import BLUE, RED

pytestmark = ONE_LOOP


async def test_both_see_and_hear_the_other(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await asyncio.gather(call.red.sees(BLUE), call.blue.sees(RED))
        await call.red.hears(BLUE)
        await call.blue.hears(RED)
        await call.both_decode()
        assert await call.red.transport() == {"udp"}
        assert await call.blue.transport() == {"udp"}
        code = call.session.client.join_url.rpartition("#")[2]
        assert code not in call.red.page.url
        assert call.session.client.token not in call.red.page.url


async def test_chat_comes_with_receipts(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.red.write("halo, apa kabar?")
        await call.blue.reads("halo, apa kabar?")
        await call.red.reads("halo, apa kabar?")
        await call.blue.write("<b>baik</b> & tenang")
        await call.red.reads("<b>baik</b> & tenang")


async def test_mute_is_silence_and_the_other_is_told(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.blue.hears(RED)
        await call.red.act("mute")
        await call.blue.page.wait_for_selector("#remote-muted:visible", timeout=5_000)
        await asyncio.sleep(1)
        tones = await call.blue.page.evaluate(f"probe.tones([{RED.tone_hz}], 1000)")
        assert tones is None or tones["loudness"] < 1e-4
        await call.red.act("mute")
        await call.blue.hears(RED)


async def test_voice_negotiates_no_video_and_video_comes_back(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        await call.red.act("mode")
        for person in (call.red, call.blue):
            await person.in_mode("voice")
        await asyncio.sleep(2)
        before = [await person.stats() for person in (call.red, call.blue)]
        await asyncio.sleep(2)
        after = [await person.stats() for person in (call.red, call.blue)]
        for old, new in zip(before, after, strict=True):
            for stream in ("in_video", "out_video"):
                assert old.get(stream, {}).get("packets", 0) == new.get(stream, {}).get("packets", 0)
        for person in (call.red, call.blue):
            directions = await person.page.evaluate(
                "probe.current().getTransceivers().map((each) => each.currentDirection)"
            )
            assert directions == ["sendrecv", "inactive"]
            answer = await person.page.evaluate("probe.current().currentLocalDescription.sdp")
            assert "m=video 0" not in answer
        await call.red.hears(BLUE)
        await call.red.act("mode")
        for person in (call.red, call.blue):
            await person.in_mode("video")
        await call.both_decode()
        await call.red.sees(BLUE)


async def test_a_session_of_voice_alone(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    async with two_people(stage, red_browser, blue_browser, mode="voice") as call:
        await call.red.hears(BLUE)
        await call.blue.hears(RED)
        found = await call.red.stats()
        assert found.get("out_video", {}).get("packets", 0) == 0


async def test_leave_and_come_again(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.red.act("leave")
        await call.red.reaches("left")
        await call.blue.reaches("waiting", "interrupted")
        await call.red.page.reload()
        await call.red.page.wait_for_selector("[data-action=join]:visible")
        await call.red.join()
        await call.red.reaches("connected")
        await call.blue.reaches("connected")
        await call.both_decode()


async def test_the_counselor_ends_for_both(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        assert not await call.red.page.is_visible("[data-action=end]")
        await call.blue.act("end")
        await call.blue.page.click("#end-yes")
        await call.blue.reaches("ended")
        await call.red.reaches("ended")


async def test_both_links_in_one_browser(stage: Stage, red_browser: Browser) -> None:
    session = await stage.session()
    context = await new_context(red_browser)
    async with (
        person_in(red_browser, RED, media_port=stage.red.media.port, context=context) as one,
        person_in(red_browser, RED, media_port=stage.red.media.port, context=context) as other,
    ):
        for person, place in ((one, session.client), (other, session.counselor)):
            await person.open(stage.link(place.join_url, stage.red))
            await person.page.bring_to_front()
            await person.join()
        await one.reaches("connected")
        await other.reaches("connected")
        await one.hears_packets()
        await other.hears_packets()
        await other.decodes()
        await one.page.bring_to_front()
        await one.decodes()
    await context.close()


async def test_a_reload_continues_at_once(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        await call.red.write("sebelum dimuat ulang")
        await call.blue.reads("sebelum dimuat ulang")
        await call.red.page.reload()
        await call.red.reaches("connected", within_s=10)
        await call.blue.reaches("connected", within_s=10)
        await call.both_decode()
        await call.red.sees(BLUE)
        await call.blue.sees(RED)
        await call.red.reads("sebelum dimuat ulang")


async def test_a_second_device_asks_and_is_admitted(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with (
        two_people(stage, red_browser, blue_browser) as call,
        person_in(red_browser, RED, media_port=stage.red.media.port) as again,
    ):
        await call.red.write("rahasia")
        await call.blue.reads("rahasia")
        await again.open(stage.link(call.session.client.join_url, stage.red))
        await again.join()
        await call.red.page.wait_for_selector("#takeover-dialog[open]", timeout=10_000)
        assert "rahasia" not in await again.page.inner_text("body")
        assert await again.count("in_audio", "packets") == 0
        await call.red.page.click("#takeover-dialog button[value=yes]")
        await again.reaches("connected")
        await call.red.reaches("left", "ended")
        await again.sees(BLUE)
        await call.blue.sees(RED)


async def test_a_device_that_goes_away_is_in_the_record(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    lose = """() => {
      const track = probe.peers.at(-1).getSenders().find((one) => one.track?.kind === 'video').track;
      track.stop();
      track.dispatchEvent(new Event('ended'));
    }"""
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        await call.red.page.evaluate(lose)
        doing = Doing(call)
        lost: list[dict[str, object]] = []
        async with asyncio.timeout(5):
            while not lost:
                await asyncio.sleep(0.2)
                events = (await doing.record())["events"]
                lost = [one["detail"] for one in events if one["kind"] == "device_lost"]
        assert lost == [{"device": "video"}]
        began = [one["detail"] for one in events if one["kind"] == "mode"]
        assert began == [{"mode": "video", "reason": "began"}]


@pytest.mark.parametrize("who", ["network", "page"])
async def test_a_lost_websocket_does_not_touch_media(
    stage: Stage, red_browser: Browser, blue_browser: Browser, who: str
) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        legs = await call.red.page.evaluate("probe.peers.length")
        sockets = await call.red.page.evaluate("probe.sockets.length")
        if who == "network":
            stage.red.http.reset_tcp()
        else:
            await call.red.page.evaluate("probe.sockets.at(-1).close()")
        await call.both_decode()
        await call.red.page.wait_for_function(f"probe.sockets.length > {sockets}", timeout=10_000)
        await call.red.write("masih di sini")
        await call.blue.reads("masih di sini")
        assert await call.red.page.evaluate("probe.peers.length") == legs
        assert await call.red.state() == "connected"


async def test_a_restarted_server_has_both_back(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, red_browser, blue_browser) as call:
        await call.both_decode()
        await asyncio.to_thread(stage.server.stop)
        await asyncio.to_thread(stage.server.start)
        await call.both_decode(within_s=10)
        await call.red.reaches("connected", within_s=5)
        await call.blue.reaches("connected", within_s=5)
