"""The duty roster: who answers urgent calls in each hour of the week, and who does if they do not.

A week has 168 hours in the service's own time zone; single hours of a date may differ. What counts is which
local hour a moment falls into, so that an hour that a clock shows twice has the same duty twice, and one that
it skips has none. Whoever's account is closed is not on duty: the deputy moves up, or there is a gap.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Role
from core.errors import InvalidState
from core.ids import UserId
from counseling.duty_tables import RosterExceptionRow, RosterHourRow

DAYS: Final = range(7)
HOURS: Final = range(24)
ON_DUTY: Final = frozenset({Role.COUNSELOR, Role.SUPERVISOR})
"""Who may be on duty: people of the counseling line."""
STEP: Final = timedelta(minutes=15)
"""Every zone's offset is a multiple of it, so no local hour begins between two steps."""
LOOK_AHEAD: Final = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Duty:
    """Who is on duty, and the deputy; None where there is none."""

    person: UserId
    deputy: UserId | None


class Lack(enum.StrEnum):
    """What is missing."""

    NOBODY = "nobody"
    NO_DEPUTY = "no_deputy"


@dataclass(frozen=True, slots=True)
class Gap:
    """A time in which nobody, or no deputy, is on duty. ``until`` is not in it."""

    since: datetime
    until: datetime
    lack: Lack


@dataclass(frozen=True, slots=True)
class Stretch:
    """Hours of one day that have the same duty; ``until_hour`` is not in it. None: nobody."""

    from_hour: int
    until_hour: int
    duty: Duty | None


@dataclass(frozen=True, slots=True)
class Roster:
    """A week by (weekday, hour), Monday 0, and what differs by (date, hour): None there is nobody."""

    zone: ZoneInfo
    week: Mapping[tuple[int, int], Duty]
    exceptions: Mapping[tuple[date, int], Duty | None]

    def on_duty(self, at: datetime) -> Duty | None:
        """Say who is on duty at a moment; None for nobody."""
        local = at.astimezone(self.zone)
        exact = (local.date(), local.hour)
        if exact in self.exceptions:
            return self.exceptions[exact]
        return self.week.get((local.weekday(), local.hour))

    def gaps(self, since: datetime, until: datetime) -> list[Gap]:
        """List when something is missing in a time, in order; neighbours that lack the same are one."""
        found: list[Gap] = []
        at = since
        while at < until:
            end = min(_next_step(at), until)
            duty = self.on_duty(at)
            lack = Lack.NOBODY if duty is None else Lack.NO_DEPUTY if duty.deputy is None else None
            if lack is not None and found and found[-1].until == at and found[-1].lack is lack:
                found[-1] = Gap(found[-1].since, end, lack)
            elif lack is not None:
                found.append(Gap(at, end, lack))
            at = end
        return found

    def stretches(self, weekday: int) -> list[Stretch]:
        """List one weekday's hours, those with the same duty together."""
        return _stretches([self.week.get((weekday, hour)) for hour in HOURS])


