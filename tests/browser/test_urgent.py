"""Somebody in danger, in real browsers and both languages: each way it may end."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from itertools import product

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from sqlalchemy import update

from accounts import people
from accounts.people import Person
from accounts.roles import Role
from counseling import alarms, desks, roster, talks, walkins
from counseling.roster import DAYS, HOURS
from counseling.urgent import COMES_WITHIN
from counseling.urgent_tables import AlarmRow
from counseling.walkin_states import Ended
from counseling.way_tables import TalkRow
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
FIRST_WORDS = {
    "id": "Terima kasih sudah jujur. Kamu tidak sendirian, dan kami tetap di sini. Seorang konselor sedang "
    "dipanggil. Sambil menunggu: apakah kamu aman saat ini?",
    "en": "Thank you for being honest. You are not alone, and we are staying here with you. A counselor is "
    "being called. While we wait: are you safe right now?",
}
ROOM = re.compile(r"/room/p_\w+$")
SOON_MS = 20_000
PAGE = "/talk/urgent"


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server of its own."""
    server = Server(tmp_path_factory.mktemp("urgent"))
    server.extra["TEDUH_QUICK_EXIT_URL"] = f"http://127.0.0.1:{server.http_port}/healthz"
    server.start()
    yield server
    server.stop()


@pytest_asyncio.fixture(loop_scope="package", autouse=True)
async def alone(service: Server) -> AsyncIterator[None]:
    """Each test begins with nobody in the line and nobody at a desk."""
    yield
    now, audit = datetime.now(UTC), audit_of(service)
    async with database_of(service) as db:
        for talk in await talks.all_open(db):
            await talks.end(db, audit, talk=talk.id, now=now)
        for alarm in await alarms.open_alarms(db):
            await walkins.leave(db, audit, walkin=alarm.walkin, why=Ended.LEFT, now=now)
            await alarms.leave(db, audit, alarm=alarm.id, now=now)
        for one in await desks.present(db, now=now):
            await desks.close_desk(db, audit, counselor=one, now=now)


async def staff(service: Server, role: Role, *, name: str, language: str) -> Person:
    """Somebody of the staff."""
    async with database_of(service) as db:
        return await people.create_staff(
            db, name=name, language=language, roles={role}, now=datetime.now(UTC)
        )


@contextlib.asynccontextmanager
async def on_duty(service: Server, person: Person) -> AsyncIterator[None]:
    """They are on duty in each hour of the week; afterwards nobody is."""
    admin = await staff(service, Role.ADMIN, name="Dewi", language="id")
    for who in (person, None):
        async with database_of(service) as db:
            await roster.set_hours(
                db,
                audit_of(service),
                slots=list(product(DAYS, HOURS)),
                person=who,
                deputy=None,
                actor=admin,
                now=datetime.now(UTC),
            )
        if who is not None:
            yield


async def sits(service: Server, person: Person) -> None:
    """They take people now."""
    async with database_of(service) as db:
        await desks.open_desk(db, audit_of(service), counselor=person.id, now=datetime.now(UTC))
        await desks.seen(db, counselor=person.id, now=datetime.now(UTC))


async def calls(one: Room, service: Server) -> None:
    """A stranger presses the one button."""
    await one.page.goto(f"{service.public_url}{PAGE}")
    await press(one.page, PAGE)
    await at(one.page, PAGE)
    await expect(one.page.locator("#urgent")).to_be_visible()


async def stops(one: Room) -> None:
    """The client does not need it any more."""
    await press(one.page, f"{PAGE}/leave")
    await expect(one.page.locator(".done")).to_be_visible()


async def says(one: Room) -> str:
    """All that the page says, in one line."""
    return " ".join((await one.page.inner_text("main")).split())


async def answers(desk: Room) -> None:
    """Whoever is at the duty desk answers."""
    await desk.page.locator("form[action$='/take'] button").first.click()
    await expect(desk.page).to_have_url(ROOM, timeout=SOON_MS)


