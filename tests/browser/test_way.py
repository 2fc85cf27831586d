"""From the front page to the talk, in real browsers and both languages, and what may happen on the way."""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from accounts.people import Person
from counseling import desks
from tests.browser.conftest import ONE_LOOP
from tests.browser.counselors import audit_of, counselor, database_of, enter
from tests.browser.paper import at, look, press
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.e2e.server import Server

pytestmark = ONE_LOOP

SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), id="phone-id"),
    pytest.param(Shape(DESK, "dark", "en-GB"), id="desk-en"),
]
ROOM = re.compile(r"/room/p_\w+$")
SOON_MS = 20_000
JOIN = "form[action='/talk'] .rest button[type=submit]"


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server of its own."""
    server = Server(tmp_path_factory.mktemp("way"))
    server.start()
    yield server
    server.stop()


@contextlib.asynccontextmanager
async def at_desk(
    browser: Browser, service: Server, shape: Shape, *, name: str = "Ratna"
) -> AsyncIterator[tuple[Room, Person]]:
    """A counselor at an open desk, who gets up afterwards."""
    person = await counselor(service, name=name, language=shape.locale[:2])
    async with room(browser, shape) as desk:
        await enter(desk, service, person)
        await desk.page.goto(f"{service.public_url}/counselor/desk")
        await look(desk, "way-desk-closed")
        await press(desk.page, "/counselor/desk/open")
        await expect(desk.page.locator("form[action='/counselor/desk/close']")).to_be_visible()
        yield desk, person
    async with database_of(service) as db:
        await desks.close_desk(db, audit_of(service), counselor=person.id, now=datetime.now(UTC))


async def answer(one: Room, *, alone: str = "yes", age: str | None = "adult", medium: str = "voice") -> None:
    """Answer the five questions."""
    page = one.page
    await page.check("input[name=danger][value=no]")
    await page.check(f"input[name=alone][value={alone}]")
    if age is not None:
        await page.check(f"input[name=age][value={age}]")
    await page.select_option("#topic", "stress")
    if alone == "yes":
        await page.check(f"input[name=medium][value={medium}]")
    if age is not None:
        await page.check("#consent")


async def walk_in(one: Room, service: Server, **answers: str) -> None:
    """From the front page into the queue."""
    await one.page.goto(service.public_url)
    await one.page.click("main a[href='/talk']")
    await answer(one, **answers)
    await one.page.click(JOIN)


async def meet(client: Room, desk: Room) -> None:
    """The counselor accepts, and both come into the room."""
    await expect(desk.page.locator("[data-offer]")).to_be_visible(timeout=SOON_MS)
    await press(desk.page, "/counselor/desk/accept")
    await expect(desk.page).to_have_url(ROOM)
    await expect(client.page).to_have_url(ROOM, timeout=SOON_MS)
    for one in (desk, client):
        await one.page.wait_for_selector("main[data-state]")
        await one.join()
    for one in (desk, client):
        await one.reaches("connected")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_stranger_comes_from_the_front_page_into_a_call(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    async with at_desk(blue_browser, service, shape) as (desk, _), room(red_browser, shape) as client:
        await client.page.goto(service.public_url)
        await look(client, "way-front")
        await client.page.click("main a[href='/talk']")
        await look(client, "way-walkin")
        await client.page.click(JOIN)
        await expect(client.page.locator("#wrong")).to_be_focused()
        await look(client, "way-walkin-wrong")
        await answer(client)
        await client.page.click(JOIN)
        await at(client.page, "/talk/waiting")
        await look(client, "way-waiting")
        await expect(desk.page.locator("[data-offer]")).to_be_visible(timeout=SOON_MS)
        await look(desk, "way-desk-offer")
        await meet(client, desk)
        await expect(client.page.locator("main[data-mode=voice]")).to_be_visible()
        await desk.page.goto(f"{service.public_url}/counselor/desk")
        await look(desk, "way-desk-talking")
        await press(desk.page, "/counselor/desk/end")
        await look(desk, "way-desk-after")
        await client.reaches("ended")


@pytest.mark.parametrize("shape", SHAPES)
async def test_who_cannot_speak_freely_writes_on_a_page_that_names_nothing(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as client:
        await walk_in(client, service, alone="no")
        await at(client.page, "/talk/waiting")
        await expect(client.page.locator("#violence")).to_be_visible()
        await expect(client.page.locator("#sound")).to_have_count(0)
        assert (await client.page.title()) in {"Notes", "Catatan"}
        await look(client, "way-waiting-not-alone")
        await client.page.fill("#word-new", "kencur")
        await client.page.click("#word-choose button")
        async with at_desk(blue_browser, service, shape) as (desk, _):
            await expect(desk.page.locator("[data-offer]")).to_be_visible(timeout=SOON_MS)
            await look(desk, "way-desk-offer-not-alone")
            await meet(client, desk)
            await expect(client.page.locator("main[data-mode=chat]")).to_be_visible()


@pytest.mark.parametrize("shape", SHAPES)
async def test_who_says_danger_sees_one_button_and_is_called_for(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as client:
        await client.page.goto(f"{service.public_url}/talk")
        await client.page.check("input[name=danger][value=yes]")
        await expect(client.page.locator("#topic")).to_be_hidden()
        await look(client, "way-walkin-danger")
        await client.page.click(".danger-now button")
        await at(client.page, "/talk/urgent")
        await press(client.page, "/talk/urgent/leave")
        await expect(client.page.locator("[role=status].done")).to_be_visible()


@pytest.mark.parametrize("shape", SHAPES)
async def test_under_18_is_told_kindly_what_there_is(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as client:
        await walk_in(client, service, age="minor")
        await at(client.page, "/start/under-18")
        await client.page.click("main a[href='/crisis']")
        await at(client.page, "/crisis")
        assert await client.page.context.cookies() == []


@pytest.mark.parametrize("shape", SHAPES)
async def test_one_tap_leads_to_another_counselor_and_history_moves_by_a_tick(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as client:
        async with at_desk(blue_browser, service, shape) as (desk, _):
            await walk_in(client, service)
            await meet(client, desk)
            await client.page.goto(f"{service.public_url}/me/counselor")
            await look(client, "way-wishes-talking")
            await press(client.page, "/me/counselor/change")
            await at(client.page, "/talk/waiting")
            await desk.reaches("ended")
            await desk.page.goto(f"{service.public_url}/counselor/desk")
            await expect(desk.page.locator("#waiting + p")).to_be_visible()
        async with at_desk(blue_browser, service, shape, name="Bima") as (desk, _):
            await expect(desk.page.locator("[data-offer]")).to_be_visible(timeout=SOON_MS)
            await press(desk.page, "/counselor/desk/accept")
            await expect(client.page.locator("#shares")).to_be_visible(timeout=SOON_MS)
            await look(client, "way-waiting-ready")
            await client.page.check("#shares")
            await press(client.page, "/me/counselor/share")
            await expect(client.page.locator("#shares")).to_be_checked()
            await client.page.click("#go")
            await expect(client.page).to_have_url(ROOM)
            await desk.page.goto(f"{service.public_url}/counselor/desk")
            await expect(desk.page.locator("[data-history] li")).to_have_count(1)
            await look(desk, "way-desk-history")
            await client.page.goto(f"{service.public_url}/me/counselor")
            await look(client, "way-wishes")


@pytest.mark.parametrize("shape", SHAPES)
async def test_who_waits_goes_on_waiting_on_a_new_phone(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as old, room(red_browser, shape) as new:
        await walk_in(old, service)
        await old.page.goto(f"{service.public_url}/me/recovery")
        await press(old.page, "/me/recovery")
        code = await old.page.locator("#code").inner_text()
        await old.page.context.close()
        await new.page.goto(f"{service.public_url}/enter")
        await new.page.fill("#code", code)
        await new.page.check("input[name=phone][value=shared]")
        await press(new.page, "/enter")
        await at(new.page, "/home")
        await new.page.click("main a[href='/talk/waiting']")
        await at(new.page, "/talk/waiting")
        async with at_desk(blue_browser, service, shape) as (desk, _):
            await meet(new, desk)


async def test_what_is_read_meanwhile_says_when_the_counselor_is_ready(
    red_browser: Browser, blue_browser: Browser, service: Server
) -> None:
    shape = Shape(PHONE, "light", "id-ID")
    async with room(red_browser, shape) as client:
        await walk_in(client, service)
        await client.page.click("input[name=phone][value=own] + button")
        await expect(client.page.locator("input[name=phone]")).to_have_count(0)
        await client.page.goto(f"{service.public_url}/me/counselor")
        async with at_desk(blue_browser, service, shape) as (desk, _):
            await expect(desk.page.locator("[data-offer]")).to_be_visible(timeout=SOON_MS)
            await press(desk.page, "/counselor/desk/accept")
            await expect(client.page.locator("[data-line-bar]")).to_be_visible(timeout=SOON_MS)
            await look(client, "way-wishes-bar")
            await client.page.click("[data-line-bar] a")
            await expect(client.page).to_have_url(ROOM)


async def test_without_script_the_page_asks_again_and_leads_into_the_room(
    red_browser: Browser, blue_browser: Browser, service: Server
) -> None:
    shape = Shape(PHONE, "light", "id-ID")
    context = await red_browser.new_context(java_script_enabled=False, locale="id-ID")
    try:
        page = await context.new_page()
        plain = Room(page, shape, [])
        await walk_in(plain, service)
        await at(page, "/talk/waiting")
        assert await page.locator("noscript meta, meta[http-equiv=refresh]").count() > 0
        async with at_desk(blue_browser, service, shape) as (desk, _):
            await expect(desk.page.locator("[data-offer]")).to_be_visible(timeout=SOON_MS)
            await press(desk.page, "/counselor/desk/accept")
            await expect(page.locator("#go")).to_be_visible(timeout=SOON_MS)
    finally:
        await context.close()
