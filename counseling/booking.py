"""Who fits a client's appointment, and when: a pure rule, and what it reads.

A counselor fits who speaks the language, works in the medium (in person: at a place), may take the client's
age, has room, and is kept from this client by nobody. Where the client leaves the choice to us the topic must
fit too, and at each time it is the counselor they know already, else the one with the fewest appointments.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.people import Person
from core.ids import UserId
from counseling import appointment_lists, exclusions, practice_days, queue, slots, talks
from counseling.appointment_states import AHEAD, NOTICE
from counseling.credentials import Credentials
from counseling.entry import Entry, Medium
from counseling.exclusions import NOBODY, Apart
from counseling.matchable import Why, takes_minors, why_not
from counseling.slots import Hours, Slot, Terms
from counseling.standings import standings

MAY_WAIT: Final = frozenset({Why.AWAY, Why.FULL})
"""Away is asked for each day, and full is not asked of a counselor's own clients."""


@dataclass(frozen=True, slots=True)
class Asker:
    """Who books. ``adult`` None, not asked, counts as under 18; ``busy`` are their own appointments."""

    client: UserId
    adult: bool | None
    language: str
    apart: Apart = NOBODY
    last: UserId | None = None
    busy: Sequence[Slot] = ()


@dataclass(frozen=True, slots=True)
class Helper:
    """A counselor who can be booked. ``clients`` are theirs already; ``place`` is empty for none."""

    entry: Entry
    minors: bool
    hours: Hours
    clients: Collection[UserId] = ()
    taken: Sequence[Slot] = ()
    place: str = ""

    @property
    def counselor(self) -> UserId:
        """Who it is."""
        return self.entry.user

    @property
    def media(self) -> tuple[Medium, ...]:
        """How they can be met."""
        given = (Medium(word) for word in self.entry.practice.media)
        return tuple(one for one in given if one is not Medium.IN_PERSON or self.place)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the client chose. ``counselor`` None leaves it to us."""

    medium: Medium
    topic: str
    counselor: UserId | None = None


@dataclass(frozen=True, slots=True)
class Offer:
    """A time, and whom it would be with."""

    slot: Slot
    counselor: UserId


def may_meet(asker: Asker, helper: Helper) -> bool:
    """Whether this client may be booked with this counselor at all."""
    practice = helper.entry.practice
    full = len(helper.clients) >= practice.capacity and asker.client not in helper.clients
    return (
        asker.language in practice.languages
        and (asker.adult is True or helper.minors)
        and not full
        and not asker.apart.keeps(helper.counselor, practice.recusals)
    )


def fits(asker: Asker, helper: Helper, wishes: Wishes) -> bool:
    """Whether this counselor fits what the client chose."""
    if not may_meet(asker, helper) or wishes.medium not in helper.media:
        return False
    if wishes.counselor is None:
        return wishes.topic in helper.entry.practice.topics
    return wishes.counselor == helper.counselor


def offers(
    asker: Asker,
    helpers: Iterable[Helper],
    wishes: Wishes,
    *,
    terms: Terms,
    zone: ZoneInfo,
    since: datetime,
    until: datetime,
    now: datetime,
) -> tuple[Offer, ...]:
    """List what can be booked and begins in a time, each start once, in order."""
    since, until = max(since, now + NOTICE), min(until, now + AHEAD)
    able = [helper for helper in helpers if fits(asker, helper, wishes)]
    able.sort(key=lambda one: (one.counselor != asker.last, len(one.taken), one.counselor))
    found: dict[datetime, Offer] = {}
    for helper in able:
        upto = min(until, _holds_until(helper, zone, until))
        for slot in slots.free(
            helper.hours, terms=terms, zone=zone, since=since, until=upto, taken=helper.taken
        ):
            if slot.since not in found and not any(slot.touches(other) for other in asker.busy):
                found[slot.since] = Offer(slot, helper.counselor)
    return tuple(found[at] for at in sorted(found))


def _holds_until(helper: Helper, zone: ZoneInfo, otherwise: datetime) -> datetime:
    """Say until when a licence holds: through its last day."""
    last = helper.entry.licence.valid_until
    if last is None or last == date.max:
        return otherwise
    return datetime.combine(last + timedelta(days=1), time(), zone)


async def asker_of(db: AsyncSession, *, client: Person, language: str, moving: str | None = None) -> Asker:
    """Read what the rule asks of a client; the appointment that is being moved does not count as busy."""
    apart = await exclusions.apart(db, clients=[client.id])
    last = await talks.last_of_client(db, client=client.id)
    before = await appointment_lists.open_of_client(db, client=client.id)
    return Asker(
        client.id,
        client.adult,
        language,
        apart.get(client.id, NOBODY),
        None if last is None else last.counselor,
        tuple(one.slot for one in before if one.id != moving),
    )


async def helpers(
    db: AsyncSession,
    credentials: Credentials,
    *,
    zone: ZoneInfo,
    place: str,
    now: datetime,
    moving: str | None = None,
) -> list[Helper]:
    """List the counselors who can be booked from now on, by name; ``place`` is the service's own."""
    today, last = now.astimezone(zone).date(), (now + AHEAD).astimezone(zone).date()
    found = await standings(db, entries=await queue.verified(db), today=today)
    entries = [
        standing.entry
        for _, standing in found.values()
        if not set(why_not(standing, credentials, today=today)) - MAY_WAIT
    ]
    users = [entry.user for entry in entries]
    hours = await practice_days.hours_of(db, entries=entries, since=today, until=last)
    places = await practice_days.places_of(db, counselors=users)
    caseloads = await talks.caseloads(db, counselors=users, now=now)
    booked = await appointment_lists.open_of_counselors(db, counselors=users)
    return [
        Helper(
            entry,
            takes_minors(entry, credentials),
            hours[entry.user],
            caseloads[entry.user] | {one.client for one in booked.get(entry.user, ())},
            tuple(one.slot for one in booked.get(entry.user, ()) if one.id != moving),
            places.get(entry.user, place),
        )
        for entry in entries
    ]
