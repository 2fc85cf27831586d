"""The shapes of a report's picture, of records that are made up."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.ids import ParticipantId, SessionId
from media.codecs import Mode
from signaling.directory import ParticipantRecord, Recording, Role, SessionRecord, SessionState
from signaling.quality_record import QualityRecord, SessionEvent
from signaling.quality_report import Report, report_of
from signaling.records import QualitySample
from web.timeline import COLUMNS, HEIGHT, WIDTH, Lanes, draw

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ME, OTHER = ParticipantId("p_1"), ParticipantId("p_2")
SESSION = SessionId("s_1")


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def sample(number: int, **seen: Any) -> QualitySample:
    return QualitySample(participant_id=ME, at=after(10 * (number + 1)), **seen)


def happened(at_s: float, kind: str, detail: dict[str, Any]) -> SessionEvent:
    return SessionEvent(after(at_s), ME, kind, detail)


def report(*what: QualitySample | SessionEvent, seconds: float = 100, mode: Mode = Mode.VIDEO) -> Report:
    places = tuple(
        ParticipantRecord(place, SESSION, role, "", "left", None)
        for place, role in ((ME, Role.CLIENT), (OTHER, Role.COUNSELOR))
    )
    session = SessionRecord(
        id=SESSION,
        owner=None,
        mode=mode,
        recording=Recording.OFF,
        state=SessionState.ENDED,
        created_at=NOW,
        starts_at=None,
        max_minutes=None,
        started_at=NOW,
        ends_at=None,
        ended_at=after(seconds),
        ended_reason=None,
        places_until=NOW,
        participants=places,
    )
    record = QualityRecord(
        tuple(one for one in what if isinstance(one, QualitySample)),
        tuple(one for one in what if isinstance(one, SessionEvent)),
    )
    return report_of(session, record, now=NOW)


def lanes(*what: QualitySample | SessionEvent, seconds: float = 100, mode: Mode = Mode.VIDEO) -> Lanes:
    drawn = draw(report(*what, seconds=seconds, mode=mode))
    assert drawn is not None
    return drawn.sides[ME]


def test_a_session_without_time_has_no_picture() -> None:
    assert draw(report(seconds=0.5)) is None


def test_the_ticks_go_from_the_beginning_to_the_end() -> None:
    drawn = draw(report())
    assert drawn is not None
    assert drawn.ticks == tuple(after(seconds) for seconds in (0, 25, 50, 75, 100))


def test_neighbours_of_one_grade_are_one_bar_and_worse_is_lower() -> None:
    grades = ["good"] * 3 + ["poor"] * 2 + ["good"] * 5
    bars = lanes(*[sample(number, grade=grade) for number, grade in enumerate(grades)]).grades
    assert [(bar.word, bar.x, bar.width) for bar in bars] == [
        ("good", 0.0, 300.0),
        ("poor", 300.0, 200.0),
        ("good", 500.0, 500.0),
    ]
    assert [bar.height for bar in bars] == [HEIGHT, HEIGHT / 2, HEIGHT]
    assert all(bar.y + bar.height == HEIGHT for bar in bars)


def test_a_time_in_which_nothing_was_measured_is_a_hole() -> None:
    drawn = lanes(*[sample(n, grade="good", rtt_ms=100.0, loss_up_pct=1.0) for n in (0, 1, 8, 9)])
    assert [(bar.x, bar.width) for bar in drawn.grades] == [(0.0, 200.0), (800.0, 200.0)]
    assert len(drawn.rtt.lines) == len(drawn.loss_up.lines) == 2
    assert drawn.loss_down.lines == ()


def test_a_curve_is_drawn_to_its_scale() -> None:
    drawn = lanes(sample(0, rtt_ms=200.0), sample(1, rtt_ms=800.0), sample(2, loss_up_pct=2.5))
    assert (drawn.rtt_scale_ms, drawn.rtt.most, drawn.loss_scale_pct) == (800.0, 800.0, 10.0)
    assert drawn.rtt.lines == ("0,30 100,30 100,0 200,0",)
    assert drawn.loss_up.lines == ("200,30 300,30",)


def test_a_short_gap_in_a_long_session_is_wide_enough_to_be_seen() -> None:
    gap = [happened(1_800, "interrupted", {"gap_ms": 900}), happened(1_801, "resumed", {"gap_ms": 1_900})]
    (bar,) = lanes(*gap, seconds=3_600).gaps
    assert (bar.word, bar.width) == ("gap", 3.0)


@pytest.mark.parametrize("seconds", [100, 86_400])
def test_a_long_session_is_drawn_in_few_parts_with_the_worst_of_each(seconds: int) -> None:
    count = seconds // 10
    samples = [sample(n, grade="good", rtt_ms=float(n % 7)) for n in range(count)]
    samples[count // 2] = sample(count // 2, grade="poor", rtt_ms=900.0)
    drawn = lanes(*samples, seconds=seconds)
    assert sum(len(line.split()) for line in drawn.rtt.lines) < 3 * COLUMNS
    assert " 500" not in drawn.rtt.lines[0] or drawn.rtt.most == 900.0
    assert [bar.word for bar in drawn.grades] == ["good", "poor", "good"]
    assert sum(bar.width for bar in drawn.grades) == pytest.approx(WIDTH, abs=5)


def test_the_steps_go_down_with_picture_and_mode() -> None:
    drawn = lanes(
        happened(0, "mode", {"mode": "video", "reason": "began"}),
        happened(20, "picture", {"step": "small", "by": "line"}),
        happened(40, "mode", {"mode": "voice", "reason": "network"}),
        happened(60, "mode", {"mode": "chat", "reason": "user"}),
        mode=Mode.CHAT,
    )
    assert [(bar.word, bar.x) for bar in drawn.rungs] == [
        ("full", 0.0),
        ("small", 200.0),
        ("voice", 400.0),
        ("chat", 600.0),
    ]
    heights = [bar.height for bar in drawn.rungs]
    assert heights == sorted(heights, reverse=True)


def test_words_that_are_not_ours_are_not_drawn() -> None:
    drawn = lanes(
        sample(0, grade="splendid"),
        happened(20, "picture", {"step": "<b>"}),
        happened(30, "mode", {"mode": "smoke"}),
    )
    assert drawn.grades == ()
    assert [bar.word for bar in drawn.rungs] == ["full"]
