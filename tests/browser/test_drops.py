"""A line that breaks under a risk flag, in two browsers: card, alarm, number, telephone, return."""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pytest
from playwright.async_api import Browser, expect

from counseling.drop_states import State
from counseling.preparation import OnDrop
from counseling.triage import Risk
from tests.browser.conftest import ONE_LOOP, Stage
from tests.browser.driver import Person, person_in
from tests.browser.media import BLUE, RED
from tests.browser.rooms import DESK, PHONE, PICTURES, Shape
from tests.browser.rooms import Room as Look
from tests.browser.talks import NUMBER, Meeting, last_drop, log_in, make_meeting

pytestmark = ONE_LOOP
ALARM_S = 15.0
SHAPES = [
    pytest.param(Shape(PHONE, "light", "id-ID"), Shape(DESK, "light", "id-ID"), id="id"),
    pytest.param(Shape(DESK, "dark", "en-GB"), Shape(PHONE, "dark", "en-GB"), id="en"),
]


@dataclass(slots=True)
class Two:
    """Two people of the service in a voice talk: ``red`` is the client, ``blue`` the counselor."""

    stage: Stage
    meeting: Meeting
    red: Person
    blue: Person
    shapes: tuple[Shape, Shape]

    async def picture(self, name: str) -> None:
        """Take both pages' pictures; axe and the layout must have nothing to say."""
        for person, shape, side in zip(
            (self.red, self.blue), self.shapes, ("client", "counselor"), strict=True
        ):
            await Look(person.page, shape, person.errors).audit(f"{name}-{side}")

    async def desk_rings(self) -> None:
        """The desk shows the same, and its alarm stands above."""
        page = await self.blue.page.context.new_page()
        try:
            await page.add_init_script("window.violations = [];")
            await page.goto(f"http://{self.stage.blue.http.netloc}/counselor/desk")
            await expect(page.locator("[data-drop=calling]")).to_contain_text(self.meeting.client.name)
            await expect(page.locator("#alarm")).to_be_visible()
            await Look(page, self.shapes[1], []).audit("desk-drop", scripts=False)
        finally:
            await page.close()

    async def stands(self, state: State) -> None:
        """Wait until the drop is written down so."""
        for _ in range(25):
            if await self.drop() is state:
                return
            await asyncio.sleep(0.2)
        raise AssertionError(await self.drop())

    async def drop(self) -> State | None:
        found = await last_drop(self.stage.server, self.meeting)
        return None if found is None else found.state


@contextlib.asynccontextmanager
async def talking(
    stage: Stage,
    browsers: tuple[Browser, Browser],
    shapes: tuple[Shape, Shape],
    *,
    risk: Risk = Risk.WATCH,
    on_drop: OnDrop = OnDrop.NOTHING,
    own_phone: bool = False,
) -> AsyncIterator[Two]:
    """Let the two meet; each reaches the server through a network of their own."""
    for network in (stage.red, stage.blue):
        network.heal()
    meeting = await make_meeting(stage.server, risk=risk, on_drop=on_drop)
    async with contextlib.AsyncExitStack() as stack:
        people = []
        sides = (
            (browsers[0], RED, stage.red, meeting.client, meeting.client_room),
            (browsers[1], BLUE, stage.blue, meeting.counselor, meeting.counselor_room),
        )
        for (browser, look, network, person, path), shape in zip(sides, shapes, strict=True):
            context = await browser.new_context(
                viewport=shape.size,
                color_scheme=shape.scheme,
                locale=shape.locale,
                permissions=["camera", "microphone"],
            )
            stack.push_async_callback(context.close)
            origin = f"http://{network.http.netloc}"
            await log_in(context, stage.server, origin, person, own_phone=own_phone)
            await context.add_cookies([{"name": "teduh_lang", "value": shape.locale[:2], "url": origin}])
            one = await stack.enter_async_context(
                person_in(browser, look, media_port=network.media.port, context=context)
            )
            await one.page.add_init_script("window.violations = [];")
            if own_phone and person is meeting.client:
                await one.page.goto(f"{origin}/home")
                await one.page.evaluate("navigator.serviceWorker.ready.then(() => true)")
            await one.open(f"{origin}{path}")
            people.append(one)
        for one in people:
            await one.join()
        for one in people:
            await one.reaches("connected")
        yield Two(stage, meeting, people[0], people[1], shapes)
        for network in (stage.red, stage.blue):
            network.heal()


