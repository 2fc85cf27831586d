"""What /metrics tells of quality: counts and histograms since the start. No person, no session.

The records that go to the journal are counted here, all of them, before any is left out. Gaps are made out by
the same file as those of the report and of the API.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left
from collections import Counter, OrderedDict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from core.ids import ParticipantId, SessionId
from media.grading import Grade
from signaling.gaps import DIRECTIONS, KINDS, UNKNOWN, Gap, Gaps, blame_of
from signaling.quality_summary import makes_poor
from signaling.records import EventRecord, QualitySample, Record, StateRecord
from signaling.terms import CallState

SESSIONS_KNOWN: Final = 10_000

RTT_S: Final = (0.025, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 2.0, 5.0)
LOSS: Final = (0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.08, 0.12, 0.2, 0.5)
MOS: Final = (1.5, 2.0, 2.5, 3.1, 3.6, 3.8, 4.0, 4.2, 4.4)
JOIN_S: Final = (0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
GAP_S: Final = (0.5, 1.0, 2.0, 3.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0)

Labels = tuple[tuple[str, str], ...]


@dataclass(slots=True)
class Histogram:
    """How many values were at most each bound; ``counts`` has one more, for those over the last."""

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    sum: float = 0.0

    def __post_init__(self) -> None:
        self.counts = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count a value."""
        self.counts[bisect_left(self.bounds, value)] += 1
        self.sum += value


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of what is told: a histogram, or a count that only grows. The unit is in the name."""

    name: str
    about: str
    value: Histogram | int
    labels: Labels = ()


class QualityCounts:
    """Counts records as they come."""

    def __init__(self) -> None:
        self._rtt, self._mos = Histogram(RTT_S), Histogram(MOS)
        self._loss_up, self._loss_down = Histogram(LOSS), Histogram(LOSS)
        self._join, self._gap = Histogram(JOIN_S), Histogram(GAP_S)
        # What has not happened yet is told as 0: Prometheus sees no growth where a series only begins.
        self._grades: Counter[str] = Counter(dict.fromkeys(Grade, 0))
        self._kinds: Counter[str] = Counter()
        self._causes: Counter[tuple[str, str]] = Counter(
            dict.fromkeys(itertools.product((*DIRECTIONS, UNKNOWN), (*KINDS, UNKNOWN)), 0)
        )
        self._sides: OrderedDict[SessionId, dict[ParticipantId, Gaps]] = OrderedDict()
        self._ended: dict[SessionId, datetime] = {}

    def joined(self, took_s: float) -> None:
        """Count a leg that is connected, by how long after it was opened."""
        self._join.observe(took_s)

    def take(self, record: Record) -> None:
        """Count what is in a record."""
        match record:
            case QualitySample():
                self._sample(record)
            case EventRecord():
                self._event(record)
            case StateRecord(state=CallState.ENDED.value, ended_at=ended_at) if ended_at is not None:
                self._settle()
                self._ended[record.session] = ended_at
            case _:
                pass

    def _sample(self, sample: QualitySample) -> None:
        if sample.rtt_ms is not None:
            self._rtt.observe(sample.rtt_ms / 1000)
        if sample.loss_up_pct is not None:
            self._loss_up.observe(sample.loss_up_pct / 100)
        if sample.loss_down_pct is not None:
            self._loss_down.observe(sample.loss_down_pct / 100)
        if sample.mos is not None:
            self._mos.observe(sample.mos)
        if sample.grade is not None:
            self._grades[sample.grade] += 1

    def _event(self, event: EventRecord) -> None:
        self._kinds[event.kind] += 1
        if makes_poor(event):
            cause = blame_of(event.detail)
            self._causes[cause.direction, cause.kind] += 1
        sides = self._sides.setdefault(event.session_id, {})
        self._sides.move_to_end(event.session_id)
        if len(self._sides) > SESSIONS_KNOWN:
            self._sides.popitem(last=False)
        if event.participant_id is not None and event.participant_id not in sides:
            sides[event.participant_id] = Gaps(event.participant_id)
        for side in sides.values():
            self._gaps(side.take(event))

    def _settle(self) -> None:
        """Close what sessions left open at their end; the last that is known of a line comes behind it."""
        for session, ended_at in self._ended.items():
            for side in self._sides.pop(session, {}).values():
                self._gaps(side.close(ended_at))
        self._ended.clear()

    def _gaps(self, over: list[Gap]) -> None:
        for gap in over:
            self._gap.observe(gap.gap_ms / 1000)
            self._causes[gap.cause.direction, gap.cause.kind] += 1

    def broken(self) -> int:
        """Count the sessions in which a side cannot be reached now."""
        return sum(
            any(side.is_open for side in sides.values())
            for session, sides in self._sides.items()
            if session not in self._ended
        )

    def measured(self) -> Iterator[Measured]:
        """Tell everything."""
        self._settle()
        yield Measured("rtt_seconds", "Round trip of a line, each ten seconds.", self._rtt)
        for direction, loss in (("up", self._loss_up), ("down", self._loss_down)):
            about = "Share of packets lost between a participant and the server, each ten seconds."
            yield Measured("loss_ratio", about, loss, (("direction", direction),))
        yield Measured("mos", "How good the voice sounds (1 to 4.5), each ten seconds.", self._mos)
        yield Measured("join_seconds", "From the opening of a leg until it is connected.", self._join)
        yield Measured("gap_seconds", "How long a side could not be reached.", self._gap)
        for (direction, kind), count in sorted(self._causes.items()):
            labels = (("direction", direction), ("kind", kind))
            yield Measured("troubles_total", "What broke a line or made it poor.", count, labels)
        for grade, count in sorted(self._grades.items()):
            about = "Samples of ten seconds by the grade of the line."
            yield Measured("samples_total", about, count, (("grade", grade),))
        for kind, count in sorted(self._kinds.items()):
            yield Measured("events_total", "What happened in sessions.", count, (("kind", kind),))
