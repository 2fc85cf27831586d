"""Forms of the real server, sent as a browser without script does."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass

import aiohttp

HIDDEN = re.compile(r'<input type="hidden" name="(csrf|once)" value="([^"]*)">')


@dataclass(frozen=True, slots=True)
class FilledForm:
    """A form that was opened once; it may be sent as often as it is refused."""

    http: aiohttp.ClientSession
    url: str
    hidden: dict[str, str]

    async def send(self, **fields: str) -> tuple[int, float]:
        """Send it with these fields; gives the status, and how long the answer took in ms."""
        began_s = time.perf_counter()
        async with self.http.post(self.url, data=self.hidden | fields, allow_redirects=False) as answer:
            await answer.read()
            return answer.status, (time.perf_counter() - began_s) * 1000


async def opened(http: aiohttp.ClientSession, url: str) -> FilledForm:
    """Open a page with one form."""
    async with http.get(url, headers={"Accept": "text/html"}) as answer:
        answer.raise_for_status()
        return FilledForm(http, url, dict(HIDDEN.findall(await answer.text())))
