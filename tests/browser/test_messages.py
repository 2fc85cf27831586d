"""Messages in a real browser and both languages: a stranger writes, a counselor takes it and answers."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from accounts.people import Person
from accounts.roles import Role
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import at, look, press
from tests.browser.rooms import Shape, room
from tests.browser.test_duties import SHAPES, Service
from tests.e2e.server import Server
from tests.web.counselors import verify

pytestmark = ONE_LOOP

TEXT = {
    "id": "Aku takut pulang ke rumah.\n\nSudah dua minggu aku di kos teman, dan aku bingung.",
    "en": "I am afraid of going home.\n\nFor two weeks I have stayed with a friend.",
}
ANSWER = {
    "id": "Terima kasih sudah menulis. Kamu tidak sendirian dengan ini.",
    "en": "Thank you for writing. You are not alone with this.",
}


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    server = Server(tmp_path_factory.mktemp("messages"))
    server.start()
    made = Service(server)
    yield made
    await made.database.close()
    server.stop()


async def counselor(service: Service, language: str) -> Person:
    person = await service.person(Role.COUNSELOR, name="ratna", language=language)
    async with service.database.sessions.begin() as db:
        await verify(db, service.audit, person=person, name="Ratna Puspita", now=datetime.now(UTC))
    return person


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_stranger_writes_and_is_answered(
    red_browser: Browser, service: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    ratna = await counselor(service, language)
    async with room(red_browser, shape) as phone, room(red_browser, shape) as desk:
        await phone.page.goto(f"{service.url}/talk/else")
        await look(phone, "else")
        await phone.page.click("a[href='/messages/new']")
        await look(phone, "message-new")
        await press(phone.page, "/messages/new")
        await expect(phone.page.locator("#wrong")).to_be_focused()
        await look(phone, "message-new-wrong")
        await phone.page.fill("#text", TEXT[language])
        await phone.page.select_option("#topic", "family")
        await phone.page.check("input[name=age][value=adult]")
        await phone.page.check("#consent")
        await press(phone.page, "/messages/new")
        await expect(phone.page.locator(".letter.own")).to_have_count(1)
        await look(phone, "message-left")
        thread = phone.page.url.partition("?")[0]

        await service.enter(desk, ratna)
        await desk.page.goto(f"{service.url}/counselor/messages")
        await expect(desk.page.get_by_text(TEXT[language][:20])).to_have_count(0)
        await look(desk, "messages-desk")
        await desk.page.locator("form[action$='/take'] button").first.click()
        await expect(desk.page.locator(".letter.theirs")).to_have_count(1)
        await look(desk, "message-taken")
        await desk.page.fill("#text", ANSWER[language])
        await desk.page.click("form[novalidate] button[type=submit]")
        await expect(desk.page.locator(".letter.own")).to_have_count(1)
        await desk.page.click("a[href='/counselor/messages']")
        await at(desk.page, "/counselor/messages")
        await look(desk, "messages-own")

        await phone.page.goto(f"{service.url}/messages")
        await expect(phone.page.locator(".card .state")).to_have_count(1)
        await look(phone, "messages")
        await phone.page.goto(thread)
        await expect(phone.page.locator(".letter.theirs")).to_contain_text(ANSWER[language])
        await look(phone, "message-answered")
        await phone.page.goto(f"{service.url}/messages/new")
        await expect(phone.page.locator("input[name=to]")).to_have_count(2)
        await look(phone, "message-to-known")
