from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as some

from accounts import notices, people
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Role
from core.db import Database
from core.errors import InvalidState
from core.ids import UserId
from counseling import roster
from counseling.roster import DAYS, HOURS, Duty, Gap, Lack, Roster, Stretch, covered
from tests.fakes import FakeClock

JAKARTA = ZoneInfo("Asia/Jakarta")
ZONES = [
    ZoneInfo(name) for name in ("Asia/Jakarta", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu")
]
MASTER = bytes(range(32))
A, B = UserId("u_a"), UserId("u_b")
DAY = Duty(A, B)

duties = some.sampled_from([Duty(A, B), Duty(B, A), Duty(A, None)])
weeks = some.dictionaries(
    some.tuples(some.sampled_from(DAYS), some.sampled_from(HOURS)), duties, max_size=168
)
moments = some.datetimes(datetime(2026, 1, 1), datetime(2026, 12, 1), timezones=some.just(UTC))  # noqa: DTZ001  # hypothesis adds the zone
spans = some.timedeltas(timedelta(minutes=1), timedelta(days=9))


@given(zone=some.sampled_from(ZONES), week=weeks, since=moments, span=spans, probe=some.floats(0, 0.999999))
def test_gaps_are_just_when_something_is_missing(
    zone: ZoneInfo, week: dict[tuple[int, int], Duty], since: datetime, span: timedelta, probe: float
) -> None:
    """In every zone and over every change of its clocks: a moment is in a gap if and only if duty lacks."""
    held = Roster(zone, week, {})
    gaps = held.gaps(since, since + span)
    at = since + probe * span
    duty = held.on_duty(at)
    lack = Lack.NOBODY if duty is None else Lack.NO_DEPUTY if duty.deputy is None else None
    assert [gap.lack for gap in gaps if gap.since <= at < gap.until] == ([] if lack is None else [lack])
    for one, other in itertools.pairwise(gaps):
        assert one.until < other.since or (one.until == other.since and one.lack is not other.lack)
    for gap in gaps:
        assert since <= gap.since < gap.until <= since + span


@given(zone=some.sampled_from(ZONES), week=weeks, at=moments)
def test_a_moment_has_the_duty_of_its_local_hour(
    zone: ZoneInfo, week: dict[tuple[int, int], Duty], at: datetime
) -> None:
    local = at.astimezone(zone)
    assert Roster(zone, week, {}).on_duty(at) == week.get((local.weekday(), local.hour))


@given(
    days=some.sets(some.sampled_from(DAYS), min_size=1),
    first=some.sampled_from(HOURS),
    last=some.integers(0, 24),
)
def test_hours_from_one_to_another_are_that_many_for_each_day(days: set[int], first: int, last: int) -> None:
    slots = covered(days, first, last)
    assert len(slots) == len(set(slots))
    each = (last - first) % 24 or 24
    assert max(each, len(days)) <= len(slots) <= min(each * len(days), 168)
    if len(days) == 1:
        assert len(slots) == each
    assert all(day in DAYS and hour in HOURS for day, hour in slots)


@pytest.mark.parametrize(
    ("days", "first", "last", "slots"),
    [
        ([0], 8, 10, [(0, 8), (0, 9)]),
        ([6], 23, 1, [(0, 0), (6, 23)]),
        ([2], 22, 24, [(2, 22), (2, 23)]),
        ([0, 1], 23, 1, [(0, 23), (1, 0), (1, 23), (2, 0)]),
        ([4], 0, 24, [(4, hour) for hour in HOURS]),
        ([4], 0, 0, [(4, hour) for hour in HOURS]),
    ],
)
def test_a_night_goes_on_into_the_next_day(
    days: list[int], first: int, last: int, slots: list[tuple[int, int]]
) -> None:
    assert covered(days, first, last) == slots


def test_an_hour_that_comes_twice_has_the_same_duty_twice() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    held = Roster(berlin, {(6, 2): DAY}, {})
    twice = [datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)]
    assert [held.on_duty(at) for at in twice] == [DAY, DAY]
    gaps = held.gaps(datetime(2026, 10, 24, 22, tzinfo=UTC), datetime(2026, 10, 25, 23, tzinfo=UTC))
    assert sum((gap.until - gap.since for gap in gaps), timedelta(0)) == timedelta(hours=25 - 2)


def test_an_hour_that_is_skipped_is_no_gap() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    held = Roster(berlin, {(6, hour): DAY for hour in HOURS if hour != 2}, {})
    assert held.gaps(datetime(2026, 3, 28, 23, tzinfo=UTC), datetime(2026, 3, 29, 22, tzinfo=UTC)) == []


def test_a_date_may_differ() -> None:
    monday = date(2026, 3, 2)
    held = Roster(JAKARTA, {(0, 9): DAY, (0, 10): DAY}, {(monday, 9): None, (monday, 11): Duty(B, A)})
    at = [datetime(2026, 3, 2, hour, 15, tzinfo=JAKARTA) for hour in (9, 10, 11)]
    assert [held.on_duty(one) for one in at] == [None, DAY, Duty(B, A)]
    assert held.on_duty(at[0] + timedelta(days=7)) == DAY
    assert roster.day_of(held, monday) == [
        Stretch(0, 10, None),
        Stretch(10, 11, DAY),
        Stretch(11, 12, Duty(B, A)),
        Stretch(12, 24, None),
    ]


