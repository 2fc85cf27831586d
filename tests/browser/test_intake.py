"""The intake in real browsers: a client's steps, a counselor's hints, an admin's decision."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from accounts import people
from accounts.people import Person
from accounts.roles import Role
from counseling import talks, walkins
from counseling.entry import Medium
from counseling.triage import Triage
from counseling.walkin_states import Alone
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
PAGE = "/talk/intake"


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server of its own."""
    server = Server(tmp_path_factory.mktemp("intake"))
    server.start()
    yield server
    server.stop()


async def client_of(service: Server, language: str, *, alone: Alone = Alone.YES) -> Person:
    """Make a client who waits in the line."""
    now = datetime.now(UTC)
    async with database_of(service) as db:
        person = await people.create_client(db, name="Embun Pagi", language=language, adult=True, now=now)
        await walkins.ask(
            db,
            audit_of(service),
            client=person,
            language=language,
            topic="stress",
            medium=Medium.CHAT,
            alone=alone,
            triage=Triage(),
            now=now,
        )
    return person


async def begin_talk(service: Server, client: Person, by: Person) -> str:
    """Have a counselor take a client; gives the talk."""
    now = datetime.now(UTC)
    async with database_of(service) as db:
        walkin = await walkins.find_open(db, client=client.id)
        assert walkin is not None
        made = await talks.begin(
            db,
            audit_of(service),
            client=client.id,
            counselor=by.id,
            medium=Medium.CHAT,
            walkin=walkin.id,
            reasons=(),
            now=now,
        )
    return made.id


async def end_talk(service: Server, talk: str) -> None:
    async with database_of(service) as db:
        await talks.end(db, audit_of(service), talk=talk, now=datetime.now(UTC))


async def tap(page: Page, choice: str) -> None:
    """Answer the question of this page by a tap."""
    await page.click(f".question button[name=choice][value='{choice}']")


async def accept_in(one: Room, service: Server, instrument: str, *, pictured: bool) -> None:
    """As an admin, accept the Indonesian translation."""
    path = f"/admin/instruments/{instrument}/id"
    await one.page.goto(f"{service.public_url}{path}")
    if await one.page.locator("#vouched_by").count() == 0:
        return
    if pictured:
        await look(one, "instrument-off")
        await press(one.page, path)
        await expect(one.page.locator("#vouched_by-wrong")).to_be_visible()
        await look(one, "instrument-wrong")
    await one.page.fill("#vouched_by", "dr. Made Surya, Sp.KJ (SIP 12/2025)")
    await press(one.page, path)
    await expect(one.page.locator(".done")).to_be_visible()


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_admin_reads_and_accepts_translations(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    async with database_of(service) as db:
        admin = await people.create_staff(
            db, name="Dewi", language=shape.locale[:2], roles=[Role.ADMIN], now=datetime.now(UTC)
        )
    async with room(red_browser, shape) as one:
        await enter(one, service, admin)
        await one.page.goto(f"{service.public_url}/admin/instruments")
        await one.page.locator("summary").first.click()
        await look(one, "instruments")
        await accept_in(one, service, "phq9", pictured=True)
        await look(one, "instrument-on")
        await press(one.page, "/admin/instruments/phq9/id/withdraw")
        await expect(one.page.locator("#vouched_by")).to_be_visible()
        await look(one, "instrument-withdrawn")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_client_answers_and_the_counselor_reads_hints(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    language = shape.locale[:2]
    async with database_of(service) as db:
        admin = await people.create_staff(
            db, name="Dewi", language=language, roles=[Role.ADMIN], now=datetime.now(UTC)
        )
    client, ratna = await client_of(service, language), await counselor(service, name="Ratna")
    async with room(red_browser, shape) as one:
        await enter(one, service, admin)
        for instrument in ("phq9", "gad7"):
            await accept_in(one, service, instrument, pictured=False)

        await enter(one, service, client)
        await one.page.goto(f"{service.public_url}{PAGE}")
        await look(one, "intake")
        await one.page.click(".go a.primary")
        await one.page.check("input[value=lonely]")
        await one.page.check("input[value=hurt_self]")
        await look(one, "intake-concerns")
        await one.page.click("form[action$='/concerns'] button.primary")
        await one.page.check("input[name=talked][value=yes]")
        await one.page.fill("#words", "Aku sulit tidur sejak semester ini mulai.")
        await look(one, "intake-history")
        await one.page.click("form[action$='/history'] button.primary")
        await at(one.page, f"{PAGE}/q/phq9/1")
        await look(one, "intake-question")
        for number in range(1, 9):
            await tap(one.page, "2")
            await at(one.page, f"{PAGE}/q/phq9/{number + 1}")
        await one.page.go_back()
        await look(one, "intake-question-answered")
        await one.page.go_forward()
        await tap(one.page, "1")
        await at(one.page, f"{PAGE}/safety")
        await look(one, "intake-safety")
        await tap(one.page, "safe")
        await at(one.page, f"{PAGE}/q/gad7/1")
        await one.page.click(".question button[name=choice][value='']")
        await at(one.page, f"{PAGE}/q/gad7/2")
        await one.page.goto(f"{service.public_url}{PAGE}")
        await look(one, "intake-begun")
        await one.page.click(".go a.primary")
        await at(one.page, f"{PAGE}/q/gad7/2")
        await one.page.click("button[name=skip]")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "intake-done")

        talk = await begin_talk(service, client, ratna)
        await enter(one, service, ratna)
        await one.page.goto(f"{service.public_url}/counselor/talks/{talk}/hints")
        await expect(one.page.locator("#result-phq9")).to_be_visible()
        await one.page.locator("summary").first.click()
        await look(one, "hints")
        await enter(one, service, client)
        await one.page.goto(f"{service.public_url}/me/history?by=others")
        await expect(one.page.locator(".history")).to_contain_text("Ratna")
        await look(one, "hints-history")
    await end_talk(service, talk)


@pytest.mark.parametrize("shape", SHAPES[:2])
async def test_who_is_not_sure_comes_to_the_urgent_page(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    client = await client_of(service, shape.locale[:2], alone=Alone.NO)
    async with room(red_browser, shape) as one:
        await enter(one, service, client)
        await one.page.goto(f"{service.public_url}{PAGE}/safety")
        await look(one, "intake-safety-discreet")
        await tap(one.page, "not_sure")
        await at(one.page, "/talk/urgent")


async def test_all_of_it_works_without_script(red_browser: Browser, service: Server) -> None:
    client = await client_of(service, "en")
    async with room(red_browser, Shape(PHONE, "light", "en-GB")) as one:
        await enter(one, service, client)
        cookies = await one.page.context.cookies()
    context = await red_browser.new_context(java_script_enabled=False, locale="en-GB")
    await context.add_cookies(cookies)  # type: ignore[arg-type]  # what one call gives the other takes
    page = await context.new_page()
    await page.goto(f"{service.public_url}{PAGE}")
    await page.click(".go a.primary")
    await page.check("input[value=money]")
    await page.click("button.primary")
    await page.click("button[name=skip]")
    await at(page, f"{PAGE}/q/phq9/1")
    await page.goto(f"{service.public_url}{PAGE}/q/phq9/9")
    await tap(page, "3")
    await at(page, f"{PAGE}/safety")
    await tap(page, "not_safe")
    await at(page, "/talk/urgent")
    await context.close()
