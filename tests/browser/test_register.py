"""The whole way of a counselor into the register, in real browsers and both languages."""

from __future__ import annotations

import asyncio
import io
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from PIL import Image, ImageDraw
from playwright.async_api import Browser, FilePayload, expect

from accounts import logins, people
from accounts.logins import Stage
from accounts.people import Person
from accounts.roles import Role
from core.db import Database
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import at, look, press
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.e2e.server import Server

pytestmark = ONE_LOOP

SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), id="phone-id"),
    pytest.param(Shape(DESK, "dark", "en-GB"), id="desk-en"),
]


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    """A server of its own."""
    server = Server(tmp_path_factory.mktemp("register"))
    server.start()
    yield server
    server.stop()


def database_of(service: Server) -> Path:
    return Path(service.data_dir) / "teduh.db"


async def enter(one: Room, service: Server, person: Person) -> None:
    """Log a person in with this browser, as their password and second factor would."""
    database = Database(f"sqlite:///{database_of(service)}")
    token = logins.new_token()
    async with database.sessions.begin() as db:
        await logins.open_login(
            db,
            person=person,
            token=token,
            stage=Stage.FULL,
            device="Chromium",
            own_phone=False,
            now=datetime.now(UTC),
        )
    await database.close()
    await one.page.context.clear_cookies()
    await one.page.context.add_cookies(
        [{"name": "teduh_login", "value": token, "url": service.public_url, "httpOnly": True}]
    )


async def make(service: Server, *roles: Role, name: str, language: str) -> Person:
    database = Database(f"sqlite:///{database_of(service)}")
    async with database.sessions.begin() as db:
        made = await people.create_staff(db, name=name, language=language, roles=roles, now=datetime.now(UTC))
    await database.close()
    return made


def paper(words: str) -> FilePayload:
    """A photo of a paper, with the place where it was taken in it."""
    picture = Image.new("RGB", (600, 400), "white")
    ImageDraw.Draw(picture).text((40, 40), words, fill="black")
    exif = Image.Exif()
    exif.get_ifd(0x8825).update({1: "S", 2: (7.0, 0.0, 0.0), 3: "E", 4: (110.0, 25.0, 0.0)})
    exif[0x010F] = "TelltaleCamera"
    out = io.BytesIO()
    picture.save(out, "JPEG", exif=exif)
    return {"name": f"{words}.jpg", "mimeType": "image/jpeg", "buffer": out.getvalue()}


def days_from_now(days: int) -> str:
    return (datetime.now(UTC) + timedelta(days=days)).date().isoformat()


async def fill(one: Room, service: Server) -> None:
    """A counselor fills in all steps, with a mistake at each of them first."""
    page, home = one.page, f"{service.public_url}/counselor/register"
    await page.goto(home)
    await look(one, "register-empty")
    await press(page, "/counselor/register")
    await expect(page.locator("main [role=alert]")).to_be_visible()
    await page.click("a[href='/counselor/register/licence']")
    await look(one, "register-kinds")
    await page.click("a[href='/counselor/register/licence?kind=psychologist']")
    await page.fill("#shown_name", "Ratna Puspita")
    await page.fill("#valid_until", "2020-01-31")
    await page.select_option("#degree", "sarjana")
    await press(page, "/counselor/register/licence")
    await expect(page.locator("#wrong")).to_be_focused()
    for field in ("degree", "licence_number", "valid_until", "background_checked_on"):
        await expect(page.locator(f"#{field}-wrong")).to_be_visible()
    assert await page.input_value("#shown_name") == "Ratna Puspita"
    await look(one, "register-licence-wrong")
    for field, value in (
        ("title", "M.Psi., Psikolog"),
        ("licence_number", "STR-12-345"),
        ("issuing_body", "HIMPSI"),
        ("licence_region", "Jawa Tengah"),
        ("valid_until", days_from_now(400)),
        ("background_checked_on", days_from_now(-40)),
    ):
        await page.fill(f"#{field}", value)
    await page.select_option("#degree", "magister")
    await look(one, "register-licence")
    await press(page, "/counselor/register/licence")
    await at(page, "/counselor/register")

    await page.goto(f"{home}/practice")
    await page.fill("#about", "Saya mendengarkan lebih dulu. Kita berjalan sesuai langkahmu.")
    await page.fill("#capacity", "banyak")
    await press(page, "/counselor/register/practice")
    await expect(page.locator("#capacity-wrong")).to_be_visible()
    assert "langkahmu" in await page.input_value("#about")
    await look(one, "register-practice-wrong")
    for name, value in (
        ("languages", "id"),
        ("languages", "jv"),
        ("topics", "study"),
        ("topics", "grief"),
        ("media", "video"),
        ("media", "chat"),
    ):
        await page.check(f"input[name={name}][value={value}]")
    await page.fill("#capacity", "6")
    await page.fill("#recusals", "Fakultas Teknik")
    await press(page, "/counselor/register/practice")
    await at(page, "/counselor/register")

    await page.goto(f"{service.public_url}/counselor/hours")
    await page.fill("#day_0", "pagi")
    await press(page, "/counselor/hours")
    await expect(page.locator("#day_0-wrong")).to_be_visible()
    await look(one, "register-hours-wrong")
    await page.fill("#day_0", "9-12, 13-16")
    await page.fill("#day_3", "13.00 - 17.30")
    await press(page, "/counselor/hours")
    await at(page, "/counselor/register")


