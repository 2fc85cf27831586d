"""Appointments in real browsers and both languages: booked, moved, cancelled, in person, and the call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from sqlalchemy import update

from accounts import people
from accounts.people import Person
from counseling.appointment_tables import AppointmentRow
from tests.browser.conftest import ONE_LOOP
from tests.browser.counselors import counselor, database_of, enter
from tests.browser.paper import at, look, press
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.e2e.server import Server

pytestmark = ONE_LOOP

SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), id="phone-id"),
    pytest.param(Shape(DESK, "dark", "en-GB"), id="desk-en"),
]
ROOM = re.compile(r"/room/p_\w+$")
ONE = re.compile(r"/book/a_\w+(\?done=\w+)?$")
SOON_S = 20
PLACE = "Gedung Konseling, lantai 2"


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server of its own, with a place where people come."""
    server = Server(tmp_path_factory.mktemp("booking"), extra={"TEDUH_IN_PERSON_PLACE": PLACE})
    server.start()
    yield server
    server.stop()


async def client_of(service: Server, language: str) -> Person:
    async with database_of(service) as db:
        return await people.create_client(
            db, name="Embun Pagi", language=language, adult=True, now=datetime.now(UTC)
        )


async def come_to_its_time(service: Server, client: Person) -> None:
    """Let a client's appointment be now."""
    now = datetime.now(UTC).replace(microsecond=0)
    async with database_of(service) as db:
        await db.execute(
            update(AppointmentRow)
            .where(AppointmentRow.client_id == client.id)
            .values(starts_at=now, ends_at=now + timedelta(minutes=50))
        )


async def choose(one: Room, *, medium: str, whom: Person, agree: bool = True, tell: bool = False) -> None:
    """From the page of appointments to one that is booked."""
    page = one.page
    await page.check(f"input[name=medium][value={medium}]")
    await page.select_option("#topic", "stress")
    await page.select_option("#counselor", whom.id)
    await press(page, "/book/times")
    await expect(page.locator(".times a").first).to_be_visible()
    if tell:
        await look(one, "booking-times")
    await page.locator(".times a").nth(1).click()
    if tell:
        await look(one, "booking-confirm")
        await press(page, "/book")
        await expect(page.locator("#wrong")).to_be_focused()
        await look(one, "booking-confirm-wrong")
    if agree:
        await page.check("#consent")
    await press(page, "/book")
    await expect(page).to_have_url(ONE)


