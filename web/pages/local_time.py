"""Times in the zone of whoever reads them, and beside them in the service's where it differs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from aiohttp import web as http

from counseling import appointment_lists
from counseling.appointment_rows import Appointment
from web import zones
from web.appointments import PRACTICE
from web.gate import person_of
from web.pages.site import language_of
from web.render import say_clock, say_weekday
from web.services import SERVICES


async def zone_of(request: http.Request, mine: Appointment | None = None) -> ZoneInfo:
    """Say in which zone times are shown: the address's, else the appointment's, else the service's."""
    if (asked := zones.find(request.query.get("zone", ""))) is not None:
        return asked
    if mine is None:
        async with request.app[SERVICES].database.sessions() as db:
            coming = await appointment_lists.open_of_client(db, client=person_of(request).id)
        mine = coming[0] if coming else None
    kept = None if mine is None else zones.find(mine.zone)
    return kept or request.app[PRACTICE].zone


def in_zone(request: http.Request, zone: ZoneInfo) -> dict[str, Any]:
    """Give a page what it needs to write times in a zone, and beside it in the service's."""
    language, ours = language_of(request), request.app[PRACTICE].zone

    def here(at: datetime) -> str:
        """Write a moment: the day of the week, the date, the time."""
        return f"{say_weekday(at.astimezone(zone).date(), language=language)}, {clock(at)}"

    def clock(at: datetime) -> str:
        return say_clock(at, language=language, zone=zone)

    def there(at: datetime) -> str:
        """Write it in the service's zone where that is another time; else nothing."""
        if at.astimezone(zone).utcoffset() == at.astimezone(ours).utcoffset():
            return ""
        return f"{say_clock(at, language=language, zone=ours)} {zones.shown(ours.key)}"

    return {
        "zone": zone.key,
        "zone_name": zones.shown(zone.key),
        "zones": zones.choices(),
        "here": here,
        "clock": clock,
        "there": there,
        "weekday": lambda day: say_weekday(day, language=language),
    }


@dataclass(frozen=True, slots=True)
class Next:
    """The next appointment, as a home shows it."""

    path: str
    at: datetime
    words: str


async def next_of(request: http.Request) -> Next | None:
    """Give the next appointment of the client or counselor who is logged in."""
    person = person_of(request)
    async with request.app[SERVICES].database.sessions() as db:
        if person.is_client:
            coming = await appointment_lists.open_of_client(db, client=person.id)
        else:
            coming = (await appointment_lists.open_of_counselors(db, counselors=[person.id])).get(
                person.id, []
            )
    if not coming:
        return None
    one = coming[0]
    zone = await zone_of(request, one) if person.is_client else request.app[PRACTICE].zone
    path = f"/book/{one.id}" if person.is_client else f"/counselor/appointments/{one.id}"
    return Next(path, one.slot.since, in_zone(request, zone)["here"](one.slot.since))
