"""The whole of trust, as strangers walk it: from invitation to verified, and from a first page to erased.

Nobody types an address but the first: each next page is reached by a link that stands on the one before.
"""

from __future__ import annotations

import asyncio
import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from accounts.checkpoints import FILE as CHECKPOINTS
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import at, press
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.browser.test_accounts import PASSWORD, enrol_app, log_in
from tests.browser.test_consents import saved
from tests.browser.test_register import days_from_now, paper
from tests.e2e.server import Server
from web.render import make_renderer

pytestmark = ONE_LOOP

RENDERER = make_renderer()
PHONE_ID = Shape(PHONE, "light", "id-ID")
DESK_EN = Shape(DESK, "dark", "en-GB")
SHAPES = [pytest.param(PHONE_ID, id="phone-id"), pytest.param(DESK_EN, id="desk-en")]
ERASED_WITHIN_S = 100.0


class House:
    """A server whose checkpoints go to a directory of their own, and what its operator does to it."""

    def __init__(self, folder: Path) -> None:
        self.outside = folder / "outside"
        self.outside.mkdir()
        self.server = Server(folder / "var")
        self.server.extra |= {
            "TEDUH_PUBLIC_URL": f"http://localhost:{self.server.http_port}",
            "TEDUH_AUDIT_CHECKPOINTS": str(self.outside),
        }
        self.server.start()
        self.password = folder / "password"
        self.password.write_text(f"{PASSWORD}\n")

    @property
    def url(self) -> str:
        return self.server.public_url

    @property
    def file(self) -> Path:
        return Path(self.server.data_dir) / "teduh.db"

    def make_admin(self, login: str, language: str) -> None:
        self.server.command(
            "admin", "create", "Dewi", login, "--language", language, "--password-file", str(self.password)
        )

    def back_up(self, to: Path) -> None:
        """As docs/operations.md says."""
        with closing(sqlite3.connect(self.file)) as db:
            db.execute("VACUUM INTO ?", (str(to),))

    def restore(self, backup: Path) -> None:
        self.server.stop()
        for name in ("teduh.db", "teduh.db-wal", "teduh.db-shm"):
            (self.file.parent / name).unlink(missing_ok=True)
        os.replace(backup, self.file)  # noqa: PTH105  # a move in one step, as restoring is
        self.server.start()

    def users(self) -> set[str]:
        with closing(sqlite3.connect(self.file)) as db:
            return {name for (name,) in db.execute("SELECT name FROM users")}

    def user(self, name: str) -> str:
        with closing(sqlite3.connect(self.file)) as db:
            ((user,),) = db.execute("SELECT id FROM users WHERE name = ?", (name,))
            return str(user)

    def pass_72_hours(self) -> None:
        """Whoever asked to be erased did so three days ago."""
        with closing(sqlite3.connect(self.file)) as db, db:
            due = datetime.now(UTC) - timedelta(seconds=1)
            db.execute("UPDATE users SET erase_at = ? WHERE erase_at IS NOT NULL", (due.isoformat(" ")[:26],))


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def house(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[House]:
    made = House(tmp_path_factory.mktemp("whole"))
    yield made
    made.server.stop()


def words(one: Room, key: str, **places: object) -> str:
    """What a page says in the language of this browser."""
    return RENDERER.text(one.shape.locale[:2], key, **places)


async def follow(page: Page, path: str) -> None:
    """Press the first link to this path that stands on the page."""
    await page.click(f"a[href='{path}']:visible >> nth=0")
    await at(page, path.partition("?")[0])


async def done(page: Page) -> None:
    await expect(page.locator(".done")).to_be_visible()


async def invite(office: Room, role: str, note: str) -> str:
    """An admin invites somebody, from home; gives the link. Ends at home."""
    page = office.page
    await follow(page, "/admin/people")
    await follow(page, "/admin/people/invite")
    await page.fill("#note", note)
    await page.check(f"input[name=roles][value={role}]")
    await page.fill("#password", PASSWORD)
    await press(page, "/admin/people/invite")
    link = await page.inner_text("#link")
    await follow(page, "/admin")
    return link


async def join(one: Room, link: str, name: str, login: str) -> None:
    """Somebody takes an invitation as far as the codes for a lost phone."""
    page = one.page
    await page.goto(link)
    await page.wait_for_selector("form[action='/invitation/join']")
    for field, value in (("name", name), ("login", login), ("password", PASSWORD), ("again", PASSWORD)):
        await page.fill(f"#{field}", value)
    await press(page, "/invitation/join")
    await enrol_app(one)


async def register(one: Room) -> None:
    """A counselor fills the entry in, proves it, signs, and hands it in; all from home."""
    page, home = one.page, "/counselor/register"
    await follow(page, home)
    await follow(page, f"{home}/licence")
    await page.click(f"a[href='{home}/licence?kind=psychologist']")
    for field, value in (
        ("shown_name", "Ratna Puspita"),
        ("title", "M.Psi., Psikolog"),
        ("licence_number", "STR-12-345"),
        ("issuing_body", "HIMPSI"),
        ("licence_region", "Jawa Tengah"),
        ("valid_until", days_from_now(400)),
        ("background_checked_on", days_from_now(-40)),
    ):
        await page.fill(f"#{field}", value)
    await page.select_option("#degree", "magister")
    await press(page, f"{home}/licence")
    await at(page, home)
    await follow(page, f"{home}/practice")
    await page.fill("#about", "Saya mendengarkan lebih dulu.")
    for name, value in (("languages", "id"), ("topics", "grief"), ("media", "chat")):
        await page.check(f"input[name={name}][value={value}]")
    await page.fill("#capacity", "6")
    await press(page, f"{home}/practice")
    await at(page, home)
    await follow(page, "/counselor/hours")
    await page.fill("#day_0", "9-12, 13-16")
    await press(page, "/counselor/hours")
    await at(page, home)
    await follow(page, "/counselor/proofs")
    for kind in ("licence", "degree", "background"):
        await page.select_option("#kind", kind)
        await page.set_input_files("#file", paper(kind))
        await press(page, "/counselor/proofs")
        await done(page)
    await follow(page, home)
    await follow(page, "/counselor/ethics")
    await page.check("#agree")
    await press(page, "/counselor/ethics")
    await at(page, home)
    await press(page, home)
    await done(page)


async def verify(office: Room, name: str) -> None:
    """An admin opens the proof for a purpose and verifies, from home."""
    page = office.page
    await follow(page, "/admin/register")
    await page.click(f"main table a:has-text('{name}')")
    where = page.url.partition(page.url.split("/admin")[0])[2]
    await page.fill("#purpose", "Verifikasi")
    await press(page, f"{where}/open")
    await expect(page.locator("a[download]")).to_have_count(3)
    await page.check("input[name=decision][value=verify]")
    await page.fill("#note", "STR dan ijazah dilihat.")
    await press(page, where)
    await done(page)


@pytest.mark.parametrize("shape", SHAPES)
async def test_from_an_invitation_to_a_verified_counselor(
    red_browser: Browser, blue_browser: Browser, house: House, shape: Shape
) -> None:
    language = shape.locale[:2]
    house.make_admin(f"dewi.{language}", language)
    async with room(red_browser, shape) as office, room(blue_browser, shape) as one:
        await office.page.goto(house.url)
        await follow(office.page, "/staff/login")
        await log_in(office, house.server, f"dewi.{language}")
        await enrol_app(office)
        await at(office.page, "/admin")
        await join(one, await invite(office, "counselor", "Ratna"), "Ratna P.", f"ratna.{language}")
        await at(one.page, "/counselor")
        await register(one)
        await verify(office, "Ratna Puspita")

        await one.page.reload()
        await follow(one.page, "/me/notices")
        await expect(one.page.locator("main")).to_contain_text(words(one, "notice.register_verify.title"))
        await follow(one.page, "/counselor")
        await follow(one.page, "/counselor/register")
        await expect(one.page.locator("main")).to_contain_text(words(one, "register.open"))
        await one.page.click("main a[href^='/counselors/']")
        await expect(one.page.locator("h1")).to_contain_text("Ratna Puspita")
        assert (office.errors, one.errors) == ([], [])


async def start(one: Room, house: House) -> tuple[str, str]:
    """A client comes in on a phone of their own; gives the name that was made up and the recovery code."""
    page = one.page
    await page.goto(house.url)
    await follow(page, "/start")
    await page.check("input[name=age][value=adult]")
    await page.check("input[name=phone][value=own]")
    await press(page, "/start")
    await at(page, "/home")
    await follow(page, "/me/recovery")
    await press(page, "/me/recovery")
    code = await page.inner_text("#code")
    await page.click("a[href^='/home']:visible >> nth=-1")
    return await page.inner_text(".who"), code


async def come_back(one: Room, house: House, code: str) -> None:
    """The same client on another phone."""
    await one.page.goto(house.url)
    await follow(one.page, "/enter")
    await one.page.fill("#code", code)
    await one.page.check("input[name=phone][value=own]")
    await press(one.page, "/enter")
    await at(one.page, "/home")


async def consent(one: Room) -> bytes:
    """Give and withdraw one, from home; gives the receipt of having given it."""
    page = one.page
    await follow(page, "/me/consents")
    await press(page, "/me/consents/research/give")
    await done(page)
    await press(page, "/me/consents/research/withdraw")
    await expect(page.locator("#research .state")).to_have_text(words(one, "standing.withdrawn"))
    await page.click(".record li:last-child a")
    await expect(page.locator(".signed")).to_be_visible()
    receipt = await saved(page, f"{page.url.partition('/me/')[1]}{page.url.partition('/me/')[2]}/file")
    await follow(page, "/home")
    return receipt


async def complain(one: Room) -> None:
    """File a complaint, from home."""
    page = one.page
    await follow(page, "/complaint")
    await page.check("input[name=topic][value=boundary]")
    await page.fill("#text", "Konselor menanyakan nomor pribadi saya.")
    await press(page, "/complaint")
    await expect(page.locator("#receipt")).to_be_visible()
    await follow(page, "/home")


async def answer(officer: Room) -> None:
    """The officer opens the one that waits, answers and closes it."""
    page = officer.page
    await page.reload()
    await page.locator("a.card[href^='/officer/c_']").first.click()
    await page.check("input[name=purpose][value=answer]")
    await page.click("form[action$='/open'] button")
    await page.fill("#text", "Terima kasih. Kami sudah bicara dengan konselor itu.")
    await page.click("form[action$='/answer'] button")
    await done(page)
    await page.click("form[action$='/close'] button")
    await at(page, "/officer")


async def open_proof(office: Room, user: str) -> None:
    """An admin opens somebody's proof of consent for a purpose, from home."""
    page = office.page
    await follow(page, "/admin/consents")
    await page.fill("#user", user)
    await page.fill("#purpose", "Permintaan pengadilan 12/2026")
    await press(page, "/admin/consents")
    await at(page, f"/admin/consents/{user}")
    await follow(page, "/admin")


async def read(one: Room) -> None:
    """The client reads the answer, and who opened what; from home."""
    page = one.page
    await page.reload()
    await follow(page, "/me/notices")
    await expect(page.locator("main")).to_contain_text(words(one, "notice.complaint_answered.title"))
    await follow(page, "/home")
    await follow(page, "/complaint")
    await page.click("main details summary")
    await expect(page.locator("main details")).to_contain_text("Kami sudah bicara")
    await follow(page, "/home")
    await follow(page, "/me/history")
    await expect(page.locator(".history > li").first).to_contain_text("Permintaan pengadilan")
    await follow(page, "/home")


async def ask_to_be_erased(one: Room) -> None:
    """From home; nothing else is open any more."""
    page = one.page
    await follow(page, "/me/erase")
    await page.check("#sure")
    await press(page, "/me/erase")
    await done(page)
    await page.goto(page.url.replace("/me/erase", "/me/consents"))
    await at(page, "/me/erase")


async def test_from_a_first_page_to_erased(
    red_browser: Browser, blue_browser: Browser, house: House, tmp_path: Path
) -> None:
    """Two clients, one in each language; afterwards the audit holds, and no backup brings them back."""
    house.make_admin("adi", "id")
    async with (
        room(red_browser, DESK_EN) as office,
        room(red_browser, PHONE_ID) as officer,
        room(blue_browser, PHONE_ID) as phone_id,
        room(blue_browser, DESK_EN) as desk_en,
    ):
        await office.page.goto(house.url)
        await follow(office.page, "/staff/login")
        await log_in(office, house.server, "adi")
        await enrol_app(office)
        await join(officer, await invite(office, "officer", "Wayan"), "Wayan", "wayan")
        await at(officer.page, "/officer")
        names = []
        for one in (phone_id, desk_en):
            async with room(red_browser, one.shape) as old:
                name, code = await start(old, house)
                await come_back(one, house, code)
                assert await one.page.inner_text(".who") == name
                await old.page.reload()
                await expect(old.page.locator("#new-logins")).to_be_visible()
                assert old.errors == []
            receipt = tmp_path / "receipt.txt"
            receipt.write_bytes(await consent(one))
            said = await asyncio.to_thread(house.server.command, "consent", "verify", str(receipt))
            assert "The receipt holds." in said
            await complain(one)
            await answer(officer)
            await open_proof(office, house.user(name))
            await read(one)
            await ask_to_be_erased(one)
            names.append(name)

        house.back_up(tmp_path / "backup.db")
        house.pass_72_hours()
        for one in (phone_id, desk_en):
            async with asyncio.timeout(ERASED_WITHIN_S):
                while "/me/erase" in one.page.url:
                    await asyncio.sleep(1)
                    await one.page.reload()
            await at(one.page, "/enter")
        assert not house.users() & set(names)
        checkpoints = house.outside / CHECKPOINTS
        verify = ("audit", "verify", "--checkpoint", str(checkpoints))
        assert "holds" in await asyncio.to_thread(house.server.command, *verify)
        assert all(one.errors == [] for one in (office, officer, phone_id, desk_en))

    with closing(sqlite3.connect(tmp_path / "backup.db")) as db:
        assert len(db.execute("SELECT 1 FROM users WHERE erase_at IS NOT NULL").fetchall()) == 2
    await asyncio.to_thread(house.restore, tmp_path / "backup.db")
    assert not house.users() & set(names)
    assert "holds" in await asyncio.to_thread(house.server.command, "audit", "verify")
