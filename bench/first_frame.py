"""From the click on join to the first picture of the other side, in Chromium.

    python -m bench.first_frame [--runs 20]

The other side waits in the room already. The time is the page's own: from the click event to the first
frame of ``<video id="remote">`` handed to the compositor (requestVideoFrameCallback).
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from bench.report import Figure, percentile, publish
from bench.sessions import Stage, serving
from tests.browser.driver import chromium, person_in
from tests.browser.media import BLUE, RED

P50_MS = 800.0
WATCH = """() => {
  window.shown = new Promise((resolve) => {
    let clicked = null;
    const video = document.getElementById("remote");
    document.addEventListener("click", () => (clicked ??= performance.now()), { capture: true, once: true });
    video.requestVideoFrameCallback((now) => resolve(performance.now() - clicked));
  });
}"""


async def one_run(stage: Stage, red: Browser, blue: Browser) -> float:
    """Milliseconds from blue's click to red's picture in blue's page."""
    session = await stage.server.create_session(stage.http)
    async with person_in(red, RED) as first, person_in(blue, BLUE) as second:
        await first.open(session.client.join_url)
        await first.join()
        await first.reaches("waiting")
        await second.open(session.counselor.join_url)
        await second.page.wait_for_selector("[data-action=join]:visible")
        await asyncio.sleep(1)  # the preview stands, as when a person has looked at it
        await second.page.evaluate(WATCH)
        await second.join()
        return float(await second.page.evaluate("window.shown"))


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--runs", type=int, default=20)
    options = asked.parse_args()
    took_ms: list[float] = []
    async with serving() as stage, async_playwright() as playwright:
        with tempfile.TemporaryDirectory() as folder:
            red, blue = [await chromium(playwright, look, Path(folder)) for look in (RED, BLUE)]
            version = red.version
            for _ in range(options.runs):
                took_ms.append(await one_run(stage, red, blue))
                print(f"  {took_ms[-1]:.0f} ms", flush=True)
            await red.close()
            await blue.close()
    p50 = percentile(took_ms, 0.5)
    publish(
        "First remote frame",
        [
            Figure(
                f"click on join to the first remote frame, {options.runs} runs, p50",
                f"{p50:.0f} ms",
                f"{P50_MS:.0f} ms",
                p50 <= P50_MS,
            ),
            Figure(
                "fastest, p90, slowest",
                f"{min(took_ms):.0f}, {percentile(took_ms, 0.9):.0f}, {max(took_ms):.0f} ms",
            ),
        ],
        f"Chromium {version}, headless, fake devices; two browsers, the server and the driver on one machine",
    )


if __name__ == "__main__":
    asyncio.run(main())
