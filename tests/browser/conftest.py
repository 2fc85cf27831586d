"""Two Chromiums for all modules, a Firefox and a server for each, and a network for each side."""

from __future__ import annotations

import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import ifaddr
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Playwright, async_playwright

from tests.browser.driver import Person, chromium, firefox, person_in
from tests.browser.media import BLUE, RED
from tests.e2e.server import Server, Session, free_port
from tests.netem.network import Network

ONE_LOOP = pytest.mark.asyncio(loop_scope="package")


def own_address() -> str:
    """The machine's own IPv4 address: Firefox checks no candidate at 127.0.0.1."""
    for adapter in ifaddr.get_adapters():
        for entry in adapter.ips:
            if entry.is_IPv4 and not str(entry.ip).startswith("127."):
                return str(entry.ip)
    return "127.0.0.1"


@dataclass(slots=True)
class Stage:
    """A running server with two networks before it: ``red``'s and ``blue``'s.

    ``host`` is the address at which the networks' media ports are.
    """

    server: Server
    red: Network
    blue: Network
    host: str
    http: aiohttp.ClientSession

    async def session(self, *, mode: str = "video", udp: bool = True) -> Session:
        """Make a session, with whole networks or such that block UDP."""
        for network in (self.red, self.blue):
            network.heal()
            network.media.block_udp(blocked=not udp)
        return await self.server.create_session(self.http, mode=mode)

    def link(self, join_url: str, network: Network) -> str:
        """The join link as it is reached through a network."""
        return urlsplit(join_url)._replace(netloc=network.http.netloc).geturl()

    async def close(self) -> None:
        """Stop everything."""
        await self.http.close()
        self.server.stop()
        await self.red.close()
        await self.blue.close()


async def set_up(folder: Path) -> Stage:
    """Start a server and both networks. Their HTTP sides are two loopback names on one port."""
    host = own_address()
    ports = [free_port(host) for _ in range(2)]
    server = Server(folder, media_addresses=tuple(f"{host}:{port}" for port in ports))
    http_port = free_port()
    names = ("127.0.0.1", "::1")
    networks = []
    for number, port in enumerate(ports):
        network = Network(
            media=("127.0.0.1", server.media_port), http=("127.0.0.1", server.http_port), seed=number + 1
        )
        await network.media.start(host, port)
        await network.http.start(names[number], http_port)
        networks.append(network)
    red, blue = networks
    server.extra["TEDUH_PUBLIC_URL"] = f"http://{red.http.netloc}"
    server.extra["TEDUH_EMBEDDERS"] = f"http://{blue.http.netloc}"
    server.start()
    return Stage(server, red, blue, host, aiohttp.ClientSession())


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    """The server and its networks, shared by the module's tests."""
    made = await set_up(tmp_path_factory.mktemp("stage"))
    try:
        yield made
    finally:
        await made.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def playwright() -> AsyncIterator[Playwright]:
    """The driver."""
    os.environ.setdefault("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1")
    async with async_playwright() as driver:
        yield driver


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def red_browser(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browser]:
    """A Chromium that shows red and sounds at 440 Hz."""
    browser = await chromium(playwright, RED, tmp_path_factory.mktemp("red"))
    yield browser
    await browser.close()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def blue_browser(
    playwright: Playwright, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Browser]:
    """A Chromium that shows blue and sounds at 880 Hz."""
    browser = await chromium(playwright, BLUE, tmp_path_factory.mktemp("blue"))
    yield browser
    await browser.close()


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def blue_firefox(playwright: Playwright) -> AsyncIterator[Browser]:
    """A Firefox that shows blue and sounds at 880 Hz."""
    browser = await firefox(playwright, BLUE)
    yield browser
    await browser.close()


@dataclass(slots=True)
class Call:
    """Two people who are in a call: ``red`` is the client, ``blue`` the counselor."""

    stage: Stage
    session: Session
    red: Person
    blue: Person

    async def both_decode(self, *, within_s: float = 15.0) -> None:
        """Frames and voice come again on both sides."""
        for person in (self.red, self.blue):
            await person.decodes(within_s=within_s)
            await person.hears_packets(within_s=within_s)

    async def both_hear(self, *, within_s: float = 15.0) -> None:
        """Voice packets come again on both sides."""
        for person in (self.red, self.blue):
            await person.hears_packets(within_s=within_s)


@contextlib.asynccontextmanager
async def two_people(
    stage: Stage, red_browser: Browser, blue_browser: Browser, *, mode: str = "video", udp: bool = True
) -> AsyncIterator[Call]:
    """Open both links and join. Fails if a page had a script error."""
    session = await stage.session(mode=mode, udp=udp)
    async with (
        person_in(red_browser, RED, media_port=stage.red.media.port) as red,
        person_in(blue_browser, BLUE, media_port=stage.blue.media.port) as blue,
    ):
        await red.open(stage.link(session.client.join_url, stage.red))
        await blue.open(stage.link(session.counselor.join_url, stage.blue))
        await red.join()
        await blue.join()
        await red.reaches("connected")
        await blue.reaches("connected")
        yield Call(stage, session, red, blue)
        assert red.errors == []
        assert blue.errors == []