def covered(days: Iterable[int], from_hour: int, until_hour: int) -> list[tuple[int, int]]:
    """List the (weekday, hour) from an hour to another one, which may be the next day's.

    From 22 to 6 are eight hours, the last six of them on the day after; from 8 to 8 is a whole day.
    """
    count = (until_hour - from_hour) % 24 or 24
    found = [
        ((day + (from_hour + step) // 24) % 7, (from_hour + step) % 24)
        for day in days
        for step in range(count)
    ]
    return sorted(set(found))


async def load(db: AsyncSession, *, zone: ZoneInfo, now: datetime) -> Roster:
    """Read the roster as it is from today on."""
    hours = list(await db.scalars(select(RosterHourRow)))
    today = now.astimezone(zone).date()
    others = list(await db.scalars(select(RosterExceptionRow).where(RosterExceptionRow.on_date >= today)))
    pairs: list[tuple[str | None, str | None]] = [(row.person_id, row.deputy_id) for row in hours]
    pairs += [(row.person_id, row.deputy_id) for row in others]
    named = {one for pair in pairs for one in pair if one is not None}
    found = await people.find_all(db, users=[UserId(user) for user in sorted(named)])
    able = {person.id for person in found if is_able(person)}
    week = {(row.weekday, row.hour): _duty(row.person_id, row.deputy_id, able) for row in hours}
    return Roster(
        zone,
        {slot: duty for slot, duty in week.items() if duty is not None},
        {(row.on_date, row.hour): _duty(row.person_id, row.deputy_id, able) for row in others},
    )


async def set_hours(
    db: AsyncSession,
    audit: Audit,
    *,
    slots: Sequence[tuple[int, int]],
    person: Person | None,
    deputy: Person | None,
    actor: Person,
    now: datetime,
) -> None:
    """Put somebody on duty in these hours of every week, or nobody. Raises ``InvalidState``."""
    _check(person, deputy)
    for day in DAYS:
        hours = [hour for weekday, hour in slots if weekday == day]
        await db.execute(
            delete(RosterHourRow).where(RosterHourRow.weekday == day, RosterHourRow.hour.in_(hours))
        )
    if person is not None:
        deputy_id = deputy.id if deputy else None
        db.add_all(
            RosterHourRow(weekday=day, hour=hour, person_id=person.id, deputy_id=deputy_id)
            for day, hour in slots
        )
    await db.flush()
    detail: dict[str, str | int | bool] = {
        "hours": len(slots),
        "first": "{}/{:02}".format(*slots[0]),
        "last": "{}/{:02}".format(*slots[-1]),
    }
    await _written_down(db, audit, "roster:set", detail, person, deputy, actor, now)


async def set_exception(
    db: AsyncSession,
    audit: Audit,
    *,
    on: date,
    hours: Sequence[int],
    person: Person | None,
    deputy: Person | None,
    actor: Person,
    now: datetime,
) -> None:
    """Put somebody on duty in these hours of one date, or nobody. Raises ``InvalidState``."""
    _check(person, deputy)
    await db.execute(
        delete(RosterExceptionRow).where(RosterExceptionRow.on_date == on, RosterExceptionRow.hour.in_(hours))
    )
    db.add_all(
        RosterExceptionRow(
            on_date=on,
            hour=hour,
            person_id=person.id if person else None,
            deputy_id=deputy.id if deputy else None,
        )
        for hour in hours
    )
    await db.flush()
    detail: dict[str, str | int | bool] = {"date": on.isoformat(), "hours": len(hours)}
    await _written_down(db, audit, "roster:except", detail, person, deputy, actor, now)


async def drop_exceptions(db: AsyncSession, audit: Audit, *, on: date, actor: Person, now: datetime) -> None:
    """Let a date be as every week again."""
    await db.execute(delete(RosterExceptionRow).where(RosterExceptionRow.on_date == on))
    await _written_down(db, audit, "roster:restore", {"date": on.isoformat()}, None, None, actor, now)


def day_of(roster: Roster, on: date) -> list[Stretch]:
    """List one date's hours as the clock shows them, exceptions included."""
    return _stretches(
        [
            roster.exceptions[on, hour]
            if (on, hour) in roster.exceptions
            else roster.week.get((on.weekday(), hour))
            for hour in HOURS
        ]
    )


def hours_of(roster: Roster, user: UserId) -> dict[int, list[Stretch]]:
    """List on which weekdays and hours somebody is on duty, as the first or as the deputy."""
    return {
        day: [
            one
            for one in roster.stretches(day)
            if one.duty is not None and user in (one.duty.person, one.duty.deputy)
        ]
        for day in DAYS
    }


async def candidates(db: AsyncSession) -> list[Person]:
    """List who may be on duty, by name."""
    found = {person.id: person for role in ON_DUTY for person in await people.with_role(db, role=role)}
    return sorted(found.values(), key=lambda one: (one.name, one.id))


def is_able(person: Person) -> bool:
    """Whether somebody can be on duty: of the counseling line, and not closed or leaving."""
    return person.disabled_at is None and not person.is_leaving and not ON_DUTY.isdisjoint(person.roles)


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Take somebody off the roster; the hours are gaps then."""
    await db.execute(delete(RosterHourRow).where(RosterHourRow.person_id == user))
    await db.execute(
        delete(RosterExceptionRow).where(
            or_(RosterExceptionRow.person_id == user, RosterExceptionRow.deputy_id == user)
        )
    )


async def _written_down(  # noqa: PLR0917  # one call for each way to change the roster
    db: AsyncSession,
    audit: Audit,
    tag: str,
    detail: Mapping[str, str | int | bool],
    person: Person | None,
    deputy: Person | None,
    actor: Person,
    now: datetime,
) -> None:
    """Write the audit's row, and tell those whose hours changed where to look."""
    who = {"person": person.id if person else "", "deputy": deputy.id if deputy else ""}
    subject = person.id if person else None
    await audit.append(db, tag=tag, actor=actor.id, subject=subject, detail={**detail, **who}, now=now)
    told = [one.id for one in (person, deputy) if one is not None]
    await notices.post_all(db, users=told, kind="duty", now=now)


def _check(person: Person | None, deputy: Person | None) -> None:
    if person is None and deputy is not None:
        raise InvalidState("A deputy stands in for somebody.")
    if person is not None and deputy is not None and person.id == deputy.id:
        raise InvalidState("Nobody is their own deputy.")
    if not all(is_able(one) for one in (person, deputy) if one is not None):
        raise InvalidState("Only counselors and supervisors can be on duty.")


def _duty(person: str | None, deputy: str | None, able: set[UserId]) -> Duty | None:
    there = [UserId(one) for one in (person, deputy) if one is not None and UserId(one) in able]
    if not there:
        return None
    return Duty(there[0], there[1] if len(there) > 1 else None)


def _stretches(hours: Sequence[Duty | None]) -> list[Stretch]:
    found: list[Stretch] = []
    for hour, duty in enumerate(hours):
        if found and found[-1].duty == duty:
            found[-1] = Stretch(found[-1].from_hour, hour + 1, duty)
        else:
            found.append(Stretch(hour, hour + 1, duty))
    return found


def _next_step(at: datetime) -> datetime:
    """Give the next quarter of an hour."""
    moment = at.astimezone(UTC)
    past = timedelta(minutes=moment.minute % 15, seconds=moment.second, microseconds=moment.microsecond)
    return moment - past + STEP
