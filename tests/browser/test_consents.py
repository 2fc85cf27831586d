"""Giving, withdrawing, receipts, proofs, and publishing a text, in real browsers and both languages."""

from __future__ import annotations

import io
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import pikepdf
import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from accounts import people, prose
from accounts.people import Person
from accounts.roles import Role
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import at, look, press
from tests.browser.rooms import Room, Shape, room
from tests.browser.test_trust import SHAPES, Service
from tests.e2e.server import Server
from web.render import make_renderer

pytestmark = ONE_LOOP

RENDERER = make_renderer()


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    """A server of its own."""
    server = Server(tmp_path_factory.mktemp("consents"))
    server.start()
    made = Service(server)
    yield made
    await made.database.close()
    server.stop()


async def young(house: Service, *, language: str) -> Person:
    async with house.database.sessions.begin() as db:
        return await people.create_client(
            db, name="Embun Pagi", language=language, adult=False, now=datetime.now(UTC)
        )


async def saved(page: Page, link: str) -> bytes:
    """Press a link to a file and give what was saved."""
    async with page.expect_download() as waiting:
        await page.click(f"a[href='{link}']")
    return (await (await waiting.value).path()).read_bytes()


async def stands(one: Room, kind: str, language: str, standing: str) -> None:
    """Wait until a consent stands so."""
    words = RENDERER.text(language, f"standing.{standing}")
    await expect(one.page.locator(f"#{kind} .state")).to_have_text(words)


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_client_reads_gives_withdraws_and_holds_the_proof(
    red_browser: Browser, house: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    me = await house.person(name="Embun Pagi", language=language)
    async with room(red_browser, shape) as one:
        page = one.page
        await house.log_in(one, me)
        await page.goto(f"{house.server.url}/me/consents")
        await look(one, "consents")
        await page.click("#service summary")
        await expect(page.locator("#service .prose h2")).to_have_text(prose.HEADINGS[language])
        await look(one, "consents-reading")
        await press(page, "/me/consents/service/give")
        await expect(page.locator(".done")).to_be_visible()
        await stands(one, "service", language, "given")
        await stands(one, "research", language, "open")
        await press(page, "/me/consents/research/give")
        await stands(one, "research", language, "given")
        await press(page, "/me/consents/research/withdraw")
        await stands(one, "research", language, "withdrawn")
        await stands(one, "service", language, "given")
        await look(one, "consents-given")

        await page.click(".record li:last-child a")
        await expect(page.locator(".signed")).to_be_visible()
        await look(one, "consent-receipt")
        where = page.url.partition(house.server.url)[2]
        receipt = house.server.data_dir / "receipt.txt"
        receipt.write_bytes(await saved(page, f"{where}/file"))
        assert "The receipt holds." in house.server.command("consent", "verify", str(receipt))

        await page.goto(f"{house.server.url}/me/consents")
        whole = json.loads(await saved(page, "/me/consents/proof.json"))
        assert (whole["person"], len(whole["entries"])) == (me.id, 3)
        printed = await saved(page, "/me/consents/proof.pdf")
        with pikepdf.open(io.BytesIO(printed)) as pdf:
            assert set(pdf.attachments) >= {f"service-1.{language}.md", "proof.json"}
        await page.goto(f"{house.server.url}/texts/ethics")
        await look(one, "text-ethics")


@pytest.mark.parametrize("shape", SHAPES[:2])
async def test_under_18_it_says_kindly_what_is_not_asked(
    red_browser: Browser, house: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    me = await young(house, language=language)
    async with room(red_browser, shape) as one:
        await house.log_in(one, me)
        await one.page.goto(f"{house.server.url}/me/consents")
        for kind in ("recording", "research"):
            await stands(one, kind, language, "off")
            await expect(one.page.locator(f"#{kind} button")).to_have_count(0)
        await look(one, "consents-young")


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_admin_publishes_and_a_client_is_asked_again(
    red_browser: Browser, house: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    me = await house.person(name="Embun Pagi", language=language)
    admin = await house.person(Role.ADMIN, name="Ratna", language=language)
    new = "/admin/texts/supervision/new"
    async with room(red_browser, shape) as one:
        page = one.page
        await house.log_in(one, me)
        await page.goto(f"{house.server.url}/me/consents")
        await press(page, "/me/consents/supervision/give")
        await stands(one, "supervision", language, "given")

        await house.log_in(one, admin)
        await page.goto(f"{house.server.url}/admin/texts")
        await look(one, "admin-texts")
        await page.goto(f"{house.server.url}/admin/texts/supervision")
        await look(one, "admin-text-versions")
        await page.click(f"a[href='{new}']")
        await look(one, "admin-text-new")
        body = await page.input_value("#body_id")
        await page.fill("#changes_id", "Kata-katanya lebih sederhana.")
        await page.fill("#changes_en", "Simpler words.")
        await page.check("input[name=again][value=yes]")
        await page.check("#reviewed")
        await page.fill("#body_id", body.replace("## Hubungan kita", "## Kita"))
        await page.click("button[value=preview]")
        await expect(page.locator("#wrong")).to_be_focused()
        await look(one, "admin-text-wrong")
        await page.fill("#body_id", body.replace("Kamu bebas menolak", "Kamu boleh menolak"))
        await page.click("button[value=preview]")
        await page.click("summary >> nth=0")
        await expect(page.locator("ins").first).to_contain_text("boleh")
        await expect(page.locator("del").first).to_contain_text("bebas")
        await look(one, "admin-text-preview")
        await page.click("button[value=publish]")
        await expect(page.locator(".done")).to_be_visible()
        await look(one, "admin-text-published")

        await house.log_in(one, me)
        await page.goto(f"{house.server.url}/me/consents")
        await stands(one, "supervision", language, "reread")
        changes = {"id": "Kata-katanya lebih sederhana.", "en": "Simpler words."}[language]
        await expect(page.locator("#supervision .notice")).to_contain_text(changes)
        await look(one, "consents-reread")
        await press(page, "/me/consents/supervision/give")
        await stands(one, "supervision", language, "given")
        await page.goto(f"{house.server.url}/texts/supervision/1")
        await look(one, "text-old")
        # The next shape begins with a text that says the same as before.
        await house.log_in(one, admin)
        await page.goto(f"{house.server.url}{new}")
        await page.fill("#body_id", body)
        await page.fill("#changes_id", "Seperti semula.")
        await page.fill("#changes_en", "As before.")
        await page.check("input[name=again][value=no]")
        await page.click("button[value=preview]")
        await page.click("button[value=publish]")
        await expect(page.locator(".done")).to_be_visible()


@pytest.mark.parametrize("shape", SHAPES[:2])
async def test_an_admin_opens_a_proof_and_the_client_reads_of_it(
    red_browser: Browser, house: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    me = await house.person(name="Embun Pagi", language=language)
    admin = await house.person(Role.ADMIN, name="Ratna", language=language)
    async with room(red_browser, shape) as one:
        page = one.page
        await house.log_in(one, admin)
        await page.goto(f"{house.server.url}/admin/consents")
        await look(one, "admin-consents")
        await page.fill("#user", "Embun")
        await page.fill("#purpose", "Permintaan pengadilan 12/2026")
        await press(page, "/admin/consents")
        await expect(page.locator("#user-wrong")).to_be_visible()
        await look(one, "admin-consents-wrong")
        await page.fill("#user", me.id)
        await press(page, "/admin/consents")
        await at(page, f"/admin/consents/{me.id}")
        await look(one, "admin-consents-open")
        printed = await saved(page, f"/admin/consents/{me.id}/proof.pdf")
        assert printed.startswith(b"%PDF-")
        await house.log_in(one, me)
        await page.goto(f"{house.server.url}/me/history")
        await expect(page.locator(".history > li").first).to_contain_text("Permintaan pengadilan")
