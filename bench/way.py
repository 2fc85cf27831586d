"""From the front page to the talk: a stranger on a phone, an idle counselor at an open desk, real Chromiums.

    python -m bench.way [--runs 3]

Every click and answer of both takes ``CLICK_S``, about as long as somebody needs who reads along; the times
are from the front page's first byte to the queue, and to both pages saying that they are connected. Beside
them, how heavy each page on the way is at a first visit.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import re
import tempfile
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from playwright.async_api import Browser, Page, Response, async_playwright

from bench.report import Figure, publish
from bench.sessions import Stage, serving
from counseling import desks
from tests.browser.counselors import audit_of, counselor, database_of, enter
from tests.browser.driver import chromium
from tests.browser.media import BLUE, RED
from tests.browser.rooms import DESK, PHONE, Room, Shape, room

LANGUAGES: Final = ("id-ID", "en-GB")
CLICK_S: Final = 1.5
QUEUE_S: Final = 45.0
CONNECTED_S: Final = 90.0
LIMIT_KB: Final = 60.0
ROOM: Final = re.compile(r"/room/p_\w+$")
ANSWERS: Final = (
    "input[name=danger][value=no]",
    "input[name=alone][value=yes]",
    "input[name=age][value=adult]",
    "input[name=medium][value=voice]",
    "#consent",
)


@dataclass(slots=True)
class Weight:
    """What each page of the way cost at a first visit: gzip bytes of all its requests, by path."""

    kb: dict[str, float] = field(default_factory=dict)
    heard: list[Response] = field(default_factory=list)

    async def note(self, path: str) -> None:
        """Count what came since; nothing of it was there before."""
        bodies = [await one.body() for one in self.heard if one.ok]
        self.kb[path] = sum(len(gzip.compress(body, 6)) for body in bodies) / 1000
        self.heard.clear()


async def click(page: Page, selector: str) -> None:
    """Read, then click."""
    await asyncio.sleep(CLICK_S)
    await page.click(selector)


async def one_run(stage: Stage, red: Browser, blue: Browser, locale: str) -> tuple[float, float]:
    """Seconds until the queue, and until both are connected."""
    server = stage.server
    person = await counselor(server, name="Ratna", language=locale[:2])
    async with (
        room(blue, Shape(DESK, "light", locale)) as desk,
        room(red, Shape(PHONE, "light", locale)) as client,
    ):
        await enter(desk, server, person)
        await desk.page.goto(f"{server.public_url}/counselor/desk")
        await desk.page.click("form[action='/counselor/desk/open'] button")
        helping = asyncio.create_task(at_work(desk))
        began_s = time.monotonic()
        await client.page.goto(server.public_url)
        await click(client.page, "main a[href='/talk']")
        for answer in ANSWERS:
            await click(client.page, answer)
        await asyncio.sleep(CLICK_S)
        await client.page.select_option("#topic", "stress")
        await click(client.page, "form[action='/talk'] .rest button[type=submit]")
        await client.page.wait_for_url("**/talk/waiting")
        queue_s = time.monotonic() - began_s
        await client.page.wait_for_url(ROOM)
        await click(client.page, "[data-action=join]:enabled")
        await helping
        for one in (client, desk):
            await one.reaches("connected")
        connected_s = time.monotonic() - began_s
    async with database_of(server) as db:
        await desks.close_desk(db, audit_of(server), counselor=person.id, now=datetime.now(UTC))
    return queue_s, connected_s


async def at_work(desk: Room) -> None:
    """The counselor accepts who is offered, and joins."""
    await desk.page.wait_for_selector("[data-offer]", timeout=60_000)
    await click(desk.page, "form[action='/counselor/desk/accept'] button")
    await desk.page.wait_for_url(ROOM)
    await click(desk.page, "[data-action=join]:enabled")


async def weigh(stage: Stage, browser: Browser) -> dict[str, float]:
    """Weigh each page at a first visit: nothing of ours is there but a login where the page needs one."""
    found: dict[str, float] = {}
    for path in ("/", "/talk"):
        async with room(browser, Shape(PHONE, "light", "id-ID")) as one:
            found |= await weighed(one.page, stage.server.public_url, path)
    async with room(browser, Shape(PHONE, "light", "id-ID")) as one:
        await one.page.goto(f"{stage.server.public_url}/talk")
        for answer in ANSWERS:
            await one.page.click(answer)
        await one.page.select_option("#topic", "stress")
        await one.page.click("form[action='/talk'] .rest button[type=submit]")
        cookies = await one.page.context.cookies()
        for path in ("/talk/waiting", "/me/counselor", "/talk/intake", "/talk/ready", "/talk/else"):
            async with room(browser, Shape(PHONE, "light", "id-ID")) as fresh:
                await fresh.page.context.add_cookies(
                    [
                        {"name": each["name"], "value": each["value"], "url": stage.server.public_url}
                        for each in cookies
                    ]
                )
                found |= await weighed(fresh.page, stage.server.public_url, path)
    return found


async def weighed(page: Page, url: str, path: str) -> dict[str, float]:
    """Weigh one page."""
    weight = Weight()
    page.on("response", lambda answer: weight.heard.append(answer))  # noqa: PLW0108  # Playwright writes to the function
    await page.goto(url + path)
    await page.wait_for_timeout(800)
    assert urlsplit(page.url).path == path, page.url
    await weight.note(path)
    return weight.kb


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--runs", type=int, default=3)
    options = asked.parse_args()
    took: dict[str, list[tuple[float, float]]] = {locale: [] for locale in LANGUAGES}
    async with serving() as stage, async_playwright() as playwright:
        with tempfile.TemporaryDirectory() as folder:
            red, blue = [await chromium(playwright, look, Path(folder)) for look in (RED, BLUE)]
            version = red.version
            for locale in LANGUAGES:
                for _ in range(options.runs):
                    took[locale].append(await one_run(stage, red, blue, locale))
                    print(
                        "  {}: queue {:.1f} s, connected {:.1f} s".format(locale, *took[locale][-1]),
                        flush=True,
                    )
            heavy = await weigh(stage, red)
            await red.close()
            await blue.close()
    figures = []
    for locale, runs in took.items():
        for what, number, limit_s in (("in the queue", 0, QUEUE_S), ("connected", 1, CONNECTED_S)):
            worst_s = max(run[number] for run in runs)
            figures.append(
                Figure(
                    f"front page to {what}, {locale[:2]}, slowest of {len(runs)}",
                    f"{worst_s:.1f} s",
                    f"{limit_s:.0f} s",
                    worst_s <= limit_s,
                )
            )
    for path, kb in heavy.items():
        figures.append(
            Figure(f"{path} at a first visit, gzip", f"{kb:.1f} kB", f"{LIMIT_KB:.0f} kB", kb <= LIMIT_KB)
        )
    publish(
        "The way to a counselor",
        figures,
        f"Chromium {version}, headless, fake devices; {CLICK_S} s for each click of each side",
    )


if __name__ == "__main__":
    asyncio.run(main())
