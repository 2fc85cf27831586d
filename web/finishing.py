"""Recordings after their end, as the server sees to them: keys destroyed at once, the rest by a worker.

The worker (``web/worker.py``) is started when something is due and ends when nothing is, so a crash of it
needs no care: the next look starts another. What does not get on by itself is told to the admins, the metrics
and the doctor.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import sys
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.roles import Role
from core.config import Config
from core.errors import TeduhError
from recordings import ending, leap, orphans, restored, working
from recordings.ending import Destroyer
from recordings.figures import Figures, measure
from recordings.orphans import Orphan
from recordings.workshop import Workshop, open_store
from web.jobs import every
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

LOOK_S: Final = 5.0
MEASURE_S: Final = 60.0
HOUR_S: Final = 3600.0
AFTER_A_CRASH_S: Final = 60.0
ROOT: Final = Path(__file__).parent.parent
STUCK: Final = "recording_stuck"
LEAPT: Final = "recording_clock"


class Finishing:
    """The jobs of one application. What was found last is None before the first look."""

    def __init__(self, shop: Workshop) -> None:
        self.figures: Figures | None = None
        self.orphans: list[Orphan] | None = None
        self._shop = shop
        self._told_of_leap = False

    async def look_at_clock(self, services: Services) -> None:
        """Look at the clock, and tell the admins once when recordings are not destroyed because it leapt.

        At the start too, before anything is written down by a clock that is wrong.
        """
        seen = await leap.look(self._shop, now=services.now())
        if seen.is_believed:
            self._told_of_leap = False
        elif not self._told_of_leap:
            async with services.database.sessions.begin() as db:
                if (await measure(db, now=services.now())).there:
                    await _tell_admins(db, LEAPT, services.now(), places=seen.places)
                    self._told_of_leap = True

    async def destroy_keys(self, services: Services) -> None:
        """Destroy the keys of what is to be destroyed: this waits for no worker and no store."""
        async with services.database.sessions() as db:
            due = await ending.under_way(db, now=services.now())
        for recording in due:
            try:
                await Destroyer(self._shop).destroy_key(recording, now=services.now())
            except (TeduhError, OSError) as error:
                problem = error.code if isinstance(error, TeduhError) else "disk"
                about = {"recording": recording, "problem": problem}
                logger.warning("recording.key_not_destroyed", extra=about)

    async def finish_recordings(self, services: Services) -> None:
        """Have a worker do what is due."""
        if await working.is_due(self._shop, now=services.now()) and not await have_worked(services.config):
            await asyncio.sleep(AFTER_A_CRASH_S)

    async def measure_recordings(self, services: Services) -> None:
        """Count, and tell the admins when people must look."""
        async with services.database.sessions.begin() as db:
            self.figures = await measure(db, now=services.now())
            if self.figures.need_people or self.orphans:
                await _tell_admins(db, STUCK, services.now())

    async def begin_again(self, _services: Services) -> None:
        """Begin to destroy again what a restored backup brought back; before anything is served too."""
        if back := await restored.begin_again(self._shop):
            logger.warning("recording.destroyed_again", extra={"recordings": back})

    async def destroy_again(self, services: Services) -> None:
        """Destroy again what a restored backup brought back."""
        await self.begin_again(services)
        if back := await restored.destroy_keys_again(self._shop):
            logger.warning("recording.keys_destroyed_again", extra={"recordings": back})

    async def find_orphans(self, _services: Services) -> None:
        """Look for what has lost its other half, and say each by its name in the log."""
        self.orphans = await orphans.look(self._shop)
        for one in self.orphans:
            logger.error("recording.orphan", extra={"lack": one.lack.value, "object": one.name})

    async def sweep_uploads(self, services: Services) -> None:
        """End what a worker that died began to upload; a new one does so only when something is due."""
        if ended := await self._shop.store.sweep(before=services.now() - working.STALE):
            logger.info("recordings.uploads_ended", extra={"count": ended})

    def counters(self) -> dict[str, int]:
        """Tell what was found last, for /metrics."""
        told = {} if self.orphans is None else {"orphans": len(self.orphans)}
        if self.figures is None:
            return told
        told |= {state.value: count for state, count in self.figures.states.items()}
        return told | {
            "stored_bytes": self.figures.stored_bytes,
            "late_stored": self.figures.unstored,
            "late_destroyed": self.figures.undestroyed,
        }


FINISHING: Final = http.AppKey("finishing", Finishing)


def setup(app: http.Application) -> None:
    """Add the jobs, before the application starts."""
    services = app[SERVICES]
    store = open_store(services.config)
    app[FINISHING] = jobs = Finishing(
        Workshop(
            database=services.database,
            vault=services.vault,
            warrants=services.warrants,
            audit=services.audit,
            store=store,
            spool=services.config.data_dir / "recordings",
            clock=services.clock,
        )
    )
    every(app, MEASURE_S, jobs.look_at_clock)
    every(app, LOOK_S, jobs.destroy_keys)
    every(app, LOOK_S, jobs.finish_recordings)
    every(app, MEASURE_S, jobs.measure_recordings)
    every(app, MEASURE_S, jobs.destroy_again)
    every(app, HOUR_S, jobs.find_orphans)
    every(app, HOUR_S, jobs.sweep_uploads)

    async def close(_app: http.Application) -> None:
        await store.close()

    app.on_cleanup.append(close)


async def _tell_admins(
    db: AsyncSession, kind: str, now: datetime, *, places: Mapping[str, str] | None = None
) -> None:
    admins = [one.id for one in await people.with_role(db, role=Role.ADMIN)]
    await notices.post_all(db, users=admins, kind=kind, places=places, once=True, now=now)


async def have_worked(config: Config) -> bool:
    """Start a worker, wait for its end, and say whether that was a good one. Cancelled, it is killed."""
    # It stays in this directory, which settings may be relative to, and takes no module from it (-P).
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TEDUH_")}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "web.worker",
        stdin=asyncio.subprocess.PIPE,
        env={**inherited, "PYTHONPATH": str(ROOT)},
    )
    try:
        await process.communicate(pickle.dumps(config))
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        logger.error("recordings.worker_failed", extra={"status": process.returncode})
    return process.returncode == 0
