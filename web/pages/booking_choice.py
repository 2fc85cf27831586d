"""What a client chose so far, as the address says it, and who and what there is for that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.ids import UserId, is_id
from counseling import booking, register
from counseling.appointment_rows import Appointment
from counseling.booking import Asker, Helper, Offer, Wishes
from counseling.entry import Medium
from web import zones
from web.appointments import PRACTICE
from web.gate import person_of
from web.pages.local_time import zone_of
from web.pages.site import language_of
from web.register import REGISTER
from web.services import SERVICES


@dataclass(frozen=True, slots=True)
class Chosen:
    """What the address says. ``move`` is the appointment that gets another time, if any."""

    wishes: Wishes
    zone: ZoneInfo
    move: str | None = None

    def query(self, **more: str) -> str:
        """Write it into an address, with more of it."""
        said = {
            "medium": self.wishes.medium.value,
            "topic": self.wishes.topic,
            "counselor": self.wishes.counselor or "",
            "zone": self.zone.key,
            "move": self.move or "",
        }
        return urlencode({name: value for name, value in (said | more).items() if value})


@dataclass(frozen=True, slots=True)
class Can:
    """Who could be booked, for whom."""

    asker: Asker
    helpers: list[Helper]

    def names(self) -> list[tuple[str, str]]:
        """Name the counselors whom this client may choose."""
        return [
            (one.counselor, one.entry.licence.shown_name)
            for one in self.helpers
            if booking.may_meet(self.asker, one) and one.media
        ]

    def media(self) -> list[Medium]:
        """List the media in which somebody can be met."""
        there = {medium for one in self.helpers if booking.may_meet(self.asker, one) for medium in one.media}
        return [medium for medium in Medium if medium in there]


async def read_can(request: http.Request, db: AsyncSession, *, moving: str | None = None) -> Can:
    """Read who could be booked by the client who is logged in."""
    practice, person, now = request.app[PRACTICE], person_of(request), request.app[SERVICES].now()
    return Can(
        await booking.asker_of(db, client=person, language=language_of(request), moving=moving),
        await booking.helpers(
            db,
            request.app[REGISTER].credentials,
            zone=practice.zone,
            place=practice.place,
            now=now,
            moving=moving,
        ),
    )


def offers(
    request: http.Request, wishes: Wishes, can: Can, since: datetime, until: datetime
) -> tuple[Offer, ...]:
    """List what can be booked and begins in a time."""
    practice = request.app[PRACTICE]
    return booking.offers(
        can.asker,
        can.helpers,
        wishes,
        terms=practice.terms,
        zone=practice.zone,
        since=since,
        until=until,
        now=request.app[SERVICES].now(),
    )


def find_offer(request: http.Request, wishes: Wishes, can: Can, at: datetime) -> Offer | None:
    """Find the one that begins at a moment; None when it is there no more."""
    found = offers(request, wishes, can, at, at + timedelta(minutes=1))
    return found[0] if found and found[0].slot.since == at else None


async def read_chosen(request: http.Request, said: Mapping[str, str]) -> Chosen | None:
    """Read what an address or a form says; None while something is missing or unknown."""
    topic, counselor, move = (str(said.get(name) or "") for name in ("topic", "counselor", "move"))
    if topic not in request.app[REGISTER].marks.topics:
        return None
    try:
        medium = Medium(str(said.get("medium")))
    except ValueError:
        return None
    if any(number and not is_id(number) for number in (counselor, move)):
        return None
    wishes = Wishes(medium, topic, UserId(counselor) if counselor else None)
    zone = zones.find(str(said.get("zone") or "")) or await zone_of(request)
    return Chosen(wishes, zone, move or None)


async def names_of(db: AsyncSession, found: list[Appointment]) -> dict[UserId, str]:
    """Name counselors as on their cards."""
    entries = await register.find_all(db, users=sorted({one.counselor for one in found}))
    return {user: entry.licence.shown_name for user, entry in entries.items()}


def topic_of(request: http.Request, topic: str) -> str:
    """Name a topic in the reader's language."""
    return request.app[REGISTER].marks.topics.get(topic, {}).get(language_of(request), topic)


def moment_of(text: str) -> datetime | None:
    """Read a moment; None for what is none, or lies where no calendar of ours goes."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.astimezone(UTC) if at.tzinfo is not None and 2000 < at.year < 3000 else None


def number_of(request: http.Request) -> str:
    """Read which appointment is meant. Raises ``NotFound``."""
    number = request.match_info["id"]
    if not is_id(number):
        raise NotFound("There is no such appointment.")
    return number
