"""An appointment as a file for calendars (RFC 5545), which may stand on a phone that others look into.

It says when, and nothing else: no name, no topic, no place, no service, no link, no alarm. Times are UTC, so
that no calendar has to know our zone's rules. A file made later for the same appointment has the same UID and
a higher SEQUENCE, so it takes the place of the earlier one; a cancelled one takes it out. This file owns
`icalendar`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from icalendar import Calendar, Event

PRODUCT: Final = "-//calendar//EN"
"""A maker has to be named (RFC 5545, 3.7.3); ours would name the service."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a calendar is told. ``title`` is a word of ours that could be about anything."""

    uid: str
    sequence: int
    starts_at: datetime
    ends_at: datetime
    changed_at: datetime
    cancelled: bool
    title: str


def write(entry: Entry) -> bytes:
    """Write the file."""
    calendar = Calendar()
    calendar.add("prodid", PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "CANCEL" if entry.cancelled else "PUBLISH")
    event = Event()
    event.add("uid", entry.uid)
    event.add("sequence", entry.sequence)
    event.add("dtstamp", entry.changed_at.astimezone(UTC))
    event.add("dtstart", entry.starts_at.astimezone(UTC))
    event.add("dtend", entry.ends_at.astimezone(UTC))
    event.add("summary", entry.title)
    event.add("class", "PRIVATE")
    event.add("transp", "OPAQUE")
    event.add("status", "CANCELLED" if entry.cancelled else "CONFIRMED")
    calendar.add_component(event)
    written: bytes = calendar.to_ical()
    return written
