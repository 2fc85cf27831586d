"""Duties in real browsers and both languages: crisis help, complaints, inbox, roster, minors, incidents."""

from __future__ import annotations

import io
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from PIL import Image
from playwright.async_api import Browser, expect

from accounts import logins, notices, people
from accounts.audit import Audit
from accounts.logins import Stage
from accounts.people import Person
from accounts.roles import Role
from core.db import Database
from core.keyfile import master_key
from counseling import crisis, incidents
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import at, look, press
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.docs.conftest import ROOT
from tests.e2e.server import Server

pytestmark = ONE_LOOP

SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), id="phone-id"),
    pytest.param(Shape(DESK, "dark", "en-GB"), id="desk-en"),
]


class Service:
    """A running server, and its database as a second process of the same operator has it."""

    def __init__(self, server: Server) -> None:
        self.server, self.url = server, server.url
        self.audit = Audit(master_key(server.data_dir))
        self.database = Database(f"sqlite:///{server.data_dir / 'teduh.db'}")

    async def person(self, *roles: Role, name: str, language: str, adult: bool = True) -> Person:
        now = datetime.now(UTC)
        async with self.database.sessions.begin() as db:
            if roles:
                return await people.create_staff(db, name=name, language=language, roles=roles, now=now)
            return await people.create_client(db, name=name, language=language, adult=adult, now=now)

    async def enter(self, one: Room, person: Person) -> None:
        """Log a person in, in this browser."""
        token = logins.new_token()
        async with self.database.sessions.begin() as db:
            await logins.open_login(
                db,
                person=person,
                token=token,
                stage=Stage.FULL,
                device="Chrome, Android",
                own_phone=True,
                now=datetime.now(UTC),
            )
        await one.page.context.clear_cookies()
        await one.page.context.add_cookies(
            [{"name": "teduh_login", "value": token, "url": self.url, "httpOnly": True, "sameSite": "Lax"}]
        )


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    server = Server(
        tmp_path_factory.mktemp("duties"),
        extra={"TEDUH_MINORS_POLICY": str(ROOT / "examples" / "minors.toml")},
    )
    server.start()
    made = Service(server)
    yield made
    await made.database.close()
    server.stop()


def photo() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (300, 200), "white").save(out, "JPEG")
    return out.getvalue()


