"""Files for calendars, read by a reader of calendars, and what they must not say."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from icalendar import Calendar

from counseling import ics
from counseling.ics import Entry

AT = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
ENTRY = Entry(
    "a_7x", 0, AT, AT + timedelta(minutes=50), AT - timedelta(days=3), cancelled=False, title="Janji"
)


def event(entry: Entry) -> dict[str, object]:
    calendar = Calendar.from_ical(ics.write(entry))
    (found,) = calendar.walk("VEVENT")
    return {"method": str(calendar["method"]), **{name.lower(): found[name] for name in found}}


def test_it_says_when_and_nothing_else() -> None:
    found = event(ENTRY)
    assert set(found) == {
        "method", "uid", "sequence", "dtstamp", "dtstart", "dtend", "summary", "class", "transp", "status",
    }  # fmt: skip
    text = ics.write(ENTRY).decode()
    assert "DTSTART:20260309T020000Z" in text
    assert "DTEND:20260309T025000Z" in text
    assert "teduh" not in text.lower()
    assert all(line.endswith("\r") for line in text.split("\n") if line)


def test_a_moved_one_takes_the_place_of_the_earlier() -> None:
    moved = replace(ENTRY, sequence=1, starts_at=AT + timedelta(hours=2))
    assert event(moved)["uid"] == event(ENTRY)["uid"]
    assert event(moved)["sequence"] == 1
    assert event(moved)["method"] == "PUBLISH"


def test_a_cancelled_one_takes_it_out() -> None:
    found = event(replace(ENTRY, sequence=2, cancelled=True))
    assert (found["method"], found["status"], found["sequence"]) == ("CANCEL", "CANCELLED", 2)


@pytest.mark.parametrize("zone", ["Europe/Berlin", "America/New_York", "Australia/Lord_Howe"])
def test_times_are_utc_whatever_zone_they_come_in(zone: str) -> None:
    there = replace(
        ENTRY, starts_at=AT.astimezone(ZoneInfo(zone)), ends_at=ENTRY.ends_at.astimezone(ZoneInfo(zone))
    )
    assert ics.write(there) == ics.write(ENTRY)
