"""A bad line lowers the picture before the voice suffers, a good one brings it back: real caps and words."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, expect

from tests.browser.conftest import ONE_LOOP, Call, Stage, two_people
from tests.browser.driver import Person, chromium
from tests.browser.media import BLUE, RED, Look, write_tone
from tests.netem.model import CLEAN, Conditions

pytestmark = ONE_LOOP

WIDTH, HEIGHT, FRAMES = 640, 480, 12


@dataclass(frozen=True, slots=True)
class Crowded(Look):
    """A camera of 640x480 full of noise: it takes every bit that a cap leaves it."""

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the WAV and the Y4M."""
        wav, y4m = folder / f"{self.name}.wav", folder / f"{self.name}.y4m"
        write_tone(wav, self.tone_hz)
        dice = random.Random(self.tone_hz)
        grain = bytes(max(16, min(235, self.yuv[0] + value % 48 - 24)) for value in range(256))
        with y4m.open("wb") as out:
            out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F24:1 Ip A1:1 C420jpeg\n".encode())
            for _ in range(FRAMES):
                luma = dice.randbytes(WIDTH * HEIGHT).translate(grain)
                chroma = bytes([self.yuv[1]]) * (WIDTH * HEIGHT // 4) + bytes([self.yuv[2]]) * (
                    WIDTH * HEIGHT // 4
                )
                out.write(b"FRAME\n" + luma + chroma)
        return wav, y4m


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def crowd_browser(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browser]:
    """A Chromium whose picture needs all the bits it may have."""
    look = Crowded("crowd", RED.tone_hz, RED.yuv, RED.rgb)
    browser = await chromium(playwright, look, tmp_path_factory.mktemp("crowd"))
    yield browser
    await browser.close()


RECEIVED = """async () => {
  const found = {};
  (await probe.current().getStats()).forEach((each) => {
    if (each.type !== 'inbound-rtp' || each.kind !== 'video') return;
    found.height = each.frameHeight ?? 0;
    found.frames = each.framesDecoded ?? 0;
    found.bytes = (each.bytesReceived ?? 0) + (each.headerBytesReceived ?? 0);
  });
  return found;
}"""


async def picture(person: Person, *, over_s: float = 4.0) -> dict[str, float]:
    """What arrives of the other side's picture: lines, frames a second, kbit/s on the wire."""
    before: dict[str, Any] = await person.page.evaluate(RECEIVED)
    await asyncio.sleep(over_s)
    after: dict[str, Any] = await person.page.evaluate(RECEIVED)
    return {
        "height": after["height"],
        "fps": (after["frames"] - before["frames"]) / over_s,
        "kbps": 8 * (after["bytes"] - before["bytes"]) / over_s / 1000,
    }


async def choose(person: Person, step: str) -> None:
    """Pick a picture in the small menu."""
    await person.act("saving")
    await person.page.select_option("#pick-picture", step)
    await person.page.keyboard.press("Escape")


async def says(person: Person, element: str, words: str, *, within_s: float = 15) -> None:
    """Wait until an element shows these words."""
    await expect(person.page.locator(element)).to_contain_text(words, timeout=within_s * 1000)


async def voice_bytes(person: Person, *, over_s: float = 3.0) -> float:
    """How large the voice packets are that this side sends."""
    before = (await person.stats())["out_audio"]
    await asyncio.sleep(over_s)
    after = (await person.stats())["out_audio"]
    return float((after["bytes"] - before["bytes"]) / max(1, after["packets"] - before["packets"]))


async def test_a_step_that_a_person_picks_is_what_goes_over_the_wire(
    stage: Stage, crowd_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, crowd_browser, blue_browser) as call:
        await call.both_decode()
        await asyncio.sleep(6)  # until the browser's own estimate is past its first seconds
        full = await picture(call.blue)
        assert full["height"] >= 360
        await choose(call.red, "less")
        await asyncio.sleep(3)
        less = await picture(call.blue)
        assert less["height"] <= 360
        assert less["fps"] <= 17
        assert less["kbps"] <= 300 * 1.2
        await choose(call.red, "small")
        await asyncio.sleep(3)
        small = await picture(call.blue)
        assert small["height"] <= 180
        assert small["fps"] <= 12
        assert 0 < small["kbps"] <= 100 * 1.25
        await choose(call.red, "paused")
        await says(call.blue, "#person-more", "Their picture is paused")
        await says(call.red, "#self-words", "Paused")
        await asyncio.sleep(1)
        none = await picture(call.blue, over_s=2)
        assert none["fps"] == none["kbps"] == 0
        await call.blue.hears_packets()
        await choose(call.red, "")
        await call.blue.decodes()
        await expect(call.blue.page.locator("#person")).to_be_hidden()


