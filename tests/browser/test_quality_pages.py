"""How lines were, as people read it: the list, a report of each session, and trends."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from playwright.async_api import Browser, expect

from accounts import people
from accounts.people import Person
from accounts.roles import Role
from core.ids import SessionId
from counseling import supervision
from tests.browser.conftest import ONE_LOOP
from tests.browser.counselors import audit_of, database_of, enter
from tests.browser.houses import House, house
from tests.browser.paper import look
from tests.browser.rooms import DESK, PHONE, Shape, room
from tests.e2e.server import Server
from tests.web.sessions import bad_quarter, make_session, sum_up_all

__all__ = ["house"]

pytestmark = ONE_LOOP

ON_PHONE, AT_DESK = Shape(PHONE, "light", "id-ID"), Shape(DESK, "dark", "en-GB")


@dataclass(frozen=True, slots=True)
class Staged:
    """Who reads about which session."""

    server: Server
    ratna: Person
    sari: Person
    dewi: Person
    session: SessionId


@pytest_asyncio.fixture(scope="module", loop_scope="package")
async def staged(house: House) -> AsyncIterator[Staged]:
    """Eleven sessions that had a bad quarter of an hour today."""
    server, now, sessions = house.server, datetime.now(UTC), list[SessionId]()
    async with database_of(server) as db:
        ratna, bima, sari, dewi = [
            await people.create_staff(db, name=name, language="id", roles=[role], now=now)
            for name, role in (
                ("ratna", Role.COUNSELOR),
                ("bima", Role.COUNSELOR),
                ("sari", Role.SUPERVISOR),
                ("dewi", Role.ADMIN),
            )
        ]
        await supervision.assign(
            db,
            audit_of(server),
            person=dewi,
            supervisor=sari,
            counselor=ratna,
            from_day=now.date() - timedelta(days=1),
            until_day=None,
            now=now,
        )
        embun = await people.create_client(db, name="Embun", language="id", adult=True, now=now)
        for number in range(11):
            counselor = bima if number > 5 else ratna
            made = await make_session(db, client=embun, counselor=counselor, now=now - timedelta(hours=3))
            await bad_quarter(
                db, made, began_at=now - timedelta(minutes=30 + 50 * (number % 3), seconds=number)
            )
            sessions.append(made.id)
        await sum_up_all(db, now=now)
    yield Staged(server, ratna, sari, dewi, sessions[0])


@pytest.mark.parametrize("shape", [ON_PHONE, AT_DESK], ids=["phone-id", "desk-en"])
async def test_from_the_list_to_a_report_and_the_trends(
    red_browser: Browser, staged: Staged, shape: Shape
) -> None:
    url = staged.server.url
    async with room(red_browser, shape) as one:
        page = one.page
        await enter(one, staged.server, staged.ratna)
        await page.goto(f"{url}/counselor")
        await page.click("a[href='/quality/sessions']")
        await look(one, "quality-sessions")
        await expect(page.locator("tbody tr")).to_have_count(6)
        await page.click(f"a[href='/quality/sessions/{staged.session}']")
        await expect(page.locator(".lane-shapes")).to_have_count(8)
        await page.click("summary")
        await expect(page.locator("details tbody tr").first).to_be_visible()
        await look(one, "quality-report")

        await enter(one, staged.server, staged.sari)
        await page.goto(f"{url}/supervisor")
        await look(one, "quality-supervisor")
        await page.click("a[href='/quality/trends']")
        await expect(page.locator("main")).to_contain_text("ratna")
        await expect(page.locator("main")).not_to_contain_text("bima")
        await enter(one, staged.server, staged.dewi)
        await page.goto(f"{url}/quality/trends?days=7")
        await look(one, "quality-trends")
        await page.goto(f"{url}/admin")
        await page.click("a[href='/quality']")
        await look(one, "quality-live-none")