@pytest.mark.parametrize("shape", SHAPES)
async def test_crisis_help_is_there_for_everybody(
    red_browser: Browser, service: Service, shape: Shape
) -> None:
    async with room(red_browser, shape) as one:
        await one.page.goto(f"{service.url}/crisis")
        await expect(one.page.locator("a[href^='tel:']").first).to_be_visible()
        await look(one, "crisis")
        await service.enter(one, await service.person(Role.ADMIN, name="Dewi", language=shape.locale[:2]))
        await one.page.goto(f"{service.url}/admin/crisis")
        await look(one, "crisis-admin")
        async with service.database.sessions() as db:
            if not await crisis.every(db):
                await press(one.page, "/admin/crisis/adopt")
        await one.page.goto(f"{service.url}/admin/crisis/new")
        await one.page.uncheck("#always")
        await one.page.fill("#numbers", "tolong")
        await press(one.page, "/admin/crisis/new")
        await expect(one.page.locator("#wrong")).to_be_focused()
        await look(one, "crisis-line-wrong")
        await one.page.goto(f"{service.url}/admin/crisis")
        await one.page.locator("form[action$='/checked'] button").first.click()
        await expect(one.page.locator(".done")).to_be_visible()
        await one.page.fill("#clinician", "dr. Made Surya, Sp.KJ (SIP 12/2025)")
        await press(one.page, "/admin/crisis/sign")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "crisis-admin-own")
        await one.page.context.clear_cookies()
        await one.page.goto(f"{service.url}/crisis")
        await expect(one.page.locator(".sign")).to_have_count(0)
        await look(one, "crisis-signed")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_complaint_with_evidence_is_answered(
    red_browser: Browser, service: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    officer = await service.person(Role.OFFICER, name="Wayan", language=language)
    me = await service.person(name="Embun Pagi", language=language)
    async with room(red_browser, shape) as one:
        await one.page.goto(f"{service.url}/complaint")
        await look(one, "complaint")
        await press(one.page, "/complaint")
        await expect(one.page.locator("#wrong")).to_be_focused()
        await look(one, "complaint-wrong")
        await service.enter(one, me)
        await one.page.goto(f"{service.url}/complaint")
        await one.page.check("input[name=topic][value=boundary]")
        await one.page.fill("#text", "Konselor menanyakan nomor pribadi saya.\nDua kali.")
        await press(one.page, "/complaint")
        receipt = await one.page.inner_text("#receipt")
        await look(one, "complaint-sent")
        await one.page.set_input_files(
            "#file", {"name": "IMG.jpg", "mimeType": "image/jpeg", "buffer": photo()}
        )
        await press(one.page, "/complaint/evidence")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "complaint-added")
        await one.page.set_input_files(
            "#file", {"name": "x.svg", "mimeType": "image/svg+xml", "buffer": b"<svg/>"}
        )
        await press(one.page, "/complaint/evidence")
        await expect(one.page.locator("#file-wrong")).to_be_visible()
        await look(one, "complaint-refused")

        await service.enter(one, officer)
        await one.page.goto(f"{service.url}/officer")
        await look(one, "officer")
        await one.page.locator("a.card[href^='/officer/c_']").first.click()
        await look(one, "officer-opening")
        await one.page.check("input[name=purpose][value=answer]")
        await one.page.click("form[action$='/open'] button")
        await expect(one.page.locator("main")).to_contain_text("Dua kali.")
        async with one.page.expect_download() as waiting:
            await one.page.click("a[download]")
        assert (await waiting.value).suggested_filename.endswith(".jpg")
        await one.page.fill("#text", "Terima kasih. Kami sudah bicara dengan konselor itu.")
        await one.page.click("form[action$='/answer'] button")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "officer-answered")
        await one.page.click("form[action$='/close'] button")
        await at(one.page, "/officer")

        await service.enter(one, me)
        await one.page.goto(f"{service.url}/me/notices")
        await look(one, "notices")
        await one.page.goto(f"{service.url}/complaint/answer")
        await one.page.fill("#receipt", "0000")
        await press(one.page, "/complaint/answer")
        await expect(one.page.locator("#receipt-wrong")).to_be_visible()
        await look(one, "complaint-receipt-wrong")
        await one.page.fill("#receipt", receipt)
        await press(one.page, "/complaint/answer")
        await expect(one.page.locator("main")).to_contain_text("Kami sudah bicara")
        await look(one, "complaint-answer")


