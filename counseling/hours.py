"""Weekly working hours: spans of a week in the service's time zone, and what people type for a day.

A span never goes past midnight; a night is two spans. Days count from Monday, 0, to Sunday, 6.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

DAYS: Final = range(7)
DAY_MINUTES: Final = 24 * 60
MAX_SPANS_A_DAY: Final = 4
MAX_TYPED_CHARS: Final = 100

_TIME: Final = r"(\d{1,2})(?:[.:](\d{2}))?"
_SPAN: Final = re.compile(rf"\s*{_TIME}\s*(?:-|\u2013|\u2014|s/d|sampai|to)\s*{_TIME}\s*", re.IGNORECASE)
_BETWEEN: Final = re.compile(r"[,;\n]")


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """Part of one day of the week; ``until_minute`` is not in it and may be midnight (1440)."""

    day: int
    from_minute: int
    until_minute: int

    def __post_init__(self) -> None:
        """Refuse what is no part of a day."""
        if self.day not in DAYS or not 0 <= self.from_minute < self.until_minute <= DAY_MINUTES:
            raise ValueError("a span lies within one day and ends after it begins")


Week = tuple[Span, ...]


class Unreadable(ValueError):
    """What was typed for a day cannot be read; ``key`` is one of a few words."""

    def __init__(self, key: str) -> None:
        super().__init__(key)
        self.key = key


def read_day(day: int, typed: str) -> Week:
    """Read ``09.00-12.00, 13-17`` for a day; nothing is a day off. Raises ``Unreadable``."""
    if len(typed) > MAX_TYPED_CHARS:
        raise Unreadable("unclear")
    spans = sorted(_span(day, part) for part in _BETWEEN.split(typed) if part.strip())
    if len(spans) > MAX_SPANS_A_DAY:
        raise Unreadable("many")
    if any(later.from_minute < earlier.until_minute for earlier, later in itertools.pairwise(spans)):
        raise Unreadable("overlap")
    return tuple(spans)


def write_day(week: Iterable[Span], day: int) -> str:
    """Write a day's hours as they are typed and shown."""
    return ", ".join(
        f"{_clock(span.from_minute)}\u2013{_clock(span.until_minute)}"
        for span in sorted(week)
        if span.day == day
    )


def works_at(week: Iterable[Span], *, now: datetime, zone: ZoneInfo) -> bool:
    """Whether somebody with these hours is at work now."""
    local = now.astimezone(zone)
    minute = local.hour * 60 + local.minute
    return any(
        span.day == local.weekday() and span.from_minute <= minute < span.until_minute for span in week
    )


def next_start(week: Iterable[Span], *, now: datetime, zone: ZoneInfo) -> datetime | None:
    """Say when the next span begins, a week ahead at most; None without hours."""
    listed, today = list(week), now.astimezone(zone).date()
    for ahead in range(8):
        day = today + timedelta(days=ahead)
        for minute in sorted(span.from_minute for span in listed if span.day == day.weekday()):
            at = datetime.combine(day, time(minute // 60, minute % 60), zone).astimezone(UTC)
            if at > now:
                return at
    return None


def joined(weeks: Iterable[Week]) -> Week:
    """Join several people's hours into those in which any of them works: what touches becomes one span."""
    found: list[Span] = []
    for span in sorted(span for week in weeks for span in week):
        last = found[-1] if found else None
        if last is not None and last.day == span.day and span.from_minute <= last.until_minute:
            found[-1] = Span(last.day, last.from_minute, max(last.until_minute, span.until_minute))
        else:
            found.append(span)
    return tuple(found)


def alike(week: Iterable[Span]) -> list[tuple[int, int, str]]:
    """Write a week in short: from this day to that one these hours; a day off has no hours."""
    spans = tuple(week)
    found: list[tuple[int, int, str]] = []
    for day in DAYS:
        text = write_day(spans, day)
        if found and found[-1][2] == text:
            found[-1] = (found[-1][0], day, text)
        else:
            found.append((day, day, text))
    return found


def pack(week: Iterable[Span]) -> list[list[int]]:
    """Write a week as it is stored."""
    return [[span.day, span.from_minute, span.until_minute] for span in sorted(week)]


def unpack(stored: Sequence[Sequence[int]]) -> Week:
    """Read a week as it is stored."""
    return tuple(Span(*span) for span in stored)


def _span(day: int, typed: str) -> Span:
    match = _SPAN.fullmatch(typed)
    if match is None:
        raise Unreadable("unclear")
    start, end = _minute(match[1], match[2]), _minute(match[3], match[4])
    if end == 0:
        end = DAY_MINUTES
    if start >= end:
        raise Unreadable("backwards")
    return Span(day, start, end)


def _minute(hour: str, minute: str | None) -> int:
    hours, minutes = int(hour), int(minute or 0)
    if hours > 24 or minutes > 59 or (hours == 24 and minutes):
        raise Unreadable("unclear")
    return hours * 60 + minutes


def _clock(minute: int) -> str:
    return f"{minute // 60:02}.{minute % 60:02}"
