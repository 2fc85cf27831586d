"""What happened in a recording, as lanes and marks on its own axis of time, for its page. Pure.

Each side has a lane: how its line was, with the gaps in it; off the record is drawn through both. Marks are
what happened at a moment: the mode changed, a line broke, something was written. Times are milliseconds from
the recording's beginning, shapes as ``web/timeline.py`` draws them.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from recordings.reviews import Pause, Recording
from signaling.directory import SessionRecord
from signaling.quality_record import QualityRecord, SessionEvent
from signaling.quality_summary import side_quality
from web.timeline import HEIGHT, TICKS, WIDTH, Axis, Bar, gap_bars, grade_bars

MARKED: Final = {"chat": "chat", "mode": "mode", "interrupted": "line", "left": "left", "freeze": "line"}
"""Kinds of events that are marked, and the word of their mark."""


@dataclass(frozen=True, slots=True)
class SideLane:
    """How the line of one side was."""

    role: str
    grades: tuple[Bar, ...]
    gaps: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Mark:
    """Something at a moment. ``role`` is None for what happened to the session."""

    x: float
    at_ms: int
    word: str
    event: SessionEvent
    role: str | None


@dataclass(frozen=True, slots=True)
class Picture:
    """The whole of it. ``ticks`` are at even distances, in ms."""

    sides: tuple[SideLane, ...]
    pauses: tuple[Bar, ...]
    marks: tuple[Mark, ...]
    ticks: tuple[int, ...]


def draw(
    recording: Recording, session: SessionRecord, record: QualityRecord, pauses: Sequence[Pause]
) -> Picture | None:
    """Draw a recording; None for one without any length."""
    length = recording.duration_ms
    if length <= 0:
        return None
    axis = Axis(recording.started_at, recording.started_at + timedelta(milliseconds=length))
    lanes = []
    for place in sorted(session.participants, key=lambda one: one.role):
        samples = [
            one
            for one in record.samples
            if one.participant_id == place.id and axis.begins < one.at <= axis.ends + timedelta(seconds=10)
        ]
        gaps = [
            gap
            for gap in side_quality(record, place.id, until=axis.ends).gaps
            if gap.ended_at > axis.begins and gap.began_at < axis.ends
        ]
        lanes.append(
            SideLane(place.role.value, tuple(grade_bars(samples, axis)), tuple(gap_bars(gaps, axis)))
        )
    roles = {place.id: place.role.value for place in session.participants}
    marks = [
        Mark(
            axis.at(event.at),
            _ms(event.at, axis),
            MARKED[event.kind],
            event,
            None if event.participant_id is None else roles.get(event.participant_id),
        )
        for event in record.events
        if event.kind in MARKED and axis.begins <= event.at <= axis.ends
    ]
    ticks = tuple(length * step // (TICKS - 1) for step in range(TICKS))
    return Picture(tuple(lanes), tuple(_pauses(pauses, length)), tuple(marks), ticks)


def place(at_ms: int, length_ms: int) -> float:
    """Say where a moment is on the axis."""
    return round(WIDTH * min(1.0, max(0.0, at_ms / max(1, length_ms))), 1)


def _ms(at: datetime, axis: Axis) -> int:
    return round((at - axis.begins) / timedelta(milliseconds=1))


def _pauses(pauses: Sequence[Pause], length_ms: int) -> Iterator[Bar]:
    for one in pauses:
        begin = place(one.from_ms, length_ms)
        end = place(length_ms if one.to_ms is None else one.to_ms, length_ms)
        yield Bar(begin, round(max(2.0, end - begin), 1), 0, HEIGHT, "pause")
