"""Jobs by themselves: what hangs or breaks holds up no other."""

from __future__ import annotations

import asyncio
from collections import Counter

from aiohttp import web as http

from tests.web.conftest import Client
from web.jobs import JOBS, every, start_due
from web.services import SERVICES, Services


async def test_a_job_that_hangs_or_breaks_holds_up_no_other(client: Client) -> None:
    done: Counter[str] = Counter()
    app = http.Application()

    async def hangs(_services: Services) -> None:
        done["hangs"] += 1
        await asyncio.Event().wait()

    async def breaks(_services: Services) -> None:
        done["breaks"] += 1
        raise OSError("the store is not there")

    async def calls(_services: Services) -> None:
        done["calls"] += 1

    for job in (hangs, breaks, calls):
        every(app, 1.0, job)
    for second in range(1, 4):
        start_due(app[JOBS], client.app[SERVICES], now_s=float(second))
        await asyncio.sleep(0)
    assert done == {"hangs": 1, "breaks": 3, "calls": 3}, "one that goes on is not begun again"
    for planned in app[JOBS]:
        assert planned.run is not None
        planned.run.cancel()