@pytest.mark.parametrize("shapes", [pytest.param(case.values, id=case.id) for case in SHAPES])
async def test_a_break_under_a_risk_flag_calls_and_shows_what_the_client_chose(
    stage: Stage, red_browser: Browser, blue_browser: Browser, shapes: tuple[Shape, Shape]
) -> None:
    async with talking(stage, (red_browser, blue_browser), shapes, on_drop=OnDrop.CALL) as two:
        flag = two.blue.page.locator("[data-action=risk]")
        await expect(flag).to_have_attribute("aria-pressed", "true")
        await two.picture("risk-flag")
        stage.red.cut()
        await two.red.reaches("interrupted", within_s=4)
        await two.blue.reaches("interrupted", within_s=4)
        await expect(two.red.page.locator("#card")).to_be_visible(timeout=8_000)
        await expect(two.red.page.locator("#card-kept")).to_contain_text(re.compile(r"\d\d[.:]\d\d"))
        care = two.blue.page.locator("#care")
        await expect(care).to_have_attribute("data-calling", "true", timeout=ALARM_S * 1000)
        assert await two.drop() is State.CALLING
        await expect(care).to_have_attribute("data-rang", "2", timeout=10_000)
        await two.picture("drop-called")
        await two.desk_rings()
        await two.blue.page.click("[data-action=care-call]")
        number = two.blue.page.locator("#care-number")
        await expect(number).to_contain_text(NUMBER)
        await expect(number).to_have_attribute("href", "tel:0811222333")
        await expect(care).to_have_attribute("data-calling", "false")
        await two.picture("drop-by-phone")
        assert await two.drop() is State.SEEN
        stage.red.heal()
        for one in (two.red, two.blue):
            await one.reaches("connected", within_s=12)
            await one.hears_packets()
        await expect(care).to_be_hidden()
        await two.stands(State.BACK)
        assert two.red.errors == two.blue.errors == []


async def test_the_counselor_raises_the_flag_and_nothing_rings_without_one(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    shapes = (Shape(PHONE, "light", "id-ID"), Shape(PHONE, "light", "id-ID"))
    async with talking(stage, (red_browser, blue_browser), shapes, risk=Risk.NONE) as two:
        flag = two.blue.page.locator("[data-action=risk]")
        await expect(flag).to_have_attribute("aria-pressed", "false")
        stage.red.cut()
        await two.blue.reaches("interrupted", within_s=4)
        await asyncio.sleep(11)
        care = two.blue.page.locator("#care")
        await expect(care).to_be_visible()
        await expect(care).to_have_attribute("data-calling", "false")
        assert await two.drop() is None
        await flag.click()
        await expect(flag).to_have_attribute("aria-pressed", "true")
        await expect(care).to_have_attribute("data-calling", "true", timeout=5_000)
        await two.picture("flag-raised")
        await two.blue.page.click("[data-action=care-seen]")
        await expect(care).to_have_attribute("data-calling", "false")
        assert await two.drop() is State.SEEN


async def test_a_quick_exit_rings_nowhere(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    shapes = (Shape(PHONE, "light", "id-ID"), Shape(DESK, "light", "id-ID"))
    async with talking(stage, (red_browser, blue_browser), shapes, on_drop=OnDrop.CALL) as two:
        await two.red.page.route("**/www.bmkg.go.id/**", lambda route: route.abort())
        with contextlib.suppress(Exception):
            await two.red.page.click("#call [data-action=quick-exit]")
        await expect(two.blue.page.locator("#person-words")).to_contain_text("keluar cepat", timeout=8_000)
        await asyncio.sleep(10)
        await expect(two.blue.page.locator("#care")).to_be_hidden()
        assert await two.drop() is None
        await Look(two.blue.page, shapes[1], two.blue.errors).audit("left-quickly")


async def test_the_card_outlives_a_reload_without_a_network_on_ones_own_phone(
    stage: Stage, red_browser: Browser, blue_browser: Browser
) -> None:
    shapes = (Shape(PHONE, "light", "id-ID"), Shape(DESK, "light", "id-ID"))
    async with talking(
        stage, (red_browser, blue_browser), shapes, on_drop=OnDrop.WRITE, own_phone=True
    ) as two:
        page = two.red.page
        await asyncio.sleep(1)
        stage.red.cut()
        await page.context.set_offline(True)
        await expect(page.locator("#card")).to_be_visible(timeout=10_000)
        said = await page.locator("#card-kept").text_content()
        await page.reload()
        await expect(page.locator("#until")).to_be_visible()
        assert said is not None
        at = await page.locator("#until b").text_content()
        assert at, "until when the place is kept"
        assert at in said
        await expect(page.locator("[data-does=write]")).to_be_visible()
        await expect(page.locator("a[href^='tel:']").first).to_be_visible()
        await page.screenshot(path=PICTURES / "kept-card-390-light-id.png")
        stage.red.heal()
        await page.context.set_offline(False)
        await two.red.reaches("connected", within_s=20)
        await two.blue.reaches("connected", within_s=20)
        await two.red.hears_packets()
