"""Who opened what, being erased, and the audit, in real browsers and both languages."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from accounts import grants, logins, people
from accounts.audit import Audit
from accounts.logins import Stage
from accounts.people import Person
from accounts.roles import Permission, Role
from core.db import Database
from core.keyfile import master_key
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import at, look, press
from tests.browser.rooms import DESK, PHONE, Room, Shape, room
from tests.e2e.server import Server

pytestmark = ONE_LOOP

SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), id="phone-id"),
    pytest.param(Shape(DESK, "dark", "en-GB"), id="desk-en"),
]


class Service:
    """A running server, and its database as a second process of the same operator has it."""

    def __init__(self, server: Server) -> None:
        self.server = server
        self.audit = Audit(master_key(server.data_dir))
        self.database = Database(f"sqlite:///{server.data_dir / 'teduh.db'}")

    async def person(self, *roles: Role, name: str, language: str) -> Person:
        now = datetime.now(UTC)
        async with self.database.sessions.begin() as db:
            if roles:
                return await people.create_staff(db, name=name, language=language, roles=roles, now=now)
            return await people.create_client(db, name=name, language=language, adult=True, now=now)

    async def log_in(self, one: Room, person: Person) -> None:
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
        await one.page.context.add_cookies(
            [
                {
                    "name": "teduh_login",
                    "value": token,
                    "url": self.server.url,
                    "httpOnly": True,
                    "sameSite": "Lax",
                }
            ]
        )

    async def live(self, person: Person, admin: Person) -> None:
        """Let this and that happen to a client."""
        now = datetime.now(UTC) - timedelta(hours=3)
        async with self.database.sessions.begin() as db:
            for tag in ("account:make", "login:open", "recovery:make", "email:keep"):
                now += timedelta(minutes=7)
                await self.audit.append(
                    db,
                    tag=tag,
                    actor=person.id,
                    subject=person.id,
                    detail={"device": "Chrome, Android"},
                    now=now,
                )
            await grants.give(
                db,
                self.audit,
                person=admin,
                permission=Permission.SEE_AUDIT,
                subject=person.id,
                purpose="menjawab pertanyaan lewat Laporkan",
                now=now + timedelta(minutes=30),
            )


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Service]:
    server = Server(tmp_path_factory.mktemp("service"))
    server.start()
    made = Service(server)
    yield made
    await made.database.close()
    server.stop()


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_client_reads_who_opened_what(red_browser: Browser, service: Service, shape: Shape) -> None:
    language = shape.locale[:2]
    admin = await service.person(Role.ADMIN, name="Ratna", language="id")
    me, nobody = [await service.person(name=name, language=language) for name in ("Embun Pagi", "Kabut")]
    await service.live(me, admin)
    async with room(red_browser, shape) as one:
        await service.log_in(one, nobody)
        await one.page.goto(f"{service.server.url}/me/history")
        await look(one, "history-empty")
        await service.log_in(one, me)
        await one.page.goto(f"{service.server.url}/me/history")
        await expect(one.page.locator(".history > li")).to_have_count(5)
        await expect(one.page.locator(".history > li").first).to_contain_text("Ratna")
        await expect(one.page.locator(".history > li").first).to_contain_text("menjawab pertanyaan")
        await look(one, "history")
        await one.page.click("a[href='/me/history?by=others']")
        await expect(one.page.locator(".history > li")).to_have_count(1)
        await look(one, "history-others")


@pytest.mark.parametrize("shape", SHAPES)
async def test_a_client_asks_to_be_erased_and_takes_it_back(
    red_browser: Browser, service: Service, shape: Shape
) -> None:
    me = await service.person(name="Embun Pagi", language=shape.locale[:2])
    async with room(red_browser, shape) as one:
        await service.log_in(one, me)
        await one.page.goto(f"{service.server.url}/me/erase")
        await look(one, "erase")
        await press(one.page, "/me/erase")
        await expect(one.page.locator("#wrong")).to_be_focused()
        await look(one, "erase-wrong")
        await one.page.check("#sure")
        await press(one.page, "/me/erase")
        await expect(one.page.locator(".done")).to_be_visible()
        await look(one, "erase-leaving")
        await one.page.goto(f"{service.server.url}/home")
        await at(one.page, "/me/erase")
        await press(one.page, "/me/erase/cancel")
        await expect(one.page.locator("form[action='/me/erase']")).to_have_count(1)
        await look(one, "erase-cancelled")
        await one.page.goto(f"{service.server.url}/home")
        await at(one.page, "/home")
        await expect(one.page.locator("h1")).to_be_visible()


@pytest.mark.parametrize("shape", SHAPES)
async def test_an_admin_reads_the_audit_and_opens_details_for_a_purpose(
    red_browser: Browser, service: Service, shape: Shape
) -> None:
    language = shape.locale[:2]
    me = await service.person(name="Embun Pagi", language=language)
    admin = await service.person(Role.ADMIN, name="Ratna", language=language)
    other = await service.person(Role.ADMIN, name="Sari", language=language)
    await service.live(me, other)
    async with room(red_browser, shape) as one:
        await service.log_in(one, admin)
        await one.page.goto(f"{service.server.url}/admin/audit")
        await look(one, "audit")
        await one.page.goto(f"{service.server.url}/admin/audit?since=kemarin&person=Embun")
        await expect(one.page.locator("#wrong")).to_be_focused()
        await look(one, "audit-wrong")
        await one.page.goto(f"{service.server.url}/admin/audit")
        await one.page.select_option("#tag", "email:keep")
        await one.page.fill("#person", me.id)
        await one.page.click("form.filter button")
        rows = one.page.locator("tbody tr")
        await expect(rows).to_have_count(1)
        await expect(one.page.locator("main")).not_to_contain_text("Embun")
        await one.page.click("tbody th a")
        await look(one, "audit-row")
        where = one.page.url.partition(service.server.url)[2]
        await one.page.fill("#purpose", "x")
        await press(one.page, where)
        await expect(one.page.locator("#purpose-wrong")).to_be_visible()
        await look(one, "audit-row-wrong")
        await one.page.fill("#purpose", "menjawab pertanyaan klien")
        await press(one.page, where)
        await expect(one.page.locator("main")).to_contain_text("Chrome, Android")
        await look(one, "audit-row-open")
        async with one.page.expect_download() as waiting:
            await one.page.goto(f"{service.server.url}/admin/audit")
            await one.page.click("a[href='/admin/audit/checkpoint']")
        download = await waiting.value
        path = await download.path()
        assert json.loads(path.read_text())["count"] >= 6  # a line that is there already


async def test_the_verified_chain_is_shown(red_browser: Browser, service: Service) -> None:
    admin = await service.person(Role.ADMIN, name="Ratna", language="id")
    service.server.command("audit", "verify")
    async with room(red_browser, Shape(DESK, "light", "id-ID")) as one:
        await service.log_in(one, admin)
        await one.page.goto(f"{service.server.url}/admin/audit")
        await expect(one.page.locator(".state").first).to_have_text("Rantai utuh")
        await look(one, "audit-verified")
