"""Times that can be booked: weekly hours with the days that differ, cut into appointments. Pure.

Hours are typed for a wall clock in the service's zone; a slot is a moment in UTC with a length in real
minutes, so it is the same moment whatever zone somebody reads it in. Within a span starts follow each other
on the wall clock, by length and gap. Where a clock is put forward, no slot begins in the time that it skips
nor reaches into another one; where it is put back, what it shows twice is offered once, the first time.
"""

from __future__ import annotations

import functools
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from counseling.hours import Span, Week

STEP_MINUTES: Final = 5
"""Every start is at a multiple of it, and so are length and gap."""
STEP: Final = timedelta(minutes=STEP_MINUTES)
_SECOND: Final = timedelta(seconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Terms:
    """How long an appointment is, and how much rest a counselor has after it."""

    length: timedelta
    gap: timedelta

    def __post_init__(self) -> None:
        """Refuse what does not go into the steps."""
        if self.length < STEP or self.length % STEP or self.gap < timedelta(0) or self.gap % STEP:
            raise ValueError("an appointment and the gap after it are multiples of five minutes")


@dataclass(frozen=True, slots=True, order=True)
class Slot:
    """One time that can be booked, in UTC; ``until`` is not in it."""

    since: datetime
    until: datetime

    def touches(self, other: Slot, *, gap: timedelta = timedelta(0)) -> bool:
        """Whether the two overlap, or lie closer to each other than the gap."""
        return self.since < other.until + gap and other.since < self.until + gap


@dataclass(frozen=True, slots=True)
class Hours:
    """When somebody works: each week, and the days that differ (an empty day is a day off).

    ``away_from`` and ``away_until`` are both in the time away; one None is an open end, both are not away.
    """

    week: Week
    days: Mapping[date, Week] = field(default_factory=dict)
    away_from: date | None = None
    away_until: date | None = None

    def on(self, day: date) -> Week:
        """Say which hours a day has."""
        if self._away(day):
            return ()
        if day in self.days:
            return tuple(sorted(self.days[day]))
        return tuple(sorted(span for span in self.week if span.day == day.weekday()))

    def _away(self, day: date) -> bool:
        if self.away_from is None and self.away_until is None:
            return False
        return (self.away_from or date.min) <= day <= (self.away_until or date.max)


def free(
    hours: Hours,
    *,
    terms: Terms,
    zone: ZoneInfo,
    since: datetime,
    until: datetime,
    taken: Iterable[Slot] = (),
) -> tuple[Slot, ...]:
    """List what can be booked and begins in a time, in order; ``until`` is not in it.

    ``taken`` are the counselor's appointments: what would come closer to one than the gap is left out.
    """
    cut = _cuts(hours, terms, zone, since, until)
    cut = cut[bisect_left(cut, since, key=_begins) : bisect_left(cut, until, key=_begins)]
    busy = sorted(taken)
    if not busy:
        return cut
    found: list[Slot] = []
    for slot in cut:
        while busy and busy[0].until + terms.gap <= slot.since:
            del busy[0]
        if not busy or not slot.touches(busy[0], gap=terms.gap):
            found.append(slot)
    return tuple(found)


def works(hours: Hours, slot: Slot, *, zone: ZoneInfo) -> bool:
    """Whether a time lies within somebody's hours, as when hours have changed since it was booked."""
    day = slot.since.astimezone(zone).date()
    wall = _wall(slot.since, zone)
    return any(_at(day, span.from_minute) <= wall and _ends(day, span, slot, zone) for span in hours.on(day))


def by_day(slots: Sequence[Slot], zone: ZoneInfo) -> dict[date, list[Slot]]:
    """Order slots by the days of whoever reads them; days without any are left out."""
    found: dict[date, list[Slot]] = {}
    for slot in slots:
        found.setdefault(slot.since.astimezone(zone).date(), []).append(slot)
    return found


def _begins(slot: Slot) -> datetime:
    return slot.since


def _cuts(hours: Hours, terms: Terms, zone: ZoneInfo, since: datetime, until: datetime) -> tuple[Slot, ...]:
    """Cut all days that a time touches, in order; what a clock shows twice is cut once."""
    day, last = since.astimezone(zone).date(), until.astimezone(zone).date()
    if not hours.days and hours.away_from is None and hours.away_until is None:
        return _usual(hours.week, terms, zone, day, last)
    cuts = [_cut(on, span, terms, zone) for on in _days(day, last) for span in hours.on(on)]
    return _in_order(cuts)


@functools.lru_cache(maxsize=2048)
def _usual(week: Week, terms: Terms, zone: ZoneInfo, day: date, last: date) -> tuple[Slot, ...]:
    """Cut days that are as every week; all who have the same hours have the same slots."""
    hours = Hours(week)
    return _in_order(_cut(on, span, terms, zone) for on in _days(day, last) for span in hours.on(on))


def _in_order(cuts: Iterable[Sequence[Slot]]) -> tuple[Slot, ...]:
    found: list[Slot] = []
    for slots in cuts:
        found += [slot for slot in slots if not found or slot.since >= found[-1].until]
    return tuple(found)


def _days(day: date, last: date) -> Iterator[date]:
    while day <= last:
        yield day
        day += _DAY


@functools.lru_cache(maxsize=8192)
def _cut(day: date, span: Span, terms: Terms, zone: ZoneInfo) -> tuple[Slot, ...]:
    """Cut a span of a day into slots; many counselors have the same hours."""
    found: list[Slot] = []
    free_from: datetime | None = None
    first = -(-span.from_minute // STEP_MINUTES) * STEP_MINUTES
    step = (terms.length + terms.gap) // timedelta(minutes=1)
    for minute in range(first, span.until_minute, step):
        since = moment(_at(day, minute), zone)
        if since is None or (free_from is not None and since < free_from):
            continue
        slot = Slot(since, since + terms.length)
        if _ends(day, span, slot, zone):
            found.append(slot)
            free_from = slot.until + terms.gap
    return tuple(found)


def moment(wall: datetime, zone: ZoneInfo) -> datetime | None:
    """Say when a wall clock shows a time, the first time if it does so twice; None if it skips it."""
    at = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return at if _wall(at, zone) == wall else None


def _ends(day: date, span: Span, slot: Slot, zone: ZoneInfo) -> bool:
    """Whether a slot is over when its span is: by the clock on the wall, and by real time."""
    end = _at(day, span.until_minute)
    by_clock = _wall(slot.until - _SECOND, zone) < end
    return by_clock and slot.until <= end.replace(tzinfo=zone, fold=0).astimezone(UTC)


def _at(day: date, minute: int) -> datetime:
    midnight = datetime(day.year, day.month, day.day)  # noqa: DTZ001  # a wall clock's time has no zone yet
    return midnight + timedelta(minutes=minute)


def _wall(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone).replace(tzinfo=None, fold=0)
