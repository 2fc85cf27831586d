"""How heavy the room page is: every request that Chromium makes for it, compressed as gzip does.

python -m bench.page
"""

from __future__ import annotations

import asyncio
import gzip
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.async_api import Response, async_playwright

from bench.report import Figure, publish
from bench.sessions import serving
from tests.browser.driver import chromium, person_in
from tests.browser.media import RED

LIMIT_KB = 60.0
SETTLE_MS = 1_500


@dataclass(frozen=True, slots=True)
class Part:
    """One answer: bytes of the body, its gzip size, and bytes as they went over the wire."""

    path: str
    plain: int
    gzipped: int
    sent: int


async def part(response: Response) -> Part:
    body = await response.body()
    sizes = await response.request.sizes()
    sent = sizes["responseBodySize"] + sizes["responseHeadersSize"]
    return Part(urlsplit(response.url).path, len(body), len(gzip.compress(body, 6)), sent)


async def main() -> None:
    seen: list[Response] = []
    async with serving() as stage, async_playwright() as playwright:
        session = await stage.server.create_session(stage.http)
        with tempfile.TemporaryDirectory() as folder:
            browser = await chromium(playwright, RED, Path(folder))
            version = browser.version
            async with person_in(browser, RED) as person:
                person.page.on("response", lambda response: seen.append(response))  # noqa: PLW0108  # Playwright writes to the function
                await person.open(session.client.join_url)
                await person.page.wait_for_selector("[data-action=join]:visible")
                await person.page.wait_for_timeout(SETTLE_MS)
                parts = [await part(response) for response in seen if response.ok]
            await browser.close()
    for one in sorted(parts, key=lambda one: -one.gzipped):
        print(f"  {one.gzipped:6d} B gzip, {one.plain:6d} B plain, {one.sent:6d} B sent  {one.path}")
    gzipped_kb = sum(one.gzipped for one in parts) / 1000
    sent_kb = sum(one.sent for one in parts) / 1000
    hosts = {urlsplit(response.url).netloc for response in seen}
    publish(
        "Room page",
        [
            Figure(
                f"room page up to its preview, {len(parts)} requests, gzip",
                f"{gzipped_kb:.1f} kB",
                f"at most {LIMIT_KB:.0f} kB",
                gzipped_kb <= LIMIT_KB,
            ),
            Figure("the same as the server sent it, headers included", f"{sent_kb:.1f} kB"),
        ],
        f"Chromium {version}; hosts asked: {len(hosts)}",
    )


if __name__ == "__main__":
    asyncio.run(main())
