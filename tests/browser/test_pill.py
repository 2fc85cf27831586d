"""How lines are now: behind the pill in the room, and in the list of what is in trouble.

A whole line is in no list. That is true of a machine that can carry two browsers, so this has it alone.
"""

from __future__ import annotations

from datetime import UTC, datetime

from playwright.async_api import Browser, expect

from accounts import people
from accounts.roles import Role
from tests.browser.conftest import ONE_LOOP
from tests.browser.counselors import database_of, enter
from tests.browser.houses import House, house, meeting
from tests.browser.paper import look
from tests.browser.rooms import DESK, PHONE, Shape, room

__all__ = ["house"]

pytestmark = ONE_LOOP

UNKNOWN = "\N{EN DASH}"
ON_PHONE, AT_DESK = Shape(PHONE, "light", "id-ID"), Shape(DESK, "dark", "en-GB")


async def test_behind_the_pill_stand_both_lines_and_a_broken_one_comes_to_the_list(
    red_browser: Browser, house: House
) -> None:
    async with database_of(house.server) as db:
        dewi = await people.create_staff(
            db, name="dewi", language="id", roles=[Role.ADMIN], now=datetime.now(UTC)
        )
    async with (
        room(red_browser, AT_DESK) as office,
        meeting(red_browser, house, (ON_PHONE, AT_DESK)) as (phone, desk, session),
    ):
        for one in (phone, desk):
            await one.act("line")
            for side in ("mine", "theirs"):
                for of in ("grade", "rtt_ms", "bytes"):
                    cell = one.page.locator(f"[data-side={side}][data-of={of}]")
                    await expect(cell).not_to_have_text(UNKNOWN, timeout=20_000)
                    await expect(cell).not_to_have_text("")
            await one.audit("quality-pill")
            await one.page.keyboard.press("Escape")
            await expect(one.page.locator("#line-dialog")).to_be_hidden()
            await expect(one.page.locator("#pill")).to_be_focused()

        await enter(office, house.server, dewi)
        await office.page.goto(f"{house.server.url}/quality")
        live = office.page.locator("main")
        await expect(live).to_contain_text("Tidak ada sesi yang terganggu sekarang.")
        await phone.page.context.close()
        report = office.page.locator(f"a[href='/quality/sessions/{session.id}']")
        await expect(report).to_be_visible(timeout=20_000)
        await look(office, "quality-live")
        await report.click()
        await expect(office.page.locator("h1")).to_have_text("Laporan sambungan")