@pytest.mark.parametrize("shape", SHAPES)
async def test_the_inbox_and_an_address(red_browser: Browser, service: Service, shape: Shape) -> None:
    me = await service.person(name="Embun Pagi", language=shape.locale[:2])
    async with service.database.sessions.begin() as db:
        await notices.post(db, user=me.id, kind="complaint_answered", now=datetime.now(UTC))
    async with room(red_browser, shape) as one:
        await service.enter(one, me)
        await one.page.goto(f"{service.url}/me/email")
        await expect(one.page.locator(".places .state")).to_contain_text("1")
        await one.page.fill("#email", "bukan alamat")
        await press(one.page, "/me/email")
        await expect(one.page.locator("#email-wrong")).to_be_visible()
        await look(one, "email-wrong")
        await one.page.fill("#email", "embun@example.org")
        await press(one.page, "/me/email")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "email-kept")
        await press(one.page, "/me/email/forget")
        await expect(one.page.locator("form[action='/me/email/forget']")).to_have_count(0)


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_admin_fills_the_roster(red_browser: Browser, service: Service, shape: Shape) -> None:
    language = shape.locale[:2]
    rina = await service.person(Role.COUNSELOR, name="Rina Dewi Anggraini", language=language)
    await service.person(Role.SUPERVISOR, name="Budi Santoso", language=language)
    async with room(red_browser, shape) as one:
        await service.enter(one, await service.person(Role.ADMIN, name="Dewi", language=language))
        await one.page.goto(f"{service.url}/admin/roster")
        await look(one, "roster")
        form = one.page.locator("form[action='/admin/roster']")
        await form.locator("button[type=submit]").click()
        await expect(one.page.locator("#wrong")).to_be_focused()
        for day in range(6):
            await form.locator(f"input[name=days][value='{day}']").check()
        await form.locator("[name=from_hour]").select_option("7")
        await form.locator("[name=until_hour]").select_option("22")
        await form.locator("[name=person]").select_option(rina.id)
        await form.locator("[name=deputy]").select_option(label="Budi Santoso")
        await form.locator("button[type=submit]").click()
        await expect(one.page.locator(".done")).to_be_visible()
        form = one.page.locator("#date-form")
        tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
        await form.locator("[name=on]").fill(tomorrow)
        await form.locator("[name=person]").select_option(label="Budi Santoso")
        await form.locator("button[type=submit]").click()
        await expect(one.page.locator(".done")).to_be_visible()
        for closed in await one.page.locator("details").all():
            await closed.locator("summary").click()
        await look(one, "roster-filled")
        await service.enter(one, rina)
        await one.page.goto(f"{service.url}/me/duty")
        await look(one, "roster-own")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_decision_about_a_minor_and_an_incident(
    red_browser: Browser, service: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    child = await service.person(name=f"Daun {shape.name}", language=language, adult=False)
    now = datetime.now(UTC)
    async with service.database.sessions.begin() as db:
        await incidents.open_incident(
            db,
            service.audit,
            title="Cadangan tertinggal di kereta",
            what_id="Sebuah cadangan yang terkunci hilang.",
            what_en="A backup, which is encrypted, was lost.",
            since=now - timedelta(hours=5),
            until=now - timedelta(hours=4),
            known_at=now - timedelta(hours=2),
            users=[child.id],
            now=now,
        )
    async with room(red_browser, shape) as one:
        await service.enter(one, await service.person(Role.ADMIN, name="Dewi", language=language))
        await one.page.goto(f"{service.url}/admin/minors")
        await one.page.fill("#name", child.name)
        await one.page.click("form[role=search] button")
        await look(one, "minors")
        await one.page.click(f"a[href='/admin/minors/{child.id}']")
        await press(one.page, f"/admin/minors/{child.id}")
        await expect(one.page.locator("#wrong")).to_be_focused()
        await look(one, "minors-wrong")
        await one.page.check("input[name=kind][value=exception]")
        await one.page.fill("#reason", "Pesan dari sekolah, wali adalah bahayanya.")
        await press(one.page, f"/admin/minors/{child.id}")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "minors-decided")
        await one.page.goto(f"{service.url}/admin/incidents")
        await look(one, "incidents")
        await one.page.locator("a.card").first.click()
        await one.page.fill("#text", "Kunci cadangan sudah diganti.")
        await one.page.click("form[action$='/note'] button")
        await one.page.click("form[action$='/close'] button")
        await expect(one.page.locator("[role=alert]")).to_be_visible()
        await look(one, "incident")


async def test_the_ways_work_without_script(red_browser: Browser, service: Service) -> None:
    context = await red_browser.new_context(java_script_enabled=False, locale="id-ID")
    page = await context.new_page()
    await page.goto(f"{service.url}/complaint")
    await page.check("input[name=topic][value=service]")
    await page.fill("#text", "Tanpa skrip.")
    await press(page, "/complaint")
    await expect(page.locator("#receipt")).to_be_visible()
    await page.goto(f"{service.url}/crisis")
    await expect(page.locator("a[href^='tel:']").first).to_be_visible()
    await context.close()
