"""The exercises in a real browser: from the front page and while waiting, both shapes and languages."""

from __future__ import annotations

import pytest
from playwright.async_api import Browser, expect

from counseling.self_help import shipped
from tests.browser.conftest import ONE_LOOP
from tests.browser.paper import at, look
from tests.browser.rooms import Shape, room
from tests.browser.test_way import SHAPES, service, walk_in
from tests.e2e.server import Server

__all__ = ["service"]

pytestmark = ONE_LOOP


@pytest.mark.parametrize("shape", SHAPES)
async def test_who_waits_reads_them_and_goes_on_waiting(
    red_browser: Browser, service: Server, shape: Shape
) -> None:
    async with room(red_browser, shape) as one:
        await one.page.goto(service.public_url)
        await look(one, "self-help-front")
        await one.page.click("main a[href='/self-help']")
        await expect(one.page.locator("main ol li")).to_have_count(
            sum(len(exercise.steps) for exercise in shipped().exercises)
        )
        await look(one, "self-help")
        await walk_in(one, service)
        await at(one.page, "/talk/waiting")
        await look(one, "self-help-waiting")
        await one.page.click("main a[href='/self-help']")
        await expect(one.page.locator("[data-line-bar]")).to_be_hidden()
        await one.page.goto(f"{service.public_url}/talk/else")
        await look(one, "self-help-else")
        await one.page.goto(f"{service.public_url}/offline")
        await look(one, "self-help-kept")
