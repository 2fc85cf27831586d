"""What many summaries come to, and that nobody can be picked out of it."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from core.ids import ParticipantId, SessionId, UserId
from counseling.tallies import SMALLEST
from media.codecs import Mode
from signaling.directory import Role
from signaling.quality_trends import Figures, Trends, trends
from signaling.summaries import EndedWhy, Summary

RATNA, BIMA = UserId("u_1"), UserId("u_2")


def at(hour: int) -> datetime:
    return datetime(2026, 3, 2, hour, tzinfo=UTC)


def session(number: int, **changed: Any) -> list[Summary]:
    """Both sides of one session of half an hour, with changes."""
    plain: dict[str, Any] = {
        "session_id": SessionId(f"s_{number}"),
        "hour": at(9),
        "medium": Mode.VIDEO,
        "network": "wifi",
        "counselor_id": RATNA,
        "minutes": 30.0,
        "mos_p50": 4.0,
        "rtt_p50_ms": 100.0,
        "rtt_p95_ms": 200.0,
        "loss_p50_pct": 0.0,
        "loss_p95_pct": 1.0,
        "interruptions": 0,
        "gaps_ms": 0,
        "longest_gap_ms": 0,
        "causes": {},
        "steps_down": 0,
        "bytes": 10_000_000,
        "ended_why": EndedWhy.ENDED,
    }
    sides = ((ParticipantId(f"p_{number}a"), Role.CLIENT), (ParticipantId(f"p_{number}b"), Role.COUNSELOR))
    return [Summary(participant_id=place, role=role, **plain | changed) for place, role in sides]


def of(*sessions: list[Summary]) -> Trends:
    return trends([side for one in sessions for side in one], hour_of=lambda at: at.hour)


def shown(trends_of: Trends, dimension: str) -> dict[str, int | None]:
    groups = getattr(trends_of, dimension)
    return {group.word: None if group.figures is None else group.figures.sessions for group in groups}


def test_figures_are_of_sessions_and_their_medians_of_sides() -> None:
    broken: dict[str, Any] = {"interruptions": 2, "gaps_ms": 9_000, "mos_p50": 2.0, "bytes": 30_000_000}
    found = of(*[session(n) for n in range(6)], *[session(n, **broken) for n in range(6, 8)])
    assert found.all == Figures(
        sessions=8, broke_pct=25.0, gaps_s=9.0, mos=4.0, rtt_ms=100.0, loss_pct=1.0, mb=60.0
    )


def test_what_was_not_measured_is_not_known() -> None:
    silent: dict[str, Any] = {"mos_p50": None, "rtt_p50_ms": None, "loss_p95_pct": None, "minutes": 0.0}
    rows = [side for n in range(SMALLEST) for side in session(n, **silent)[:1]]
    figures = trends(rows, hour_of=lambda at: at.hour).all
    assert figures is not None
    assert (figures.mos, figures.rtt_ms, figures.loss_pct, figures.gaps_s, figures.mb) == (None,) * 3 + (
        0.0,
        0.0,
    )


def test_few_sessions_say_nothing_at_all() -> None:
    found = of(*[session(n) for n in range(SMALLEST - 1)])
    assert found.all is None
    assert shown(found, "media") == {"video": None}
    assert found.ended.total is None


@pytest.mark.parametrize(
    ("dimension", "change"),
    [
        ("networks", {"network": "cellular"}),
        ("media", {"medium": Mode.CHAT}),
        ("counselors", {"counselor_id": BIMA}),
        ("hours", {"hour": at(14)}),
    ],
)
def test_a_small_group_is_kept_back_with_the_next_smallest(dimension: str, change: dict[str, Any]) -> None:
    few = [session(n, **change) for n in range(SMALLEST - 1)]
    found = of(*few, *[session(n) for n in range(10, 30)])
    assert set(shown(found, dimension).values()) == {None}, "of two groups the total would give one away"


def test_large_groups_are_shown_beside_those_kept_back() -> None:
    found = of(
        *[session(n, network="cellular") for n in range(3)],
        *[session(n, network=None) for n in range(10, 13)],
        *[session(n) for n in range(20, 40)],
    )
    assert shown(found, "networks") == {"wifi": 20, "cellular": None, "unknown": None}


def test_hours_are_in_their_order() -> None:
    found = of(*[session(n, hour=at(hour)) for n, hour in enumerate([14] * 9 + [8] * 5 + [20] * 6)])
    assert list(shown(found, "hours").items()) == [("08", 5), ("14", 9), ("20", 6)]


def test_sessions_of_programs_have_no_counselor() -> None:
    found = of(*[session(n, counselor_id=None) for n in range(5)], *[session(n) for n in range(10, 16)])
    assert shown(found, "counselors") == {RATNA: 6, "": 5}


def test_causes_count_sessions_and_not_breaks() -> None:
    often: dict[str, Any] = {"causes": {"up_cut": 40, "down_loss": 1}}
    found = of(*[session(n, **often) for n in range(5)], *[session(n) for n in range(10, 15)])
    assert [(row.word, row.count) for row in found.causes.rows] == [
        ("client.down_loss", 5),
        ("client.up_cut", 5),
        ("counselor.down_loss", 5),
        ("counselor.up_cut", 5),
    ]


def test_why_sessions_ended_is_counted_once_for_each() -> None:
    found = of(*[session(n, ended_why=EndedWhy.LINE) for n in range(6)], *[session(n) for n in range(10, 20)])
    assert {row.word: row.count for row in found.ended.rows} == {"ended": 10, "line": 6}
