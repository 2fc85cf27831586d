from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counseling.hours import (
    DAYS,
    Span,
    Unreadable,
    alike,
    joined,
    next_start,
    pack,
    read_day,
    unpack,
    works_at,
    write_day,
)

JAKARTA = ZoneInfo("Asia/Jakarta")


@pytest.mark.parametrize(
    ("typed", "spans"),
    [
        ("", []),
        ("  ", []),
        ("9-12", [(540, 720)]),
        ("09.00-12.00, 13:30 \u2013 17", [(540, 720), (810, 1020)]),
        ("13-17; 9-12", [(540, 720), (780, 1020)]),
        ("8 s/d 10", [(480, 600)]),
        ("8 sampai 10\n11 to 12", [(480, 600), (660, 720)]),
        ("20-24", [(1200, 1440)]),
        ("20-0", [(1200, 1440)]),
        ("9-12,12-15", [(540, 720), (720, 900)]),
    ],
)
def test_a_day_is_read_as_people_write_it(typed: str, spans: list[tuple[int, int]]) -> None:
    assert [(span.from_minute, span.until_minute) for span in read_day(2, typed)] == spans


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("pagi", "unclear"),
        ("9", "unclear"),
        ("25-26", "unclear"),
        ("9.75-10", "unclear"),
        ("24.30-25", "unclear"),
        ("12-9", "backwards"),
        ("9-9", "backwards"),
        ("9-12, 11-13", "overlap"),
        ("1-2,3-4,5-6,7-8,9-10", "many"),
        ("9" * 101, "unclear"),
    ],
)
def test_what_cannot_be_read_is_said(typed: str, key: str) -> None:
    with pytest.raises(Unreadable) as error:
        read_day(0, typed)
    assert error.value.key == key


@given(st.lists(st.tuples(st.integers(0, 1439), st.integers(1, 1440)), max_size=3))
def test_what_is_written_is_read_again(pairs: list[tuple[int, int]]) -> None:
    week = {Span(3, start, end) for start, end in pairs if start < end}
    apart: list[Span] = []
    for span in sorted(week):
        if not apart or apart[-1].until_minute <= span.from_minute:
            apart.append(span)
    assert read_day(3, write_day(apart, 3)) == tuple(apart)
    assert unpack(pack(apart)) == tuple(apart)


def test_hours_are_of_the_services_zone() -> None:
    week = read_day(0, "9-12")
    monday_nine = datetime(2026, 3, 2, 2, 0, tzinfo=UTC)  # 09.00 in Jakarta
    assert works_at(week, now=monday_nine, zone=JAKARTA)
    assert not works_at(week, now=monday_nine, zone=ZoneInfo("UTC"))
    assert not works_at(week, now=monday_nine.replace(hour=5), zone=JAKARTA)  # 12.00 is not in it
    late_sunday = datetime(2026, 3, 1, 19, 30, tzinfo=UTC)  # Monday 02.30 there
    assert works_at(read_day(0, "2-3"), now=late_sunday, zone=JAKARTA)


def test_no_span_leaves_its_day() -> None:
    for wrong in ((7, 0, 1), (-1, 0, 1), (0, 5, 5), (0, 6, 5), (0, 0, 1441), (0, -1, 3)):
        with pytest.raises(ValueError, match="within one day"):
            Span(*wrong)
    assert len(DAYS) == 7


@pytest.mark.parametrize(
    ("weeks", "expected"),
    [
        ([], []),
        ([[(0, 540, 720)]], [(0, 540, 720)]),
        ([[(0, 540, 720)], [(0, 600, 660)]], [(0, 540, 720)]),
        ([[(0, 540, 720)], [(0, 720, 900)]], [(0, 540, 900)]),
        ([[(0, 540, 720)], [(1, 600, 660)], [(0, 800, 900)]], [(0, 540, 720), (0, 800, 900), (1, 600, 660)]),
    ],
)
def test_the_hours_of_several_are_those_in_which_one_of_them_works(
    weeks: list[list[tuple[int, int, int]]], expected: list[tuple[int, int, int]]
) -> None:
    assert joined(tuple(Span(*one) for one in week) for week in weeks) == tuple(
        Span(*one) for one in expected
    )


@pytest.mark.parametrize(
    ("now", "starts"),
    [
        # A Monday in Jakarta, seven hours ahead; work is on Mondays from 9 and Thursdays from 13.
        (datetime(2026, 3, 2, 1, 59, tzinfo=UTC), datetime(2026, 3, 2, 2, 0, tzinfo=UTC)),
        (datetime(2026, 3, 2, 2, 0, tzinfo=UTC), datetime(2026, 3, 5, 6, 0, tzinfo=UTC)),
        (datetime(2026, 3, 5, 6, 30, tzinfo=UTC), datetime(2026, 3, 9, 2, 0, tzinfo=UTC)),
    ],
)
def test_the_next_hours_are_found(now: datetime, starts: datetime) -> None:
    week = (Span(0, 540, 600), Span(3, 780, 840))
    assert next_start(week, now=now, zone=JAKARTA) == starts
    assert next_start((), now=now, zone=JAKARTA) is None
    assert next_start(week[:1], now=starts, zone=JAKARTA) is not None, "the same hour a week later"


def test_days_with_the_same_hours_are_told_together() -> None:
    week = [*(Span(day, 480, 1320) for day in range(5)), Span(6, 600, 720)]
    assert alike(week) == [(0, 4, "08.00\u201322.00"), (5, 5, ""), (6, 6, "10.00\u201312.00")]
    assert alike([]) == [(0, 6, "")]