async def prove(one: Room, service: Server) -> None:
    """Upload, first what is not taken, and sign."""
    page = one.page
    await page.goto(f"{service.public_url}/counselor/proofs")
    await look(one, "register-proofs-empty")
    await page.set_input_files(
        "#file", {"name": "ijazah.pdf", "mimeType": "application/pdf", "buffer": b"<svg onload='alert(1)'/>"}
    )
    await page.select_option("#kind", "degree")
    await press(page, "/counselor/proofs")
    await expect(page.locator("#file-wrong")).to_be_visible()
    assert await page.input_value("#kind") == "degree"
    await look(one, "register-proofs-wrong")
    for kind in ("licence", "degree", "background"):
        await page.select_option("#kind", kind)
        await page.set_input_files("#file", paper(kind))
        await press(page, "/counselor/proofs")
        await expect(page.locator(".done")).to_be_visible()
    await look(one, "register-proofs")
    await page.goto(f"{service.public_url}/counselor/ethics")
    await look(one, "register-ethics")
    await press(page, "/counselor/ethics")
    await expect(page.locator("#agree-wrong")).to_be_visible()
    await page.check("#agree")
    await press(page, "/counselor/ethics")
    await at(page, "/counselor/register")
    await press(page, "/counselor/register")
    await expect(page.locator("form[action='/counselor/register']")).to_have_count(0)
    await look(one, "register-handed-in")


@pytest.mark.parametrize("shape", SHAPES)
async def test_from_an_empty_entry_to_a_verified_card_and_its_end(
    red_browser: Browser, blue_browser: Browser, service: Server, shape: Shape
) -> None:
    language = shape.locale[:2]
    ratna = await make(service, Role.COUNSELOR, name="Ratna P.", language=language)
    adi = await make(service, Role.ADMIN, name="Adi", language=language)
    sari = await make(service, Role.SUPERVISOR, name="Sari", language=language)
    card, entry = f"/counselors/{ratna.id}", f"/admin/register/{ratna.id}"
    async with room(red_browser, shape) as one, room(blue_browser, shape) as office:
        await enter(one, service, ratna)
        await fill(one, service)
        await prove(one, service)
        assert (await office.page.goto(f"{service.public_url}{card}")).status == 404  # type: ignore[union-attr]  # a page always answers

        await enter(office, service, adi)
        page = office.page
        await page.goto(f"{service.public_url}/admin/register")
        await look(office, "admin-register")
        await page.click(f"a[href='{entry}']")
        await look(office, "admin-register-entry")
        await page.fill("#purpose", "Verifikasi")
        await press(page, f"{entry}/open")
        await expect(page.locator("a[download]")).to_have_count(3)
        async with page.expect_download() as coming:
            await page.locator("a[download]").first.click()
        saved = await asyncio.to_thread(Path(await (await coming.value).path()).read_bytes)
        assert saved.startswith(b"\xff\xd8\xff")
        assert b"Telltale" not in saved
        await page.select_option("#supervisor", sari.id)
        await press(page, f"{entry}/supervisors")
        await expect(page.locator("#supervisors ~ .cards li")).to_have_count(1)
        await press(page, entry)
        await expect(page.locator("#note-wrong")).to_be_visible()
        await page.check("input[name=decision][value=verify]")
        await page.fill("#note", "STR dan ijazah dilihat.")
        await look(office, "admin-register-open")
        await press(page, entry)
        await expect(page.locator(".done")).to_be_visible()
        await page.goto(f"{service.public_url}/admin/register?view=all")
        await look(office, "admin-register-all")

        await enter(office, service, sari)
        await page.goto(f"{service.public_url}/supervisor")
        await expect(page.locator("main")).to_contain_text("Ratna Puspita")
        await look(office, "supervisor")

        await page.context.clear_cookies()
        await page.goto(f"{service.public_url}{card}")
        await expect(page.locator("h1")).to_contain_text("Ratna Puspita")
        assert "STR-12-345" not in await page.content()
        assert "Fakultas Teknik" not in await page.content()
        await look(office, "counselor-card")
        await one.page.reload()
        await look(one, "register-verified")

        with closing(sqlite3.connect(database_of(service))) as db, db:
            db.execute(
                "UPDATE counselors SET valid_until = ? WHERE user_id = ?", (days_from_now(-2), ratna.id)
            )
        assert (await page.reload()).status == 404  # type: ignore[union-attr]  # as above
        await one.page.reload()
        await expect(one.page.locator("a[href^='/counselors/']")).to_have_count(0)
        await look(one, "register-expired")