async def forgets(one: Room) -> None:
    """The browser has no cookie of ours any more, once the exit's answer is there."""
    for _ in range(100):
        if not any(each["name"].startswith("teduh_") for each in await one.page.context.cookies()):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("a cookie of ours is left")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_stranger_in_danger_is_answered(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    language = shape.locale[:2]
    ratna = await counselor(service, name="Ratna", language=language)
    async with room(red_browser, shape) as client, room(blue_browser, shape) as desk:
        await enter(desk, service, ratna)
        await sits(service, ratna)
        await desk.page.goto(f"{service.public_url}/counselor/hours")
        await desk.page.click("h1")  # the touch that lets sound begin
        await client.page.goto(f"{service.public_url}{PAGE}")
        await look(client, "urgent-ask")
        await press(client.page, PAGE)
        await expect(client.page.locator("#urgent[data-state=calling]")).to_be_visible()
        assert (await says(client)).startswith(FIRST_WORDS[language])
        await look(client, "urgent-calling")
        alarm = desk.page.locator("#alarm")
        await expect(alarm).to_be_visible(timeout=SOON_MS)
        await expect(alarm).to_have_attribute("data-rang", re.compile("[2-9]"), timeout=SOON_MS)
        await look(desk, "alarm")
        await client.page.locator(f"form[action='{PAGE}/safe']").nth(2).locator("button").click()
        await expect(client.page.locator("[aria-pressed=true]")).to_be_visible()
        await look(client, "urgent-not-safe")
        await desk.page.click("#alarm a")
        await at(desk.page, "/duty")
        await look(desk, "duty")
        await answers(desk)
        await expect(client.page).to_have_url(ROOM, timeout=SOON_MS)
        for one in (client, desk):
            await one.page.wait_for_selector("main[data-state]")
            await one.join()
        for one in (client, desk):
            await one.reaches("connected")


@pytest.mark.parametrize("shape", SHAPES)
async def test_with_nobody_there_the_truth_is_told_and_the_page_stays_until_somebody_comes(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    language = shape.locale[:2]
    async with room(red_browser, shape) as client, room(blue_browser, shape) as desk:
        await calls(client, service)
        await expect(client.page.locator("#urgent[data-state=told]")).to_be_visible(timeout=SOON_MS)
        await expect(client.page.locator("a[href^='tel:']").first).to_be_visible()
        assert await client.page.locator("main a[href^='/messages'], main a[href^='/book']").count() == 0
        await look(client, "urgent-nobody")
        ratna = await counselor(service, name="Ratna", language=language)
        await enter(desk, service, ratna)
        await sits(service, ratna)
        await desk.page.goto(f"{service.public_url}/duty")
        await expect(desk.page.locator("form[action$='/take']")).to_be_visible(timeout=SOON_MS)
        await answers(desk)
        await expect(client.page).to_have_url(ROOM, timeout=SOON_MS)


@pytest.mark.parametrize("shape", SHAPES)
async def test_when_nobody_answers_the_client_is_told_after_five_minutes(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    language = shape.locale[:2]
    tari = await staff(service, Role.SUPERVISOR, name="Tari", language=language)
    async with (
        on_duty(service, tari),
        room(red_browser, shape) as client,
        room(blue_browser, shape) as desk,
    ):
        await enter(desk, service, tari)
        await desk.page.goto(f"{service.public_url}/supervisor")
        await calls(client, service)
        await expect(client.page.locator("#urgent[data-state=calling]")).to_be_visible()
        await expect(desk.page.locator("#alarm")).to_be_visible(timeout=SOON_MS)
        async with database_of(service) as db:
            earlier = datetime.now(UTC) - timedelta(minutes=5)
            await db.execute(update(AlarmRow).where(AlarmRow.ended_at.is_(None)).values(raised_at=earlier))
        await expect(client.page.locator("#urgent[data-state=told]")).to_be_visible(timeout=SOON_MS)
        await look(client, "urgent-silence")
        await desk.page.goto(f"{service.public_url}/duty")
        await look(desk, "duty-told")
        await stops(client)
        await look(client, "urgent-stopped")
        await expect(desk.page.locator("#alarm")).to_be_hidden(timeout=SOON_MS)
        await expect(desk.page.locator("form[action$='/take']")).to_have_count(0)
        await look(desk, "duty-none")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_quick_exit_is_followed_by_nothing(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    language = shape.locale[:2]
    tari = await staff(service, Role.SUPERVISOR, name="Tari", language=language)
    async with on_duty(service, tari), room(red_browser, shape) as client, room(blue_browser, shape) as desk:
        await enter(desk, service, tari)
        await calls(client, service)
        await desk.page.goto(f"{service.public_url}/duty")
        await expect(desk.page.locator("form[action$='/take']")).to_be_visible(timeout=SOON_MS)
        await client.page.locator("[data-action=quick-exit]").click()
        await expect(client.page).to_have_url(re.compile("/healthz$"))
        await expect(desk.page.locator("#alarm")).to_be_hidden(timeout=SOON_MS)
        await desk.page.reload()
        await expect(desk.page.locator("form[action$='/take']")).to_have_count(0)
        await look(desk, "duty-held")
        await client.page.goto(f"{service.public_url}{PAGE}")
        await expect(client.page.locator("#urgent")).to_have_count(0)


@pytest.mark.parametrize("shape", SHAPES)
async def test_who_cannot_speak_freely_has_a_plain_page_and_a_word_that_closes_it(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as client:
        await client.page.goto(f"{service.public_url}/talk")
        await client.page.check("input[name=alone][value=no]")
        await client.page.check("input[name=danger][value=yes]")
        await client.page.click(".danger-now button")
        await at(client.page, PAGE)
        await expect(client.page.locator("body.discreet")).to_be_visible()
        said = await says(client)
        assert said.index("SAPA 129") < said.index("119 ext. 8"), "help for violence stands first"
        await client.page.fill("#word-new", "di")
        await client.page.click("#word-choose button")
        await expect(client.page.locator("#word-wrong")).to_be_visible()
        await client.page.fill("#word-new", "Lengkuas")
        await client.page.click("#word-choose button")
        await expect(client.page.locator("#word-type")).to_be_focused()
        await look(client, "urgent-discreet")
        await client.page.keyboard.type("beli beras lengkua")
        await client.page.wait_for_timeout(300)
        await at(client.page, PAGE)
        await client.page.keyboard.type("s")
        await expect(client.page).to_have_url(re.compile("/healthz$"))
        await forgets(client)
        await client.page.goto(f"{service.public_url}/talk/safe")
        assert await client.page.evaluate("sessionStorage.length") == 0
        await look(client, "safe")


async def test_the_word_closes_the_rooms_chat_before_it_is_sent(
    red_browser: Browser, blue_browser: Browser, service: Server
) -> None:
    shape = Shape(PHONE, "light", "id-ID")
    ratna = await counselor(service, name="Ratna")
    async with room(red_browser, shape) as client, room(blue_browser, shape) as desk:
        await enter(desk, service, ratna)
        await sits(service, ratna)
        await calls(client, service)
        await client.page.fill("#word-new", "lengkuas")
        await client.page.click("#word-choose button")
        await desk.page.goto(f"{service.public_url}/duty")
        await answers(desk)
        await expect(client.page).to_have_url(ROOM, timeout=SOON_MS)
        for one in (client, desk):
            await one.page.wait_for_selector("main[data-state]")
            await one.join()
        await client.reaches("connected")
        await client.page.fill("#line", "aku mau beli lengkuas")
        await expect(client.page).to_have_url(re.compile("/healthz$"))
        await expect(desk.page.locator("#chat-who")).to_contain_text("keluar cepat", timeout=SOON_MS)
        assert "lengkuas" not in await desk.page.inner_text("#lines")


@pytest.mark.parametrize("shape", SHAPES)
async def test_who_does_not_come_is_followed_and_danger_in_a_talk_is_heard_in_the_room(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    ratna = await counselor(service, name="Ratna", language=shape.locale[:2])
    async with room(red_browser, shape) as client, room(blue_browser, shape) as desk:
        await enter(desk, service, ratna)
        await sits(service, ratna)
        await calls(client, service)
        await desk.page.goto(f"{service.public_url}/duty")
        await answers(desk)
        await expect(client.page).to_have_url(ROOM, timeout=SOON_MS)
        await client.page.wait_for_selector("main[data-state]")
        await client.join()
        await client.reaches("waiting")
        async with database_of(service) as db:
            earlier = datetime.now(UTC) - COMES_WITHIN
            await db.execute(update(TalkRow).where(TalkRow.ended_at.is_(None)).values(begun_at=earlier))
            await db.execute(update(AlarmRow).where(AlarmRow.state == "answered").values(ended_at=earlier))
        await at(client.page, PAGE)
        await expect(client.page.locator("#urgent > .notice").first).to_be_visible(timeout=SOON_MS)
        await look(client, "urgent-missed")
        await desk.join()
        missed = {"id": "diteruskan kepada yang lain", "en": "went on to the others"}[shape.locale[:2]]
        await expect(desk.page.locator("#gone-title")).to_contain_text(missed, timeout=SOON_MS)
        await desk.page.goto(f"{service.public_url}/duty")
        await look(desk, "duty-missed")
        await answers(desk)
        await expect(client.page).to_have_url(ROOM, timeout=SOON_MS)
        for one in (client, desk):
            await one.page.wait_for_selector("main[data-state]")
            await one.join()
        for one in (client, desk):
            await one.reaches("connected")
        beside = await client.page.context.new_page()
        await beside.goto(f"{service.public_url}/talk/intake/safety")
        await beside.click(".question button[name=choice][value=not_safe]")
        await expect(beside.locator(".done")).to_be_visible()
        await expect(desk.page.locator("#danger")).to_be_visible(timeout=SOON_MS)
        unsafe = {"id": "tidak aman saat ini", "en": "not safe right now"}[shape.locale[:2]]
        await expect(desk.page.locator("#danger-words")).to_contain_text(unsafe)
        async with desk.page.context.expect_page() as opened:
            await desk.page.click("#danger a")
        reading = await opened.value
        await reading.locator("form[action$='/take'] button").click()
        await expect(desk.page.locator("#danger")).to_be_hidden(timeout=SOON_MS)
        await desk.reaches("connected")


async def test_without_script_the_page_asks_again_and_leads_on(
    red_browser: Browser, blue_browser: Browser, service: Server
) -> None:
    shape = Shape(PHONE, "light", "id-ID")
    tari = await staff(service, Role.SUPERVISOR, name="Tari", language="id")
    context = await red_browser.new_context(java_script_enabled=False, locale="id-ID")
    page = await context.new_page()
    async with on_duty(service, tari), room(blue_browser, shape) as desk:
        await page.goto(f"{service.public_url}{PAGE}")
        await press(page, PAGE)
        await expect(page.locator("#urgent[data-state=calling]")).to_be_visible()
        await enter(desk, service, tari)
        await desk.page.goto(f"{service.public_url}/duty")
        await expect(desk.page.locator("form[action$='/take']")).to_be_visible(timeout=SOON_MS)
        await answers(desk)
        await expect(page).to_have_url(ROOM, timeout=SOON_MS)
    await context.close()
