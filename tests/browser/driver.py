"""Starting the browsers, and one person in one page: joining, acting, and what is seen and heard."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, BrowserContext, Page, Playwright

from tests.browser.media import BLUE, RED, Look

CHROMIUM = "/usr/bin/chromium"
FIREFOX = "/usr/bin/firefox-esr"
PROBE = Path(__file__).with_name("probe.js").read_text(encoding="utf-8")
WITHIN_S = 15.0
PRESS_MS = 8_000
TONE_MS = 1_300

# Playwright's emulation of these is unknown to Firefox ESR's BiDi: "null" leaves them alone.
FIREFOX_CONTEXT: dict[str, Any] = {
    "color_scheme": "null",
    "reduced_motion": "null",
    "forced_colors": "null",
    "contrast": "null",
}


async def chromium(
    playwright: Playwright, look: Look, folder: Path, *, program: str = CHROMIUM, origin: str | None = None
) -> Browser:
    """Debian's Chromium whose fake devices give this tone and colour.

    Pages of ``origin`` may use them though they have no HTTPS, as those of localhost may.
    """
    wav, y4m = look.write(folder)
    return await playwright.chromium.launch(
        executable_path=program,
        args=[
            *([] if origin is None else [f"--unsafely-treat-insecure-origin-as-secure={origin}"]),
            "--no-sandbox",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            "--autoplay-policy=no-user-gesture-required",
            "--disable-background-timer-throttling",
            "--disable-renderer-backgrounding",
            "--disable-backgrounding-occluded-windows",
            f"--use-file-for-fake-audio-capture={wav}",
            f"--use-file-for-fake-video-capture={y4m}",
        ],
    )


async def firefox(playwright: Playwright, look: Look) -> Browser:
    """Debian's Firefox ESR whose fake microphone gives this tone; the probe paints the colour."""
    return await playwright.firefox.launch(
        channel="moz-firefox",
        executable_path=FIREFOX,
        firefox_user_prefs={
            "media.navigator.permission.disabled": True,
            "media.navigator.streams.fake": True,
            "media.navigator.audio.fake_frequency": look.tone_hz,
            "media.autoplay.default": 0,
            "media.autoplay.blocking_policy": 0,
            "media.autoplay.block-webaudio": False,
            "media.peerconnection.ice.loopback": True,
            "media.peerconnection.ice.obfuscate_host_addresses": False,
        },
    )