async def test_a_bad_line_pauses_the_picture_then_talks_without_and_comes_back(
    stage: Stage, crowd_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, crowd_browser, blue_browser) as call:
        await call.both_decode()
        stage.red.media.set(up=Conditions(loss=0.15), down=CLEAN)
        await says(call.red, "#toast-words", "Your picture is paused to keep the voice clear.", within_s=60)
        await says(call.blue, "#person-more", "Their picture is paused to keep the voice clear.")
        assert await call.blue.state() == "connected"
        await call.red.decodes()  # the other picture goes on
        for person in (call.red, call.blue):
            await person.in_mode("voice", within_s=40)
            await says(person, "#toast-words", "to keep the voice clear")
        await call.both_hear()
        stage.red.media.heal()
        for person in (call.red, call.blue):
            await person.in_mode("video", within_s=60)
        await call.both_decode(within_s=20)
        await call.red.page.wait_for_function(
            "document.querySelector('#self-words').textContent === 'You'", timeout=60_000
        )


async def test_a_lost_voice_becomes_chat_at_once_and_comes_back_when_asked(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, red_browser, blue_browser, mode="voice") as call:
        await call.both_hear()
        stage.red.media.cut()
        await call.red.page.wait_for_selector("#side:visible", timeout=8_000)
        await call.red.write("suara hilang, tapi ini sampai")
        await call.blue.reads("suara hilang, tapi ini sampai")
        for person in (call.red, call.blue):
            await person.in_mode("chat", within_s=30)
            await person.reaches("connected")
            await says(person, "#toast-words", "Let's go on by messages")
        stage.red.media.heal()
        await says(call.red, "#toast-words", "Would you like to talk again?", within_s=60)
        assert await call.red.page.get_attribute("main", "data-mode") == "chat"
        await call.red.page.click("#toast-do")
        for person in (call.red, call.blue):
            await person.in_mode("voice")
        await call.both_hear()


async def test_a_data_budget_pauses_both_pictures_and_says_how_long_it_lasts(
    stage: Stage, crowd_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, crowd_browser, blue_browser) as call:
        await call.both_decode()
        await asyncio.sleep(5)
        await call.red.act("saving")
        await call.red.page.fill("#budget", "11")
        await call.red.page.locator("#budget").blur()
        await says(call.red, "#budget-now", "minutes at this pace")
        await says(call.red, "#picture-now", "So that the data lasts.")
        await call.red.page.keyboard.press("Escape")
        await says(call.red, "#used-amount", "/ 11 MB")
        for person in (call.red, call.blue):
            await says(person, "#person-more", "Their picture is paused so that the data lasts.")
        await call.both_hear()
        await call.red.act("saving")
        await call.red.page.fill("#budget", "")
        await call.red.page.locator("#budget").blur()
        await call.red.page.keyboard.press("Escape")
        await call.both_decode()


async def test_the_voice_goes_twice_over_a_line_that_loses_much(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    async with two_people(stage, red_browser, blue_browser, mode="voice") as call:
        await call.both_hear()
        once = await voice_bytes(call.red)
        stage.red.media.set(up=Conditions(loss=0.08), down=CLEAN)
        await _sends(call, more_than=1.6 * once)
        assert await voice_bytes(call.blue) < 1.3 * once
        await call.blue.hears(RED)
        stage.red.media.heal()
        await _sends(call, less_than=1.3 * once)
        await call.blue.hears(RED)
        await call.red.hears(BLUE)


async def _sends(call: Call, *, more_than: float = 0.0, less_than: float = float("inf")) -> None:
    """Wait until the packets of red's voice have such a size."""
    async with asyncio.timeout(75):
        while not more_than <= await voice_bytes(call.red) <= less_than:
            pass
