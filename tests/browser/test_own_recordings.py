"""The whole way of two people with logins: recorded, found on their own page, stored, and destroyed."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from accounts.people import Person
from accounts.roles import Role
from core.ids import ParticipantId
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import look, press
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.browser.test_trust import Service
from tests.e2e.server import Server
from web.render import make_renderer

pytestmark = ONE_LOOP

RENDERER = make_renderer()
ON_PHONE, AT_DESK = Shape(PHONE, "light", "id-ID"), Shape(DESK, "dark", "en-GB")
PAGE = "/me/recordings"
STORED_MS, DESTROYED_MS = 60_000, 60_000
TALK_S = 4


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A server of its own."""
    server = Server(tmp_path_factory.mktemp("own_recordings"))
    server.start()
    made = Service(server)
    yield made
    await made.database.close()
    server.stop()


async def places(house: Service, client: Person, counselor: Person) -> list[ParticipantId]:
    """Make a session of these two that may be recorded."""
    async with house.database.sessions.begin() as db:
        made = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.ASK,
            participants=[
                NewParticipant(directory.Role.CLIENT, client.name, client.id),
                NewParticipant(directory.Role.COUNSELOR, counselor.name, counselor.id),
            ],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=datetime.now(UTC),
        )
    return [one.id for one in made.session.participants]


async def record(house: Service, one: Room, other: Room, sits: list[ParticipantId]) -> None:
    """Talk for a while, recorded, and end it."""
    for person, place in ((one, sits[0]), (other, sits[1])):
        await person.open(f"{house.server.url}/room/{place}")
        await person.join()
    await asyncio.gather(one.reaches("connected"), other.reaches("connected"))
    await one.act("rec-ask")
    await one.act("rec-yes")
    await other.sees("#rec-question")
    await other.act("rec-yes")
    await asyncio.gather(*(each.sees("#rec[data-state=on]") for each in (one, other)))
    await asyncio.sleep(TALK_S)
    await other.act("end")
    await other.page.click("#end-yes")
    await asyncio.gather(one.reaches("ended"), other.reaches("ended"))


async def until_it_says(one: Room, state: str, within_ms: int) -> None:
    """Open the page of the recording again and again, until it stands so."""
    words = RENDERER.text(one.shape.locale[:2], f"own_recording.state_{state}")
    async with asyncio.timeout(within_ms / 1000):
        while words not in await one.page.inner_text("dl.facts"):
            await asyncio.sleep(1)
            await one.page.reload()


async def test_a_recording_is_found_stored_and_destroyed(
    red_browser: Browser, blue_browser: Browser, house: Service
) -> None:
    client = await house.person(name="Embun Pagi", language="id")
    counselor = await house.person(Role.COUNSELOR, name="Ratna", language="en")
    async with room(red_browser, ON_PHONE) as one, room(blue_browser, AT_DESK) as other:
        await house.log_in(one, client)
        await house.log_in(other, counselor)
        await one.page.goto(f"{house.server.url}{PAGE}")
        await look(one, "own-recordings-none")
        await record(house, one, other, await places(house, client, counselor))
        for each in (one, other):
            await each.page.goto(f"{house.server.url}{PAGE}")
            await look(each, "own-recordings")
            await each.page.click(".cards a")
            await until_it_says(each, "stored", STORED_MS)
            await look(each, "own-recording")
        own = one.page.url.partition(house.server.url)[2]
        await one.page.click("summary")
        await look(one, "own-recording-sure")
        await press(one.page, f"{own}/withdraw")
        await expect(one.page.locator(".done")).to_be_visible()
        await until_it_says(one, "destroyed", DESTROYED_MS)
        await look(one, "own-recording-gone")
    folders = [path for path in (house.server.data_dir / "recordings").rglob("*.age") if path.is_file()]
    assert folders == []


async def test_a_counselor_closes_one_and_the_client_keeps_it(
    red_browser: Browser, blue_browser: Browser, house: Service
) -> None:
    client = await house.person(name="Sekar Ayu", language="id")
    counselor = await house.person(Role.COUNSELOR, name="Bima", language="en")
    async with room(red_browser, ON_PHONE) as one, room(blue_browser, AT_DESK) as other:
        await house.log_in(one, client)
        await house.log_in(other, counselor)
        await record(house, one, other, await places(house, client, counselor))
        await other.page.goto(f"{house.server.url}{PAGE}")
        await other.page.click(".cards a")
        own = other.page.url.partition(house.server.url)[2]
        await other.page.click("summary")
        await press(other.page, f"{own}/withdraw")
        await look(other, "own-recording-closed")
        await one.page.goto(f"{house.server.url}/me/notices")
        await one.page.click(f"a[href='{PAGE}']")
        await one.page.click(".cards a")
        await look(one, "own-recording-closed")
        await press(one.page, f"{own}/hold")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "own-recording-held")
