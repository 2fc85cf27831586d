"""A server for the page tests, and two people who met in it."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from tests.browser.rooms import Room, Shape, room
from tests.e2e.server import Server, Session


@dataclass(slots=True)
class House:
    """A running server and what asks it for sessions."""

    server: Server
    http: aiohttp.ClientSession

    async def session(self, mode: str = "video") -> Session:
        """Make a session."""
        return await self.server.create_session(self.http, mode=mode)

    @contextlib.contextmanager
    def standing_still(self) -> Iterator[None]:
        """The server does nothing for a while: to both pages it is their own line that broke."""
        assert self.server.process is not None
        os.kill(self.server.process.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.server.process.pid, signal.SIGCONT)


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    """One server for the module."""
    server = Server(tmp_path_factory.mktemp("house"))
    server.extra["TEDUH_QUICK_EXIT_URL"] = f"http://127.0.0.1:{server.http_port}/healthz"
    server.start()
    async with aiohttp.ClientSession() as http:
        yield House(server, http)
    server.stop()


@contextlib.asynccontextmanager
async def meeting(
    browser: Browser, house: House, shapes: tuple[Shape, Shape]
) -> AsyncIterator[tuple[Room, Room, Session]]:
    """Two people who have met: a client on a phone and a counselor at a desk."""
    session = await house.session()
    async with room(browser, shapes[0]) as phone, room(browser, shapes[1]) as desk:
        await phone.open(session.client.join_url)
        await desk.open(session.counselor.join_url)
        for one in (phone, desk):
            await one.join()
        for one in (phone, desk):
            await one.reaches("connected")
            await one.sees("#remote")
        yield phone, desk, session