@pytest.mark.parametrize("shape", SHAPES)
async def test_it_is_booked_and_becomes_a_call_at_its_time(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    ratna = await counselor(service, name="Ratna", language=shape.locale[:2])
    embun = await client_of(service, shape.locale[:2])
    async with room(red_browser, shape) as client, room(blue_browser, shape) as desk:
        await client.page.goto(f"{service.public_url}/book")
        await look(client, "booking-stranger")
        await enter(client, service, embun)
        await client.page.goto(f"{service.public_url}/book")
        await look(client, "booking-first")
        await choose(client, medium="voice", whom=ratna, tell=True)
        await look(client, "booking-one")
        async with client.page.expect_download() as download:
            await client.page.click("a[download]")
        assert (await download.value).suggested_filename == "calendar.ics"
        await client.page.goto(f"{service.public_url}/home")
        await expect(client.page.locator("#next")).to_be_visible()
        await look(client, "booking-home")

        await enter(desk, service, ratna)
        await desk.page.goto(f"{service.public_url}/counselor")
        await expect(desk.page.locator("#next")).to_be_visible()
        await desk.page.click("section[aria-labelledby=next] a")
        await look(desk, "calendar-one")

        await come_to_its_time(service, embun)
        for one, home in ((desk, "/counselor"), (client, "/home")):
            way_in = one.page.locator("section[aria-labelledby=sessions] a")
            async with asyncio.timeout(SOON_S):
                await one.page.goto(service.public_url + home)
                while not await way_in.count():
                    await one.page.wait_for_timeout(500)
                    await one.page.reload()
            await way_in.first.click()
            await expect(one.page).to_have_url(ROOM)
            await one.page.wait_for_selector("main[data-state]")
            await one.join()
        for one in (desk, client):
            await one.reaches("connected")
        assert client.errors == []
        assert desk.errors == []


@pytest.mark.parametrize("shape", SHAPES)
async def test_it_is_moved_and_cancelled(red_browser: Browser, service: Server, shape: Shape) -> None:
    bima = await counselor(service, name="Bima", language=shape.locale[:2])
    embun = await client_of(service, shape.locale[:2])
    async with room(red_browser, shape) as one:
        await enter(one, service, embun)
        await one.page.goto(f"{service.public_url}/book")
        await choose(one, medium="chat", whom=bima)
        before = await one.page.inner_text("h1")
        await one.page.click("a[href^='/book/times']")
        await look(one, "booking-times-other")
        await one.page.locator(".times a").nth(3).click()
        await press(one.page, "/book")
        await expect(one.page.locator("h1")).not_to_have_text(before)
        await expect(one.page.locator(".done")).to_be_visible()
        await one.page.locator("form[action$='/cancel'] button").click()
        await at(one.page, "/book")
        await expect(one.page.locator(".done")).to_be_visible()
        await expect(one.page.locator("#coming")).to_have_count(0)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_counselor_sees_the_week_and_calls_off_a_visit_with_words(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    sari = await counselor(service, name="Sari", language=shape.locale[:2])
    embun = await client_of(service, shape.locale[:2])
    async with room(red_browser, shape) as client, room(blue_browser, shape) as desk:
        await enter(client, service, embun)
        await client.page.goto(f"{service.public_url}/book")
        await choose(client, medium="in_person", whom=sari)
        await expect(client.page.locator("main")).to_contain_text(PLACE)
        await look(client, "booking-visit")

        await enter(desk, service, sari)
        await desk.page.goto(f"{service.public_url}/counselor/calendar")
        await press(desk.page, "/counselor/calendar/day")
        await expect(desk.page.locator("#wrong")).to_be_focused()
        day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
        await desk.page.fill("#on", day)
        await desk.page.fill("#typed", "09.00-11.00")
        await press(desk.page, "/counselor/calendar/day")
        await expect(desk.page.locator(".done")).to_be_visible()
        await desk.page.goto(f"{service.public_url}/counselor/calendar")
        if not await desk.page.locator(".booked").count():
            await desk.page.click("nav.pages a >> nth=-1")
        await look(desk, "calendar-week")
        await desk.page.locator(".booked").first.click()
        await desk.page.fill("#words", "Maaf, saya sakit. Pilihlah waktu lain.")
        await desk.page.click("form[action$='/cancel'] button[type=submit]")
        await expect(desk.page.locator(".done")).to_be_visible()

        await client.page.goto(f"{service.public_url}/book")
        await expect(client.page.locator("blockquote")).to_contain_text("saya sakit")
        await look(client, "booking-called-off")


async def test_the_browsers_own_zone_is_proposed_and_kept_with_the_appointment(
    red_browser: Browser, service: Server
) -> None:
    ratna, embun = await counselor(service, name="Wira"), await client_of(service, "id")
    context = await red_browser.new_context(viewport=PHONE, locale="id-ID", timezone_id="Asia/Jayapura")
    one = Room(await context.new_page(), Shape(PHONE, "light", "id-ID"), [])
    await one.page.add_init_script("window.violations = []")
    await enter(one, service, embun)
    await one.page.goto(f"{service.public_url}/book")
    await expect(one.page.locator("[data-zone]")).to_contain_text("Jayapura")
    await look(one, "booking-zone")
    await one.page.click("[data-zone] button")
    await expect(one.page.locator("[data-zone]")).to_be_hidden()
    await expect(one.page.locator(".zone summary")).to_contain_text("Jayapura")
    await choose(one, medium="chat", whom=ratna)
    await expect(one.page.locator("main")).to_contain_text("Jakarta")
    await one.page.goto(f"{service.public_url}/book")
    await expect(one.page.locator(".zone summary")).to_contain_text("Jayapura")
    await context.close()


async def test_it_is_booked_without_script(red_browser: Browser, service: Server) -> None:
    ratna, embun = await counselor(service, name="Dian"), await client_of(service, "id")
    context = await red_browser.new_context(java_script_enabled=False, locale="id-ID")
    one = Room(await context.new_page(), Shape(PHONE, "light", "id-ID"), [])
    await enter(one, service, embun)
    await one.page.goto(f"{service.public_url}/book")
    await one.page.click(".zone summary")
    await one.page.select_option("#zone", "Asia/Makassar")
    await one.page.click(".zone button")
    await expect(one.page.locator(".zone summary")).to_contain_text("Makassar")
    await choose(one, medium="chat", whom=ratna)
    await expect(one.page.locator("main")).to_contain_text("Makassar")
    await context.close()