def test_gaps_that_touch_are_one() -> None:
    held = Roster(JAKARTA, {(0, 9): DAY, (0, 11): Duty(A, None)}, {})
    since = datetime(2026, 3, 2, 8, tzinfo=JAKARTA)
    assert held.gaps(since, since + timedelta(hours=4)) == [
        Gap(since, since + timedelta(hours=1), Lack.NOBODY),
        Gap(since + timedelta(hours=2), since + timedelta(hours=3), Lack.NOBODY),
        Gap(since + timedelta(hours=3), since + timedelta(hours=4), Lack.NO_DEPUTY),
    ]


async def staff(database: Database, clock: FakeClock) -> list[Person]:
    async with database.sessions.begin() as db:
        return [
            await people.create_staff(db, name=name, language="id", roles={role}, now=clock.now())
            for name, role in (("Admin", Role.ADMIN), ("Rina", Role.COUNSELOR), ("Budi", Role.SUPERVISOR))
        ]


async def test_hours_are_set_replaced_and_cleared(database: Database, clock: FakeClock) -> None:
    audit = Audit(MASTER)
    admin, rina, budi = await staff(database, clock)
    async with database.sessions.begin() as db:

        async def put(first: int, last: int, person: Person | None, deputy: Person | None) -> None:
            await roster.set_hours(
                db,
                audit,
                slots=covered(DAYS, first, last),
                person=person,
                deputy=deputy,
                actor=admin,
                now=clock.now(),
            )

        await put(0, 24, rina, budi)
        await put(8, 16, budi, None)
        await put(12, 13, None, None)
        held = await roster.load(db, zone=JAKARTA, now=clock.now())
        assert held.stretches(3) == [
            Stretch(0, 8, Duty(rina.id, budi.id)),
            Stretch(8, 12, Duty(budi.id, None)),
            Stretch(12, 13, None),
            Stretch(13, 16, Duty(budi.id, None)),
            Stretch(16, 24, Duty(rina.id, budi.id)),
        ]
        assert roster.hours_of(held, rina.id)[3] == [held.stretches(3)[0], held.stretches(3)[4]]
        assert [one.kind for one in await notices.inbox(db, user=rina.id)] == ["duty"]
        tags = [entry.tag for entry in await audit.own(db, person=rina.id)]
        assert tags == ["roster:set"]


async def test_whose_account_is_closed_is_not_on_duty(database: Database, clock: FakeClock) -> None:
    audit = Audit(MASTER)
    admin, rina, budi = await staff(database, clock)
    at = datetime(2026, 3, 2, 9, tzinfo=JAKARTA)
    async with database.sessions.begin() as db:
        await roster.set_hours(
            db, audit, slots=[(0, 9)], person=rina, deputy=budi, actor=admin, now=clock.now()
        )
        await people.disable(db, user=rina.id, at=clock.now())
    async with database.sessions.begin() as db:
        held = await roster.load(db, zone=JAKARTA, now=clock.now())
        assert held.on_duty(at) == Duty(budi.id, None), "the deputy moves up"
        await people.set_roles(db, user=budi.id, roles={Role.ADMIN})
    async with database.sessions.begin() as db:
        held = await roster.load(db, zone=JAKARTA, now=clock.now())
        assert held.on_duty(at) is None


async def test_a_date_is_changed_and_restored(database: Database, clock: FakeClock) -> None:
    audit = Audit(MASTER)
    admin, rina, budi = await staff(database, clock)
    on = date(2026, 3, 4)
    at = datetime(2026, 3, 4, 9, tzinfo=JAKARTA)
    async with database.sessions.begin() as db:
        await roster.set_hours(
            db, audit, slots=[(2, 9)], person=rina, deputy=budi, actor=admin, now=clock.now()
        )
        for person in (budi, None):
            await roster.set_exception(
                db, audit, on=on, hours=[9], person=person, deputy=None, actor=admin, now=clock.now()
            )
            held = await roster.load(db, zone=JAKARTA, now=clock.now())
            assert held.on_duty(at) == (None if person is None else Duty(budi.id, None))
        await roster.drop_exceptions(db, audit, on=on, actor=admin, now=clock.now())
        held = await roster.load(db, zone=JAKARTA, now=clock.now())
        assert held.on_duty(at) == Duty(rina.id, budi.id)
        await roster.erase(db, user=rina.id, now=clock.now())
        held = await roster.load(db, zone=JAKARTA, now=clock.now())
        assert held.week == {}


async def test_what_makes_no_sense_is_refused(database: Database, clock: FakeClock) -> None:
    audit = Audit(MASTER)
    admin, rina, budi = await staff(database, clock)
    for person, deputy in ((rina, rina), (None, budi), (admin, None), (rina, admin)):
        async with database.sessions.begin() as db:
            with pytest.raises(InvalidState):
                await roster.set_hours(
                    db, audit, slots=[(0, 9)], person=person, deputy=deputy, actor=admin, now=clock.now()
                )
    async with database.sessions.begin() as db:
        assert [one.name for one in await roster.candidates(db)] == ["Budi", "Rina"]
