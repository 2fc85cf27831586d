"""Who fits a client's appointment, and when: a table of cases, and what is read for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.ids import UserId
from counseling import booking
from counseling.appointment_states import AHEAD, NOTICE
from counseling.booking import Asker, Helper, Wishes
from counseling.entry import Entry, Medium
from counseling.exclusions import Apart
from counseling.hours import Span
from counseling.slots import Hours, Slot, Terms
from counseling.verification import State
from tests.counseling.conftest import LICENCE, PRACTICE

JAKARTA = ZoneInfo("Asia/Jakarta")
NOW = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)
TERMS = Terms(timedelta(minutes=50), timedelta(minutes=10))
WEEK = tuple(Span(day, 540, 660) for day in range(7))
ENTRY = Entry(UserId("u_ratna"), State.VERIFIED, None, NOW, NOW, None, LICENCE, PRACTICE, WEEK)
RATNA = Helper(ENTRY, minors=False, hours=Hours(WEEK))
BIMA = replace(RATNA, entry=replace(ENTRY, user=UserId("u_bima")))
EMBUN = Asker(UserId("u_embun"), adult=True, language="id")
WISHES = Wishes(Medium.VIDEO, "study")
NINE = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)


def practice(**changed: object) -> Helper:
    return replace(RATNA, entry=replace(ENTRY, practice=replace(PRACTICE, **changed)))  # type: ignore[arg-type]  # fields by name


@pytest.mark.parametrize(
    ("asker", "helper", "wishes", "fit"),
    [
        (EMBUN, RATNA, WISHES, True),
        (replace(EMBUN, language="en"), RATNA, WISHES, False),
        (replace(EMBUN, adult=False), RATNA, WISHES, False),
        (replace(EMBUN, adult=None), RATNA, WISHES, False),
        (replace(EMBUN, adult=False), replace(RATNA, minors=True), WISHES, True),
        (EMBUN, practice(media=("chat",)), WISHES, False),
        (EMBUN, practice(topics=("grief",)), WISHES, False),
        (EMBUN, practice(topics=("grief",)), replace(WISHES, counselor=UserId("u_ratna")), True),
        (EMBUN, RATNA, replace(WISHES, counselor=UserId("u_bima")), False),
        (EMBUN, practice(media=("in_person",)), Wishes(Medium.IN_PERSON, "study"), False),
        (EMBUN, replace(practice(media=("in_person",)), place="A"), Wishes(Medium.IN_PERSON, "study"), True),
        (replace(EMBUN, apart=Apart(frozenset({UserId("u_ratna")}))), RATNA, WISHES, False),
        (replace(EMBUN, apart=Apart(groups=frozenset({"law"}))), practice(recusals=("Law",)), WISHES, False),
        (EMBUN, replace(practice(capacity=1), clients={UserId("u_other")}), WISHES, False),
        (EMBUN, replace(practice(capacity=1), clients={UserId("u_embun")}), WISHES, True),
    ],
)  # fmt: skip
def test_who_fits(asker: Asker, helper: Helper, wishes: Wishes, *, fit: bool) -> None:
    assert booking.fits(asker, helper, wishes) is fit


def offered(
    asker: Asker, *helpers: Helper, day: datetime = NINE, wishes: Wishes = WISHES
) -> list[tuple[str, str]]:
    found = booking.offers(
        asker, helpers, wishes, terms=TERMS, zone=JAKARTA, since=day, until=day + timedelta(hours=4), now=NOW
    )
    return [
        (f"{one.slot.since.astimezone(JAKARTA):%H.%M}", one.counselor.removeprefix("u_")) for one in found
    ]


def test_each_time_is_offered_once_with_whom_the_client_knows_first() -> None:
    assert offered(EMBUN, RATNA, BIMA) == [("09.00", "bima"), ("10.00", "bima")]
    assert offered(replace(EMBUN, last=UserId("u_ratna")), RATNA, BIMA) == [
        ("09.00", "ratna"),
        ("10.00", "ratna"),
    ]
    busy = replace(BIMA, taken=[Slot(NINE, NINE + TERMS.length)])
    assert offered(EMBUN, RATNA, busy) == [("09.00", "ratna"), ("10.00", "ratna")]


def test_nobody_is_offered_a_time_that_the_client_or_counselor_has_not() -> None:
    nine = Slot(NINE, NINE + TERMS.length)
    assert offered(EMBUN, replace(RATNA, taken=[nine])) == [("10.00", "ratna")]
    assert offered(replace(EMBUN, busy=[nine]), RATNA) == [("10.00", "ratna")]
    assert offered(EMBUN, replace(RATNA, hours=Hours(WEEK, {date(2026, 3, 3): ()}))) == []


def test_nobody_is_offered_a_day_after_the_licence_ends() -> None:
    ends = replace(RATNA, entry=replace(ENTRY, licence=replace(LICENCE, valid_until=date(2026, 3, 3))))
    assert offered(EMBUN, ends) != []
    assert offered(EMBUN, ends, day=NINE + timedelta(days=1)) == []


def test_nothing_is_offered_too_soon_or_too_far_ahead() -> None:
    for at, some in (
        (NOW + NOTICE, 1),
        (NOW, 1),
        (NINE, 2),
        (NOW + AHEAD - timedelta(days=1), 2),
        (NOW + AHEAD, 0),
    ):
        assert len(offered(EMBUN, RATNA, day=at)) == some, at
