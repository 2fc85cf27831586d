from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from core.ids import UserId
from counseling.credentials import read_credentials
from counseling.entry import Entry, blank
from counseling.replies import Answered, fits, measure, nearer, promised_by
from tests.counseling.conftest import LICENCE, PRACTICE

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ZONE = ZoneInfo("Asia/Jakarta")
HOUR = timedelta(hours=1)
CREDENTIALS = read_credentials()


def entry(**changed: object) -> Entry:
    practice = replace(PRACTICE, reply_hours=24, **changed)  # type: ignore[arg-type]  # fields by name
    return replace(blank(UserId("u_x"), NOW), licence=LICENCE, practice=practice)


@pytest.mark.parametrize(
    ("away_from", "away_until", "promised"),
    [
        (None, None, NOW + 24 * HOUR),
        (date(2026, 3, 3), None, NOW + 24 * HOUR),
        (date(2026, 3, 1), date(2026, 3, 1), NOW + 24 * HOUR),
        # Away through Wednesday in Jakarta: the day after, at midnight there, and a day more.
        (None, date(2026, 3, 4), datetime(2026, 3, 4, 17, 0, tzinfo=UTC) + 24 * HOUR),
        (date(2026, 3, 1), None, None),
    ],
)
def test_who_is_away_promises_from_the_first_day_back(
    away_from: date | None, away_until: date | None, promised: datetime | None
) -> None:
    away = replace(entry(), away_from=away_from, away_until=away_until)
    assert promised_by(away, now=NOW, zone=ZONE) == promised


def test_a_promise_only_comes_nearer() -> None:
    assert nearer(NOW, NOW + HOUR) == nearer(NOW + HOUR, NOW) == NOW
    assert nearer(None, NOW) == nearer(NOW, None) == NOW
    assert nearer(None, None) is None


@pytest.mark.parametrize(
    ("language", "topic", "adult", "minors", "expected"),
    [
        ("id", "study", True, False, True),
        ("id", "other", True, False, True),
        ("en", "study", True, False, False),
        ("id", "grief", True, False, False),
        ("id", "study", False, False, False),
        ("id", "study", False, True, True),
    ],
)
def test_a_message_goes_to_whom_it_fits(
    *, language: str, topic: str, adult: bool, minors: bool, expected: bool
) -> None:
    one = entry(minors=minors)
    assert fits(one, CREDENTIALS, language=language, topic=topic, adult=adult) is expected


def test_promises_that_were_kept_are_counted() -> None:
    answers = [
        Answered(NOW, NOW + 2 * HOUR, NOW + HOUR),
        Answered(NOW, NOW + 2 * HOUR, NOW + 2 * HOUR),
        Answered(NOW, NOW + 2 * HOUR, NOW + 9 * HOUR),
        Answered(NOW, None, NOW + 4 * HOUR),
    ]
    kept = measure(answers)
    assert (kept.promised, kept.in_time, kept.median_hours) == (3, 2, 3.0)
    assert measure([]).median_hours is None
