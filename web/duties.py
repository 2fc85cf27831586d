"""What the pages of duties share: complaints, how fast they are filed, words for hours, the jobs."""

from __future__ import annotations

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web as http

from accounts.codes import Codes
from accounts.throttle import Throttle
from core.errors import TooMany
from counseling import complaint_lists, crisis, self_help
from counseling.complaints import Complaints
from counseling.crisis import Line
from web.jobs import every
from web.render import Renderer
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

HOUR_S: Final = 3600.0
FILED_FREELY: Final = 5.0
FILED_EVERY_S: Final = 60.0
MOST_SLOWED_S: Final = 30.0
CLINICAL: Final = ("crisis.say_", "urgent.say_", "safety.say_", "intake.say_", "done.intake_tell")
"""Texts under these keys say something to somebody in danger: they take a clinician's sign-off."""


@dataclass(slots=True)
class Duties:
    """The doers behind the pages of duties, and the service's time zone."""

    complaints: Complaints
    zone: ZoneInfo
    filing: Throttle = field(default_factory=lambda: Throttle(1 / FILED_EVERY_S, FILED_FREELY))
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep

    async def slow(self, subject: str, now_s: float) -> None:
        """Make whoever files one complaint after the other wait. Nobody is ever refused."""
        try:
            self.filing.spend(subject, now_s)
        except TooMany as error:
            await self.sleep(min(error.retry_after_s, MOST_SLOWED_S))


DUTIES: Final = http.AppKey("duties", Duties)


def clock(minute: int, language: str) -> str:
    """Write a minute of the day: `08.00` in Indonesian, `08:00` in English."""
    return f"{minute // 60:02}{'.' if language == 'id' else ':'}{minute % 60:02}"


def hours_of(line: Line, language: str) -> tuple[list[int], str]:
    """Give the days and hours of a crisis line; no days where it is open around the clock."""
    if line.always:
        return [], ""
    days = [day for day in range(7) if line.days[day] == "1"]
    return days, f"{clock(line.opens_minute, language)}\u2013{clock(line.closes_minute, language)}"


def clinical_texts(renderer: Renderer) -> list[tuple[str, str, str]]:
    """List what a clinician signs off: key, Indonesian, English; the exercises of self-help last."""
    spoken = [
        (key, text, renderer.texts["en"][key])
        for key, text in sorted(renderer.texts["id"].items())
        if key.startswith(CLINICAL)
    ]
    exercises = [
        (f"self_help.{one.key}.{place}", words["id"], words["en"])
        for one in self_help.shipped().exercises
        for place, words in one.words().items()
    ]
    return spoken + exercises


def clinical_digest(renderer: Renderer) -> str:
    """Name these texts by their SHA-256: a sign-off holds for exactly them."""
    lines = ["\0".join(one) for one in clinical_texts(renderer)]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


async def tell_stale_lines(services: Services) -> None:
    """Tell the admins of crisis lines that nobody checked."""
    async with services.database.sessions.begin() as db:
        names = await crisis.tell_stale(db, now=services.now())
    if names:
        logger.warning("crisis.stale", extra={"count": len(names)})


async def tell_late_complaints(services: Services) -> None:
    """Tell the officers of complaints whose time has passed."""
    async with services.database.sessions.begin() as db:
        count = await complaint_lists.tell_late(db, now=services.now())
    if count:
        logger.warning("complaints.late", extra={"count": count})


def setup(app: http.Application, *, master: bytes) -> None:
    """Build what the pages share, and add the jobs."""
    services = app[SERVICES]
    app[DUTIES] = Duties(
        complaints=Complaints(master, Codes(master), services.audit),
        zone=ZoneInfo(services.config.time_zone),
    )
    every(app, HOUR_S, tell_stale_lines)
    every(app, HOUR_S, tell_late_complaints)
