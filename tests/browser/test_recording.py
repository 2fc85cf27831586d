"""The recording in the room as both see it: asked once, a sign that stays, off the record, stopped, again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import aiohttp
import pytest
import pytest_asyncio
from playwright.async_api import Browser

from counseling.entry import Medium
from counseling.triage import Risk
from tests.browser.conftest import ONE_LOOP
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.browser.talks import log_in, make_meeting
from tests.e2e.server import Server

pytestmark = ONE_LOOP

SHAPES = [
    (Shape(PHONE, "light", "id-ID"), Shape(DESK, "light", "en-GB")),
    (Shape(DESK, "dark", "id-ID"), Shape(PHONE, "dark", "en-GB")),
]


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """One server for the module."""
    made = Server(tmp_path_factory.mktemp("recording"))
    made.start()
    yield made
    made.stop()


@asynccontextmanager
async def talk(
    server: Server, browsers: tuple[Browser, Browser], shapes: tuple[Shape, Shape], recording: str = "ask"
) -> AsyncIterator[tuple[Room, Room]]:
    """Bring a client and a counselor together."""
    async with aiohttp.ClientSession() as http:
        session = await server.create_session(http, recording=recording)
    async with AsyncExitStack() as stack:
        both = []
        for browser, shape, place in zip(browsers, shapes, (session.client, session.counselor), strict=True):
            one = await stack.enter_async_context(room(browser, shape))
            await one.open(place.join_url)
            await one.join()
            both.append(one)
        for one in both:
            await one.reaches("connected")
        yield both[0], both[1]


async def stands(one: Room, state: str) -> None:
    """Wait until the sign says so."""
    await one.sees(f"#rec[data-state={state}]")


async def ask(one: Room, other: Room) -> None:
    """One side asks for a recording; the other sees the question."""
    await one.act("rec-ask")
    await one.act("rec-yes")
    await other.sees("#rec-question")


async def record(asker: Room, asked: Room) -> None:
    """One side asks, the other agrees, both see that it records."""
    await ask(asker, asked)
    await asked.act("rec-yes")
    await asyncio.gather(stands(asker, "on"), stands(asked, "on"))


@pytest.mark.parametrize("shapes", SHAPES, ids=lambda shapes: shapes[0].name)
async def test_both_agree_pause_stop_and_agree_again(
    server: Server, red_browser: Browser, blue_browser: Browser, shapes: tuple[Shape, Shape]
) -> None:
    async with talk(server, (red_browser, blue_browser), shapes) as (client, counselor):
        await stands(counselor, "off")
        await counselor.act("rec-ask")
        await counselor.audit("recording-wants-to-ask")
        await counselor.act("rec-yes")
        await client.sees("#rec-question")
        await stands(counselor, "asked")
        await asyncio.gather(client.audit("recording-asked"), counselor.audit("recording-waits"))
        await client.act("rec-yes")
        await asyncio.gather(stands(client, "on"), stands(counselor, "on"))
        assert not await client.page.is_visible("#rec-question")
        await asyncio.gather(client.audit("recording-on"), counselor.audit("recording-on"))
        await client.act("rec-pause")
        await asyncio.gather(stands(client, "paused"), stands(counselor, "paused"))
        assert not await counselor.page.is_visible("[data-action=rec-resume]"), "only who said so"
        await counselor.audit("recording-paused")
        await client.act("rec-resume")
        await stands(counselor, "on")
        await client.act("rec-stop")
        await client.sees("#rec-dialog")
        await client.audit("recording-stop")
        await client.page.click("#rec-dialog button[value=yes]")
        await asyncio.gather(stands(client, "off"), stands(counselor, "off"))
        await client.audit("recording-stopped")
        await client.act("rec-ask")
        await client.act("rec-yes")
        await asyncio.gather(stands(client, "on"), stands(counselor, "on"))


async def test_after_a_no_nothing_is_asked_and_the_talk_goes_on(
    server: Server, red_browser: Browser, blue_browser: Browser
) -> None:
    async with talk(server, (red_browser, blue_browser), SHAPES[0]) as (client, counselor):
        await ask(counselor, client)
        await client.act("rec-no")
        await stands(client, "off")
        await stands(counselor, "asked")
        for one in (client, counselor):
            await one.page.wait_for_selector("[data-action=rec-ask]", state="hidden")
            assert await one.page.is_visible("#rec-words")
            assert await one.page.get_attribute("main", "data-state") == "connected"
        await counselor.audit("recording-not")
        await client.act("leave")
        await client.reaches("left")
        assert not await client.page.is_visible("#gone-kept"), "they agreed to nothing"


@pytest.mark.parametrize("shapes", SHAPES, ids=lambda shapes: shapes[0].name)
async def test_who_came_by_a_link_is_told_who_opens_it_and_keeps_a_receipt(
    server: Server, red_browser: Browser, blue_browser: Browser, shapes: tuple[Shape, Shape]
) -> None:
    async with talk(server, (red_browser, blue_browser), shapes) as (client, counselor):
        await ask(counselor, client)
        assert await client.page.is_visible("#rec-who-guest")
        assert not await client.page.is_visible("#rec-who"), "there is no page of recordings for them"
        await client.audit("recording-asked-guest")
        await client.act("rec-yes")
        await asyncio.gather(stands(client, "on"), stands(counselor, "on"))
        await counselor.act("rec-stop")
        await counselor.sees("#rec-dialog")
        await counselor.audit("recording-stop-guest")
        await counselor.page.click("#rec-dialog button[value=yes]")
        await stands(client, "off")
        await client.act("rec-stop")
        await client.sees("#rec-dialog")
        await client.audit("recording-take-back-guest")
        await client.page.keyboard.press("Escape")
        await counselor.act("end")
        await counselor.page.click("#end-yes")
        await client.reaches("ended")
        await client.audit("recording-receipt")
        async with client.page.expect_download() as saving:
            await client.page.click("#gone-kept-link")
        saved = await (await saving.value).path()
        assert saved.read_text().startswith("eyJ"), "as it was signed"
        await client.page.reload()
        await client.join()
        await client.reaches("ended")
        assert await client.page.is_visible("#gone-kept-link"), "the server knows it too"


async def test_what_is_asked_after_a_no_beforehand_reaches_nobody(
    server: Server, red_browser: Browser, blue_browser: Browser
) -> None:
    meeting = await make_meeting(server, medium=Medium.VIDEO, risk=Risk.NONE, refuses_recording=True)
    async with room(red_browser, SHAPES[0][0]) as client, room(blue_browser, SHAPES[0][1]) as counselor:
        for one, person, path in (
            (client, meeting.client, meeting.client_room),
            (counselor, meeting.counselor, meeting.counselor_room),
        ):
            await log_in(one.page.context, server, server.url, person)
            await one.open(f"{server.url}{path}")
            await one.join()
        await asyncio.gather(client.reaches("connected"), counselor.reaches("connected"))
        await stands(client, "off")
        assert not await client.page.is_visible("[data-action=rec-ask]"), "a no holds for the whole session"
        await counselor.act("rec-ask")
        await counselor.act("rec-yes")
        await stands(counselor, "asked")
        await counselor.act("rec-stop")
        await stands(counselor, "off")
        await stands(client, "off")
        assert not await client.page.is_visible("#rec-question")
        await client.audit("recording-not-asked")


async def test_the_sign_is_there_again_after_a_reload(
    server: Server, red_browser: Browser, blue_browser: Browser
) -> None:
    async with talk(server, (red_browser, blue_browser), SHAPES[0]) as (client, counselor):
        await record(client, counselor)
        await client.page.reload()
        await client.reaches("connected")
        await asyncio.gather(stands(client, "on"), stands(counselor, "on"))
        await counselor.act("leave")
        await stands(client, "off")


async def test_a_withdrawal_does_not_wait_for_a_lost_line(
    server: Server, red_browser: Browser, blue_browser: Browser
) -> None:
    async with talk(server, (red_browser, blue_browser), SHAPES[0]) as (client, counselor):
        await record(counselor, client)
        await client.page.evaluate("WebSocket.prototype.send = () => undefined")
        await client.act("rec-stop")
        await client.page.click("#rec-dialog button[value=yes]")
        await stands(counselor, "off")


async def test_where_nothing_may_be_asked_there_is_no_sign(
    server: Server, red_browser: Browser, blue_browser: Browser
) -> None:
    async with talk(server, (red_browser, blue_browser), SHAPES[0], recording="off") as (client, counselor):
        for one in (client, counselor):
            assert not await one.page.is_visible("#rec")
