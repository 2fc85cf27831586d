"""What is to be done from time to time: each job by itself, its error and its waiting are nobody else's.

A job is `async def job(services) -> None`; `every(app, seconds, job)` adds it before the application
starts. The first run comes one interval after the start, the others no closer than that, and never while
the one before goes on. Urgent calls are made here: nothing that hangs somewhere may hold them up.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from aiohttp import web as http

from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

LOOK_EVERY_S: Final = 1.0
Job = Callable[[Services], Awaitable[None]]


@dataclass(slots=True)
class _Planned:
    job: Job
    every_s: float
    due_s: float
    run: asyncio.Task[None] | None = None


JOBS: Final = http.AppKey("jobs", list[_Planned])


def every(app: http.Application, seconds: float, job: Job) -> None:
    """Have a job done each so many seconds."""
    app.setdefault(JOBS, []).append(_Planned(job, seconds, seconds))


async def _run(planned: _Planned, services: Services) -> None:
    try:
        await planned.job(services)
    except Exception:  # whatever it was, it is tried again
        logger.exception("job.failed", extra={"job": planned.job.__name__})


def start_due(jobs: list[_Planned], services: Services, *, now_s: float) -> None:
    """Start what is due at `now_s`, in seconds since the start, and does not go on still."""
    for planned in jobs:
        if planned.due_s > now_s or (planned.run is not None and not planned.run.done()):
            continue
        planned.due_s = now_s + planned.every_s
        planned.run = asyncio.create_task(_run(planned, services), name=f"job {planned.job.__name__}")


async def running(app: http.Application) -> AsyncIterator[None]:
    """Do the jobs while the application lives (a cleanup context of aiohttp)."""
    task = asyncio.create_task(_for_ever(app), name="jobs")
    try:
        yield
    finally:
        for one in (task, *(planned.run for planned in app.get(JOBS, []) if planned.run is not None)):
            one.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await one


async def _for_ever(app: http.Application) -> None:
    services, jobs = app[SERVICES], app.get(JOBS, [])
    began_s = services.clock.monotonic()
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        start_due(jobs, services, now_s=services.clock.monotonic() - began_s)
