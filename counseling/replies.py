"""When an answer to a message is promised, to whom one may go, and whether promises were kept.

Pure: a counselor's entry and what the client wrote in, decisions out. A promise that was made is never
moved to a later time; whoever takes a message over from the desk can only bring the answer nearer.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from counseling.credentials import Credentials
from counseling.entry import Entry
from counseling.matchable import takes_minors


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer: since when it was owed, until when it was promised (None: no promise), when it came."""

    owed_since: datetime
    due_at: datetime | None
    at: datetime


@dataclass(frozen=True, slots=True)
class Kept:
    """How promises were kept. ``median_hours`` is None without any answer."""

    promised: int
    in_time: int
    median_hours: float | None


def promised_by(entry: Entry, *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Say until when this counselor answers what is written now.

    Of somebody who is away the hours begin with the first day back; None while nobody knows that day.
    """
    reply = timedelta(hours=entry.practice.reply_hours)
    if not entry.away(now.astimezone(zone).date()):
        return now + reply
    if entry.away_until is None:
        return None
    back = datetime.combine(entry.away_until + timedelta(days=1), time(), zone)
    return back + reply


def nearer(one: datetime | None, other: datetime | None) -> datetime | None:
    """Give the earlier of two promises; None is none."""
    if one is None or other is None:
        return one or other
    return min(one, other)


def fits(entry: Entry, credentials: Credentials, *, language: str, topic: str, adult: bool) -> bool:
    """Whether a message to the desk may go to this counselor, who is matchable today.

    Any counselor may take what is about something else, as no topic stands for it.
    """
    practice = entry.practice
    return (
        language in practice.languages
        and (topic in practice.topics or topic == "other")
        and (adult or takes_minors(entry, credentials))
    )


def measure(answers: Iterable[Answered]) -> Kept:
    """Count the promises that were kept among these answers, and take the middle of how long they took."""
    listed = list(answers)
    promised = [one for one in listed if one.due_at is not None]
    hours = [(one.at - one.owed_since) / timedelta(hours=1) for one in listed]
    return Kept(
        len(promised),
        sum(one.due_at is not None and one.at <= one.due_at for one in promised),
        statistics.median(hours) if hours else None,
    )