class Person:
    """One participant in one page. ``look`` is what this side sends."""

    def __init__(self, page: Page, look: Look) -> None:
        self.page = page
        self.look = look
        self.errors: list[str] = []
        page.set_default_timeout(PRESS_MS)
        page.on("pageerror", self._went_wrong)

    def _went_wrong(self, error: Exception) -> None:
        # Firefox reports a WebSocket that a network fault took as an error of the page.
        if not re.search(r"connection .*\bwss?://", str(error)):
            self.errors.append(str(error))

    async def open(self, url: str) -> None:
        """Open a join link (or the room again) up to its preview."""
        await self.page.goto(url)
        await self.page.wait_for_selector("main[data-state]", state="attached")

    async def join(self, *, mode: str | None = None) -> None:
        """Press join on the preview."""
        if mode is not None:
            await self.page.check(f"input[name=mode][value={mode}]", force=True)
        await self.act("join")

    async def act(self, action: str) -> None:
        """Press a control."""
        await self.page.click(f"[data-action={action}]:visible")

    async def state(self) -> str:
        """The page's ``data-state``."""
        return str(await self.page.get_attribute("main", "data-state"))

    async def reaches(self, *states: str, within_s: float = WITHIN_S) -> None:
        """Wait until the page is in one of the states."""
        selector = ",".join(f"main[data-state={state}]" for state in states)
        try:
            await self.page.wait_for_selector(selector, timeout=within_s * 1000)
        except Exception as error:
            raise AssertionError(
                f"{self.look.name}: {await self.state()} instead of {states}; {self.errors}"
            ) from error

    async def in_mode(self, mode: str, *, within_s: float = WITHIN_S) -> None:
        """Wait until the page shows this mode."""
        await self.page.wait_for_selector(f"main[data-mode={mode}]", timeout=within_s * 1000)

    async def stats(self) -> dict[str, Any]:
        """Counters of the newest peer connection."""
        found: dict[str, Any] = await self.page.evaluate("probe.stats()")
        return found

    async def count(self, stream: str, counter: str) -> float:
        """One counter, such as ``in_video`` ``frames``; 0 while there is no such stream."""
        found = await self.stats()
        return float(found.get(stream, {}).get(counter, 0))

    async def decodes(self, *, frames: int = 5, within_s: float = WITHIN_S) -> None:
        """Wait until this many more frames of the other side were decoded on one connection."""
        await self.grows("in_video", "frames", by=frames, within_s=within_s)

    async def hears_packets(self, *, by: int = 10, within_s: float = WITHIN_S) -> None:
        """Wait until this many more voice packets came."""
        await self.grows("in_audio", "packets", by=by, within_s=within_s)

    async def grows(self, stream: str, counter: str, *, by: float, within_s: float) -> None:
        """Wait until a counter has grown; a new connection begins anew."""
        base = await self.count(stream, counter)
        now = base
        try:
            async with asyncio.timeout(within_s):
                while now - base < by:
                    await asyncio.sleep(0.1)
                    now = await self.count(stream, counter)
                    base = min(base, now)
        except TimeoutError:
            raise AssertionError(
                f"{self.look.name}: {stream}.{counter} grew from {base} to {now} in {within_s} s"
            ) from None

    async def sees(self, look: Look, *, within_s: float = WITHIN_S) -> None:
        """Wait until the remote picture has the other side's colour."""
        colour = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    colour = await self.page.evaluate("probe.colour()")
                    if colour and all(abs(a - b) < 60 for a, b in zip(colour, look.rgb, strict=True)):
                        return
                    await asyncio.sleep(0.2)
        raise AssertionError(f"{self.look.name} sees {colour}, not {look.name} {look.rgb}")

    async def hears(self, look: Look, *, within_s: float = WITHIN_S) -> None:
        """Wait until what is heard is mostly the other side's tone."""
        tones = None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while True:
                    asked = [look.tone_hz, RED.tone_hz, BLUE.tone_hz]
                    tones = await self.page.evaluate(f"probe.tones({asked}, {TONE_MS})")
                    if tones and tones["loudness"] > 1e-6 and tones["shares"][0] > 0.5:
                        return
                    await asyncio.sleep(0.2)
        raise AssertionError(f"{self.look.name} hears {tones}, not {look.tone_hz} Hz")

    async def transport(self) -> set[str]:
        """Which protocols the selected pairs use."""
        return {str(pair["protocol"]) for pair in (await self.stats())["pairs"]}

    async def write(self, text: str) -> None:
        """Send a line of chat."""
        if await self.page.get_attribute("[data-action=chat]", "aria-expanded") != "true":
            await self.act("chat")
        await self.page.fill("#line", text)
        await self.act("send")

    async def reads(self, text: str, *, within_s: float = WITHIN_S) -> None:
        """Wait until a line of chat stands in the page."""
        lines = self.page.locator("#lines").get_by_text(text)
        await lines.first.wait_for(state="attached", timeout=within_s * 1000)


@contextlib.asynccontextmanager
async def person_in(
    browser: Browser,
    look: Look,
    *,
    media_port: int | None = None,
    context: BrowserContext | None = None,
    locale: str = "en-US",
) -> AsyncIterator[Person]:
    """A person in a context of its own (or the given one), whose media goes to ``media_port`` alone."""
    is_firefox = browser.browser_type.name == "firefox"
    own = context is None
    if context is None:
        context = await new_context(browser, locale=locale)
    page = await context.new_page()
    paint = f"rgb{look.rgb}" if is_firefox else None
    script = PROBE.replace("__PORT__", json.dumps(media_port)).replace("__LOOK__", json.dumps(paint))
    await page.add_init_script(script)
    person = Person(page, look)
    try:
        yield person
    finally:
        await (context.close() if own else page.close())


async def new_context(browser: Browser, *, locale: str = "en-US") -> BrowserContext:
    """A browser context with camera and microphone allowed."""
    if browser.browser_type.name == "firefox":
        return await browser.new_context(locale=locale, **FIREFOX_CONTEXT)
    return await browser.new_context(locale=locale, permissions=["camera", "microphone"])
