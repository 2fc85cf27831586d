"""A bad quarter of an hour, shortened: nobody is lost for long, and it is told alike afterwards."""

from __future__ import annotations

import time

from playwright.async_api import Browser

from bench.agreement import by_api, by_metrics, by_report, differences, page_differences
from bench.coming_back import rows_of
from bench.lab import Doing, metrics, report_page
from bench.quarter import lost_s, play, target_s
from tests.browser.conftest import ONE_LOOP, Stage, two_people
from tests.netem.faults import Kind
from tests.netem.quarter import shortened

pytestmark = ONE_LOOP
SAMPLE_MS = 50
# Four faults that break a line off, and one that only makes it bad. The bench does all eleven; so close
# together their losses would leave nothing but writing.
KINDS = {Kind.CUT, Kind.PATH_CHANGED, Kind.DELAY}
# The targets of `bench.quarter` are for a machine that does nothing else.
SLOWER_S = 2.0


async def test_a_bad_quarter_of_an_hour(stage: Stage, red_browser: Browser, blue_browser: Browser) -> None:
    episodes = shortened(calm_s=4, longest_s=6, kinds=KINDS)
    before = await metrics(stage)
    async with two_people(stage, red_browser, blue_browser, mode="voice") as call:
        doing = Doing(call)
        await call.both_hear()
        for person in (call.red, call.blue):
            await person.page.evaluate(f"probe.watch({SAMPLE_MS})")
        began = time.time()
        played = await play(doing, episodes, length_s=episodes[-1].ends_s + 6)
        ends = time.time()
        for person in (call.red, call.blue):
            rows = await rows_of(person)
            for number, one in enumerate(played):
                until = played[number + 1].began if number + 1 < len(played) else ends
                limit_s = target_s(one.episode.fault.kind) + SLOWER_S
                assert lost_s(one, rows, until) <= limit_s, one.episode.fault.name
        await call.both_hear()
        broken = {one.side for one in await doing.said(began) if one.event == "interrupted"}
        assert broken == {"client", "counselor"}
        await doing.end()
    quality = await doing.record()
    assert differences(by_api(quality), by_metrics(before, await metrics(stage))) == []
    assert page_differences(quality, by_report(await report_page(stage, call.session.id))) == []
    assert {drop["kind"] for drop in quality["drops"]} == {"cut", "path_changed"}
