"""What the room costs before anybody speaks, and whom it asks."""

from __future__ import annotations

import gzip
from collections.abc import AsyncIterator

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Response

from tests.browser.conftest import ONE_LOOP
from tests.browser.rooms import PHONE, Shape, room
from tests.e2e.server import Server

pytestmark = ONE_LOOP

LIMIT_BYTES = 60_000
SHAPE = Shape(PHONE, "light", "id-ID")


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One server for the module."""
    made = Server(tmp_path_factory.mktemp("weight"))
    made.start()
    yield made
    made.stop()


async def test_the_page_is_light_and_asks_nobody_else(red_browser: Browser, server: Server) -> None:
    async with aiohttp.ClientSession() as http:
        session = await server.create_session(http)
    answers: list[Response] = []

    def heard(answer: Response) -> None:
        answers.append(answer)

    async with room(red_browser, SHAPE) as one:
        one.page.on("response", heard)
        await one.open(session.client.join_url)
        await one.join()
        await one.reaches("waiting")
        await one.page.wait_for_timeout(500)
        assert await one.page.evaluate("window.violations") == []
        sizes = {answer.url: len(gzip.compress(await answer.body(), 9)) for answer in answers}
        packed = {answer.url: answer.headers.get("content-encoding") for answer in answers}
    assert all(url.startswith(server.url) for url in sizes)
    modules = [url for url in sizes if url.endswith((".js", ".css"))]
    assert len(modules) > 10
    assert {packed[url] for url in modules} == {"gzip"}
    assert sum(sizes.values()) <= LIMIT_BYTES, sizes


async def test_no_code_stays_in_address_history_or_storage(red_browser: Browser, server: Server) -> None:
    async with aiohttp.ClientSession() as http:
        session = await server.create_session(http)
    code = session.client.join_url.rpartition("#")[2]
    asked: list[str] = []
    async with room(red_browser, SHAPE) as one:
        one.page.on("request", lambda request: asked.append(request.url))
        await one.open(session.client.join_url)
        await one.join()
        await one.reaches("waiting")
        assert code not in one.page.url
        stored = await one.page.evaluate("JSON.stringify([{...sessionStorage}, {...localStorage}])")
        assert code not in stored
        assert await one.page.evaluate("document.cookie") == ""
        await one.page.go_back()
        assert code not in one.page.url
    assert not any(code in url.partition("#")[0] for url in asked)
