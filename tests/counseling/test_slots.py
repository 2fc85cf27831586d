"""Times that can be booked: cut from hours, in any zone, over days on which clocks change."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as some

from counseling import slots
from counseling.hours import DAY_MINUTES, Span, read_day
from counseling.slots import Hours, Slot, Terms

ZONES = (
    "Asia/Jakarta",
    "Asia/Makassar",
    "Asia/Jayapura",
    "Asia/Kathmandu",
    "Europe/Berlin",
    "Europe/Dublin",
    "America/New_York",
    "America/St_Johns",
    "Australia/Lord_Howe",
    "Africa/Cairo",
    "Asia/Beirut",
    "Pacific/Apia",
    "UTC",
)
JAKARTA, BERLIN, LORD_HOWE = (
    ZoneInfo(name) for name in ("Asia/Jakarta", "Europe/Berlin", "Australia/Lord_Howe")
)
HOUR = Terms(timedelta(minutes=50), timedelta(minutes=10))
MONDAY = date(2026, 3, 2)


def at(zone: ZoneInfo, *when: int) -> datetime:
    return datetime(*when, tzinfo=zone).astimezone(UTC)  # type: ignore[arg-type, misc]  # five whole numbers


def day_of(zone: ZoneInfo, day: date) -> tuple[datetime, datetime]:
    return at(zone, day.year, day.month, day.day), at(zone, day.year, day.month, day.day) + timedelta(
        hours=26
    )


def starts(found: tuple[Slot, ...], zone: ZoneInfo) -> list[str]:
    return [f"{one.since.astimezone(zone):%H.%M}" for one in found]


def open_on(typed: str, day: date, zone: ZoneInfo, terms: Terms = HOUR) -> list[str]:
    """The starts on one day with these hours."""
    hours = Hours(read_day(day.weekday(), typed))
    since = at(zone, day.year, day.month, day.day)
    found = slots.free(
        hours, terms=terms, zone=zone, since=since - timedelta(hours=2), until=since + timedelta(hours=27)
    )
    return starts(tuple(one for one in found if one.since.astimezone(zone).date() == day), zone)


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("9-12", ["09.00", "10.00", "11.00"]),
        ("9-11.50", ["09.00", "10.00", "11.00"]),
        ("9-11.49", ["09.00", "10.00"]),
        ("9.03-11", ["09.05", "10.05"]),
        ("9-10, 13-15", ["09.00", "13.00", "14.00"]),
        ("23-24", ["23.00"]),
        ("9-9.45", []),
        ("", []),
    ],
)
def test_a_day_is_cut_into_appointments(typed: str, found: list[str]) -> None:
    assert open_on(typed, MONDAY, JAKARTA) == found


def test_a_day_that_differs_takes_the_place_of_the_week() -> None:
    hours = Hours(
        read_day(0, "9-12"),
        days={MONDAY: (Span(0, 14 * 60, 15 * 60),), MONDAY + timedelta(days=7): ()},
    )
    since = at(JAKARTA, 2026, 3, 2)
    found = slots.free(hours, terms=HOUR, zone=JAKARTA, since=since, until=since + timedelta(days=15))
    assert [f"{one.since.astimezone(JAKARTA):%d %H.%M}" for one in found] == [
        "02 14.00",
        "16 09.00",
        "16 10.00",
        "16 11.00",
    ]


@pytest.mark.parametrize(
    ("away_from", "away_until", "days"),
    [
        (date(2026, 3, 3), date(2026, 3, 4), [2, 5]),
        (date(2026, 3, 4), None, [2, 3]),
        (None, date(2026, 3, 4), [5]),
        (None, None, [2, 3, 4, 5]),
    ],
)
def test_nothing_is_offered_on_days_away(
    away_from: date | None, away_until: date | None, days: list[int]
) -> None:
    week = tuple(Span(day, 540, 600) for day in range(7))
    hours = Hours(week, {date(2026, 3, 3): (Span(1, 540, 600),)}, away_from, away_until)
    since = at(JAKARTA, 2026, 3, 2)
    found = slots.free(hours, terms=HOUR, zone=JAKARTA, since=since, until=since + timedelta(days=4))
    assert [one.since.astimezone(JAKARTA).day for one in found] == days


def test_what_is_taken_is_not_offered_nor_what_leaves_no_gap() -> None:
    since = at(JAKARTA, 2026, 3, 2)
    hours = Hours(read_day(0, "9-13"))
    taken = [Slot(at(JAKARTA, 2026, 3, 2, 10, 5), at(JAKARTA, 2026, 3, 2, 10, 55))]
    found = slots.free(
        hours, terms=HOUR, zone=JAKARTA, since=since, until=since + timedelta(days=1), taken=taken
    )
    assert starts(found, JAKARTA) == ["09.00", "12.00"]


def test_only_what_begins_in_the_time_asked_for_is_listed() -> None:
    hours = Hours(read_day(0, "9-13"))
    found = slots.free(
        hours, terms=HOUR, zone=JAKARTA, since=at(JAKARTA, 2026, 3, 2, 10), until=at(JAKARTA, 2026, 3, 2, 12)
    )
    assert starts(found, JAKARTA) == ["10.00", "11.00"]


def test_a_clock_put_forward_skips_its_hour_and_nothing_reaches_over_the_end() -> None:
    # Berlin, 29 March 2026: after 01.59 comes 03.00.
    spring = date(2026, 3, 29)
    assert open_on("0-5", spring, BERLIN) == ["00.00", "01.00", "03.00", "04.00"]
    assert open_on("0-2.30", spring, BERLIN) == ["00.00", "01.00"]
    assert open_on("2.30-5", spring, BERLIN) == ["03.30"]
    # Two hours from 01.00 are over at 04.00 on the wall.
    long = Terms(timedelta(minutes=120), timedelta(0))
    assert open_on("1-4", spring, BERLIN, long) == ["01.00"]
    assert open_on("1-3.55", spring, BERLIN, long) == []
    assert open_on("1-7", spring, BERLIN, long) == ["01.00", "05.00"]


def test_an_hour_that_a_clock_shows_twice_is_offered_once() -> None:
    # Berlin, 25 October 2026: after 02.59 comes 02.00 again.
    autumn = date(2026, 10, 25)
    assert open_on("0-5", autumn, BERLIN) == ["00.00", "01.00", "02.00", "03.00", "04.00"]
    assert open_on("0-2.50", autumn, BERLIN) == ["00.00", "01.00", "02.00"]


def test_lord_howe_moves_its_clock_by_half_an_hour() -> None:
    # 4 October 2026: after 01.59 comes 02.30. 5 April: after 01.59 comes 01.30 again.
    half = Terms(timedelta(minutes=25), timedelta(minutes=5))
    assert open_on("1-4", date(2026, 10, 4), LORD_HOWE, half) == ["01.00", "01.30", "02.30", "03.00", "03.30"]
    assert open_on("1-3", date(2026, 4, 5), LORD_HOWE, half) == ["01.00", "01.30", "02.00", "02.30"]


def test_a_day_that_a_zone_left_out_has_nothing() -> None:
    # Samoa went over the date line: after 29 December 2011 came the 31st.
    apia = ZoneInfo("Pacific/Apia")
    week = tuple(Span(day, 540, 660) for day in range(7))
    found = slots.free(
        Hours(week), terms=HOUR, zone=apia, since=at(apia, 2011, 12, 29), until=at(apia, 2012, 1, 1)
    )
    assert [f"{one.since.astimezone(apia):%d %H}" for one in found] == ["29 09", "29 10", "31 09", "31 10"]


@pytest.mark.parametrize(
    ("since", "fits"),
    [
        ((2026, 3, 2, 9), True),
        ((2026, 3, 2, 8, 55), False),
        ((2026, 3, 2, 11, 15), False),
        ((2026, 3, 3, 9), False),
    ],
)
def test_it_is_said_whether_a_time_still_lies_within_the_hours(since: tuple[int, ...], *, fits: bool) -> None:
    begins = at(JAKARTA, *since)
    assert (
        slots.works(Hours(read_day(0, "9-12")), Slot(begins, begins + timedelta(minutes=50)), zone=JAKARTA)
        is fits
    )


def test_slots_stand_on_the_day_of_whoever_reads_them() -> None:
    late = at(JAKARTA, 2026, 3, 2, 23)
    slot = Slot(late, late + timedelta(minutes=50))
    assert list(slots.by_day([slot], JAKARTA)) == [date(2026, 3, 2)]
    assert list(slots.by_day([slot], ZoneInfo("Asia/Jayapura"))) == [date(2026, 3, 3)]


@pytest.mark.parametrize(("length", "gap"), [(0, 0), (52, 0), (50, 3), (50, -5)])
def test_terms_go_into_steps(length: int, gap: int) -> None:
    with pytest.raises(ValueError, match="five minutes"):
        Terms(timedelta(minutes=length), timedelta(minutes=gap))


@some.composite
def weeks(draw: some.DrawFn) -> tuple[Span, ...]:
    """Hours of a week, one to three spans on some days, none overlapping."""
    found = []
    for day in draw(some.sets(some.integers(0, 6), min_size=1)):
        edges = sorted(draw(some.sets(some.integers(0, DAY_MINUTES), min_size=2, max_size=6)))
        found += [Span(day, begin, end) for begin, end in zip(edges[::2], edges[1::2], strict=False)]
    return tuple(found)


# Around a change of the clock in each of the zones that have one, and on ordinary days.
DATES = some.sampled_from(
    [date(2026, month, day) for month, day in
     ((3, 7), (3, 28), (4, 3), (4, 23), (6, 1), (9, 5), (10, 3), (10, 24), (10, 28), (10, 31))]
) | some.dates(date(1990, 1, 1), date(2036, 12, 31))  # fmt: skip


@given(
    week=weeks(),
    zone=some.sampled_from(ZONES).map(ZoneInfo),
    reader=some.sampled_from(ZONES).map(ZoneInfo),
    day=DATES,
    length=some.integers(1, 24).map(lambda steps: timedelta(minutes=5 * steps)),
    gap=some.integers(0, 6).map(lambda steps: timedelta(minutes=5 * steps)),
    booked=some.sets(some.integers(0, 30)),
)
@settings(deadline=None)
@example(
    week=(Span(6, 0, DAY_MINUTES),), zone=BERLIN, reader=LORD_HOWE, day=date(2026, 3, 28),
    length=timedelta(minutes=90), gap=timedelta(minutes=15), booked={0},
)  # fmt: skip
def test_whatever_the_zone_nothing_is_offered_twice_or_in_an_hour_that_is_skipped(
    *,
    week: tuple[Span, ...],
    zone: ZoneInfo,
    reader: ZoneInfo,
    day: date,
    length: timedelta,
    gap: timedelta,
    booked: set[int],
) -> None:
    hours, terms = Hours(week), Terms(length, gap)
    since = at(zone, day.year, day.month, day.day)
    until = since + timedelta(days=3)

    def offered(taken: list[Slot]) -> tuple[Slot, ...]:
        return slots.free(hours, terms=terms, zone=zone, since=since, until=until, taken=taken)

    found = offered([])
    assert all(since <= one.since < until and one.until - one.since == length for one in found)
    assert all(later.since >= earlier.until for earlier, later in itertools.pairwise(found))
    shown = [one.since.astimezone(zone).replace(tzinfo=None, fold=0) for one in found]
    assert len(set(shown)) == len(shown), "the same time of the same day twice"
    for one, wall in zip(found, shown, strict=True):
        assert wall.replace(tzinfo=zone).astimezone(UTC) == one.since, (
            "an hour that is skipped, or its second time"
        )
        assert wall.minute % 5 == 0
        assert slots.works(hours, one, zone=zone)
        last = (one.until - timedelta(seconds=1)).astimezone(zone)
        spans = [span for span in week if span.day == wall.weekday()]
        minute, end = wall.hour * 60 + wall.minute, last.hour * 60 + last.minute
        assert any(span.from_minute <= minute and end < span.until_minute for span in spans)
    assert sorted(itertools.chain.from_iterable(slots.by_day(found, reader).values())) == list(found)
    taken = [one for number, one in enumerate(found) if number in booked]
    left = offered(taken)
    assert set(left) <= set(found)
    assert all(not one.touches(other, gap=gap) for one in left for other in taken)
    assert set(offered([*taken, *left])) & set(left) == set()


@settings(deadline=None)
@given(week=weeks(), zone=some.sampled_from(ZONES).map(ZoneInfo), day=DATES, hours_on=some.integers(0, 60))
def test_when_one_asks_changes_nothing(
    week: tuple[Span, ...], zone: ZoneInfo, day: date, hours_on: int
) -> None:
    since = at(zone, day.year, day.month, day.day)
    until, later = since + timedelta(days=3), since + timedelta(hours=hours_on)
    whole = slots.free(Hours(week), terms=HOUR, zone=zone, since=since, until=until)
    part = slots.free(Hours(week), terms=HOUR, zone=zone, since=later, until=until)
    assert [one for one in whole if one.since >= later] == list(part)
