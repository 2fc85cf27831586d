"""What two lines did, as shapes on one axis of time: the numbers of an inline SVG. Pure.

Each side has four lanes: its grade with the gaps in it, loss, round trip, and the step that picture and voice
were at. Shapes are stretched to the page's width, so there are no letters among them. A long session is drawn
in about ``COLUMNS`` parts, each with the worst that was in it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from core.ids import ParticipantId
from media.codecs import Mode
from signaling.gaps import Gap
from signaling.quality_record import SessionEvent
from signaling.quality_report import Report
from signaling.quality_summary import STEPS, began_in
from signaling.records import QualitySample

WIDTH: Final = 1000
HEIGHT: Final = 40
COLUMNS: Final = 300
SAMPLE: Final = timedelta(seconds=10)
TICKS: Final = 5
THIN: Final = 3
"""A gap of a second in an hour is seen too."""
LEAST_LOSS_PCT: Final = 10.0
LEAST_RTT_MS: Final = 400.0
GRADES: Final = ("good", "fair", "poor", "lost")
RUNGS: Final = (*STEPS, Mode.VOICE.value, Mode.CHAT.value)

Point = tuple[datetime, datetime, float]


@dataclass(frozen=True, slots=True)
class Bar:
    """One stretch of a lane; ``word`` says of what."""

    x: float
    width: float
    y: float
    height: float
    word: str


@dataclass(frozen=True, slots=True)
class Curve:
    """One value over time: unbroken lines as the points of polylines; None of it is unknown."""

    lines: tuple[str, ...]
    most: float | None


@dataclass(frozen=True, slots=True)
class Lanes:
    """One side. ``loss_scale_pct`` and ``rtt_scale_ms`` are at the top of their lanes."""

    grades: tuple[Bar, ...]
    gaps: tuple[Bar, ...]
    loss_up: Curve
    loss_down: Curve
    loss_scale_pct: float
    rtt: Curve
    rtt_scale_ms: float
    rungs: tuple[Bar, ...]


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole picture. ``ticks`` are at even distances from its beginning to its end."""

    ticks: tuple[datetime, ...]
    sides: Mapping[ParticipantId, Lanes]


@dataclass(frozen=True, slots=True)
class Axis:
    """From when to when; ``at`` gives the place of a time on it."""

    begins: datetime
    ends: datetime

    def at(self, time: datetime) -> float:
        """Give x, within the picture."""
        share = (time - self.begins) / (self.ends - self.begins)
        return round(WIDTH * min(1.0, max(0.0, share)), 1)


def draw(report: Report) -> Timeline | None:
    """Draw a report; None where there was no time in which something could be seen."""
    begins, ends = report.began_at, report.until
    if ends - begins < timedelta(seconds=1):
        return None
    axis = Axis(begins, ends)
    ticks = tuple(begins + (ends - begins) * step / (TICKS - 1) for step in range(TICKS))
    sides = {place: _lanes(report, place, side.gaps, axis) for place, side in report.sides.items()}
    return Timeline(ticks, sides)


def _lanes(report: Report, place: ParticipantId, gaps: Sequence[Gap], axis: Axis) -> Lanes:
    samples = [one for one in report.record.samples if one.participant_id == place]
    loss = [_curve_of(samples, axis, value) for value in (_loss_up, _loss_down)]
    rtt = _curve_of(samples, axis, lambda one: one.rtt_ms)
    loss_scale = _scale((most for _, most in loss), LEAST_LOSS_PCT)
    rtt_scale = _scale([rtt[1]], LEAST_RTT_MS)
    return Lanes(
        grades=tuple(grade_bars(samples, axis)),
        gaps=tuple(gap_bars(gaps, axis)),
        loss_up=Curve(tuple(_lines(loss[0][0], loss_scale, axis)), loss[0][1]),
        loss_down=Curve(tuple(_lines(loss[1][0], loss_scale, axis)), loss[1][1]),
        loss_scale_pct=loss_scale,
        rtt=Curve(tuple(_lines(rtt[0], rtt_scale, axis)), rtt[1]),
        rtt_scale_ms=rtt_scale,
        rungs=tuple(_rung_bars(report, place, axis)),
    )


