"""Getting ready in a real browser and both languages: devices, the line over the real relay, break-glass."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect
from sqlalchemy import insert

from accounts.people import Person
from accounts.roles import Role
from core.ids import new_id
from counseling import walkins
from counseling.entry import Medium
from counseling.triage import Answers, triage
from counseling.walkin_states import Alone, Walkin
from counseling.way_tables import TalkRow
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import look, press
from tests.browser.rooms import PHONE, Shape, room
from tests.browser.test_duties import SHAPES, Service
from tests.e2e.server import Server

pytestmark = ONE_LOOP


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    server = Server(tmp_path_factory.mktemp("ready"))
    server.start()
    made = Service(server)
    yield made
    await made.database.close()
    server.stop()


async def walk_in(service: Service, client: Person) -> Walkin:
    async with service.database.sessions.begin() as db:
        return await walkins.ask(
            db,
            service.audit,
            client=client,
            language=client.language,
            topic="family",
            medium=Medium.VIDEO,
            alone=Alone.YES,
            triage=triage(Answers(danger=False)),
            now=datetime.now(UTC),
        )


async def talk_of(service: Service, walkin: Walkin, counselor: Person) -> str:
    number = new_id("t")
    async with service.database.sessions.begin() as db:
        await db.execute(
            insert(TalkRow).values(
                id=number,
                walkin_id=walkin.id,
                client_id=walkin.client,
                counselor_id=counselor.id,
                medium="video",
                reasons=[],
                shares_history=False,
                begun_at=datetime.now(UTC),
            )
        )
    return number


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_client_gets_ready(red_browser: Browser, service: Service, shape: Shape) -> None:
    me = await service.person(name="Embun Pagi", language=shape.locale[:2])
    await walk_in(service, me)
    async with room(red_browser, shape) as one:
        await service.enter(one, me)
        await one.page.goto(f"{service.url}/talk/ready")
        await look(one, "ready")
        await one.page.fill("#number", "ibu")
        await press(one.page, "/talk/ready/contact")
        await expect(one.page.locator("#wrong")).to_be_focused()
        await look(one, "ready-wrong")
        await one.page.fill("#place", "Kos Melati, Jl. Kaliurang km 5, Sleman")
        await one.page.fill("#person", "Ibu")
        await one.page.fill("#person_number", "0812 3456 7890")
        await one.page.fill("#number", "0811 222 333")
        await press(one.page, "/talk/ready/contact")
        await one.page.check("input[name=on_drop][value=write]")
        await press(one.page, "/talk/ready/drop")
        await one.page.check("input[name=recording][value=no]")
        await press(one.page, "/talk/ready/recording")
        await expect(one.page.locator("#place")).to_have_value(re.compile("Melati"))
        await look(one, "ready-kept")
        await one.page.click("a[href='/talk/ready/devices']")
        await look(one, "ready-devices")
        await one.page.click("#mic")
        await expect(one.page.locator("#mic-level")).to_be_visible()
        await expect(one.page.locator("#mic-said")).to_have_text(re.compile("terdengar|is heard"))
        await one.page.click("#speaker")
        await one.page.click("#camera")
        await expect(one.page.locator("#camera-view")).to_be_visible()
        await one.page.click("#line")
        said = one.page.locator("#line-said")
        await expect(said).to_have_attribute("data-state", "measuring", timeout=15_000)
        await expect(said).to_have_attribute(
            "data-state", re.compile("video|voice|chat|none"), timeout=20_000
        )
        # A loopback loses nothing; how fast a machine is that does other things too, is not said here.
        assert await said.get_attribute("data-state") in {"video", "voice"}
        # Four facts, and a fifth where the browser has an estimate of its own.
        await expect(one.page.locator("#line-facts dd").nth(3)).to_be_visible()
        await look(one, "ready-tried")


ADVICE = [
    ({"rttMs": 40, "lossPct": 0, "kbps": 500, "estimateKbps": None, "tcp": False}, "video"),
    ({"rttMs": 40, "lossPct": 0, "kbps": 250, "estimateKbps": None, "tcp": True}, "video"),
    ({"rttMs": 40, "lossPct": 0, "kbps": 249, "estimateKbps": None, "tcp": False}, "voice"),
    ({"rttMs": 40, "lossPct": 6, "kbps": 500, "estimateKbps": None, "tcp": False}, "voice"),
    ({"rttMs": 501, "lossPct": 0, "kbps": 500, "estimateKbps": None, "tcp": False}, "voice"),
    ({"rttMs": 40, "lossPct": 0, "kbps": 39, "estimateKbps": None, "tcp": False}, "chat"),
    ({"rttMs": 40, "lossPct": 16, "kbps": 500, "estimateKbps": None, "tcp": False}, "chat"),
    ({"rttMs": 1001, "lossPct": 0, "kbps": 500, "estimateKbps": None, "tcp": False}, "chat"),
    ({"rttMs": 40, "lossPct": 0, "kbps": 0, "estimateKbps": None, "tcp": False}, "none"),
    # A slow device sent little, and the browser knows that the line would carry more.
    ({"rttMs": 2, "lossPct": 0, "kbps": 160, "estimateKbps": 900, "tcp": False}, "video"),
    ({"rttMs": 2, "lossPct": 20, "kbps": 160, "estimateKbps": 900, "tcp": False}, "chat"),
    (None, "none"),
]


async def test_what_a_line_is_good_for_and_what_is_said_without_one(
    red_browser: Browser, service: Service
) -> None:
    me = await service.person(name="Kabut Senja", language="en")
    await walk_in(service, me)
    async with room(red_browser, Shape(PHONE, "light", "en-GB")) as one:
        await service.enter(one, me)
        await one.page.goto(f"{service.url}/talk/ready/devices")
        advised = await one.page.evaluate(
            """async (lines) => {
              const main = document.querySelector('script[src$="prepare/main.js"]');
              const { advise } = await import(main.src.replace('main.js', 'advice.js'));
              return lines.map(advise);
            }""",
            [line for line, _ in ADVICE],
        )
        assert advised == [advice for _, advice in ADVICE]
        await one.page.route("**/talk/ready/probe", lambda route: route.abort())
        await one.page.click("#line")
        await expect(one.page.locator("#line-said")).to_have_attribute("data-state", "none")
        await expect(one.page.locator("#line-facts")).to_be_hidden()


@pytest.mark.parametrize("shape", SHAPES[:2])
async def test_the_glass_is_broken_with_a_second_person(
    red_browser: Browser, service: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    me = await service.person(name="Hujan Sore", language=language)
    ratna = await service.person(Role.COUNSELOR, name="ratna", language=language)
    sari = await service.person(Role.SUPERVISOR, name="sari", language=language)
    talk = await talk_of(service, await walk_in(service, me), ratna)
    async with room(red_browser, shape) as one:
        await service.enter(one, me)
        await one.page.goto(f"{service.url}/talk/ready")
        await one.page.fill("#place", "Kos Melati, Sleman")
        await one.page.fill("#person_number", "0812 3456 7890")
        await one.page.fill("#number", "0811 222 333")
        await press(one.page, "/talk/ready/contact")
        await service.enter(one, ratna)
        await one.page.goto(f"{service.url}/contact/{talk}")
        await look(one, "contact")
        await one.page.fill("#reason", "Klien menyebut cara dan tempat, lalu sambungan putus.")
        await one.page.select_option("#second", str(sari.id))
        await press(one.page, f"/contact/{talk}/open")
        await expect(one.page.locator(".notice.bad")).to_contain_text("Kos Melati")
        await look(one, "contact-opened")
        await service.enter(one, sari)
        await one.page.goto(f"{service.url}/contact")
        await look(one, "contact-openings")
        await one.page.locator("form[action$='/confirm'] button").first.click()
        await expect(one.page.locator(".done")).to_be_visible()