def _loss_up(sample: QualitySample) -> float | None:
    return sample.loss_up_pct


def _loss_down(sample: QualitySample) -> float | None:
    return sample.loss_down_pct


# --- values over time


def _curve_of(
    samples: Sequence[QualitySample], axis: Axis, value: Callable[[QualitySample], float | None]
) -> tuple[list[Point], float | None]:
    points = [(one, value(one)) for one in samples]
    known = [(one.at - SAMPLE, one.at, found) for one, found in points if found is not None]
    return _worst_of(known, axis), max((point[2] for point in known), default=None)


def _worst_of(points: Iterable[Point], axis: Axis) -> list[Point]:
    """Put points that lie closely into one, with the greatest value."""
    least = (axis.ends - axis.begins) / COLUMNS
    merged: list[Point] = []
    for since, until, value in points:
        if merged and until - merged[-1][0] <= least:
            merged[-1] = (merged[-1][0], until, max(merged[-1][2], value))
        else:
            merged.append((since, until, value))
    return merged


def _lines(points: Sequence[Point], scale: float, axis: Axis) -> Iterator[str]:
    """Give each unbroken run of points as steps."""
    run: list[str] = []
    last: datetime | None = None
    for since, until, value in points:
        if last is not None and since - last > SAMPLE:
            yield " ".join(run)
            run = []
        y = round(HEIGHT * (1 - min(1.0, value / scale)), 1)
        run += [f"{axis.at(since):g},{y:g}", f"{axis.at(until):g},{y:g}"]
        last = until
    if run:
        yield " ".join(run)


def _scale(mosts: Iterable[float | None], least: float) -> float:
    return max(least, *(most for most in mosts if most is not None), least)


# --- stretches


def grade_bars(samples: Sequence[QualitySample], axis: Axis) -> Iterator[Bar]:
    """Draw grades; a worse one is a lower bar too, for who does not see its colour."""
    graded = [
        (one.at - SAMPLE, one.at, float(GRADES.index(one.grade))) for one in samples if one.grade in GRADES
    ]
    since: datetime | None = None
    for number, (begins, until, worst) in enumerate(merged := _worst_of(graded, axis)):
        since = since or begins
        follows = merged[number + 1] if number + 1 < len(merged) else None
        if follows is None or follows[2] != worst or follows[0] - until > SAMPLE:
            height = HEIGHT * (len(GRADES) - worst) / len(GRADES)
            yield _bar(since, until, axis, height=height, word=GRADES[int(worst)])
            since = None


def gap_bars(gaps: Sequence[Gap], axis: Axis) -> Iterator[Bar]:
    """Draw the times that a side could not be reached."""
    for gap in gaps:
        yield _bar(gap.began_at, gap.ended_at, axis, height=HEIGHT, word="gap", thin=THIN)


def _rung_bars(report: Report, place: ParticipantId, axis: Axis) -> Iterator[Bar]:
    first = began_in(report.record.events, mode=report.session.mode)
    changes = [(axis.begins, first.value, STEPS[0])]
    for event in report.record.events:
        _, mode, step = changes[-1]
        if (moved := _mode_of(event)) is not None:
            changes.append((event.at, moved, step))
        elif event.kind == "picture" and event.participant_id == place and event.detail.get("step") in STEPS:
            changes.append((event.at, mode, str(event.detail["step"])))
    changes.append((axis.ends, changes[-1][1], changes[-1][2]))
    for (since, mode, step), (until, _, _) in pairwise(changes):
        rung = step if mode == Mode.VIDEO else mode
        if until > since:
            height = HEIGHT * (len(RUNGS) - RUNGS.index(rung)) / len(RUNGS)
            yield _bar(since, until, axis, height=height, word=rung)


def _mode_of(event: SessionEvent) -> str | None:
    mode = event.detail.get("mode")
    return mode if event.kind == "mode" and mode in set(Mode) else None


def _bar(since: datetime, until: datetime, axis: Axis, *, height: float, word: str, thin: float = 0.0) -> Bar:
    x = axis.at(since)
    width = round(max(axis.at(until) - x, thin), 1)
    return Bar(min(x, WIDTH - width), width, round(HEIGHT - height, 1), round(height, 1), word)
