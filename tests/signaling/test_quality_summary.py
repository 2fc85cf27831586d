"""What samples and events come to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.ids import ParticipantId
from signaling.quality_record import QualityRecord, SessionEvent
from signaling.quality_summary import SideQuality, Spread, grown, side_quality, spread
from signaling.records import QualitySample

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ME, OTHER = ParticipantId("p_1"), ParticipantId("p_2")


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def sample(number: int, who: ParticipantId = ME, **seen: Any) -> QualitySample:
    return QualitySample(participant_id=who, at=after(10 * number), **seen)


def happened(at_s: float, kind: str, detail: dict[str, Any], who: ParticipantId = ME) -> SessionEvent:
    return SessionEvent(after(at_s), who, kind, detail)


def summed(*record: QualitySample | SessionEvent) -> SideQuality:
    samples = tuple(one for one in record if isinstance(one, QualitySample))
    events = tuple(one for one in record if isinstance(one, SessionEvent))
    return side_quality(QualityRecord(samples, events), ME, until=after(1_000))


def test_nothing_known_is_nothing_said() -> None:
    side = summed()
    assert (side.rtt_ms, side.loss_pct, side.mos, side.network) == (None, None, None, None)
    assert (side.gaps, side.gaps_ms, side.longest_gap_ms, side.causes) == ((), 0, 0, {})


def test_percentiles_are_of_this_side_and_of_what_is_known() -> None:
    side = summed(
        *[sample(number, rtt_ms=float(number), mos=4.0, grade="good") for number in range(1, 101)],
        sample(101, rtt_ms=None, loss_up_pct=2.0, loss_down_pct=7.0, grade="poor"),
        sample(102, OTHER, rtt_ms=9_999.0, loss_up_pct=99.0),
    )
    assert side.rtt_ms == Spread(5.0, 50.0, 95.0)
    assert side.mos == Spread(4.0, 4.0, 4.0)
    assert side.loss_pct == Spread(7.0, 7.0, 7.0)
    assert side.loss_up_pct == Spread(2.0, 2.0, 2.0)
    assert side.grades == {"good": 100, "poor": 1}


def test_what_was_carried_counts_on_over_a_restart_of_the_server() -> None:
    up = [100, 250, 250, 40, 60]
    side = summed(*[sample(n, bytes_up=count, bytes_down=2 * count) for n, count in enumerate(up)])
    assert (side.bytes_up, side.bytes_down) == (310, 620)
    assert grown([]) == 0


def test_the_commonest_network_is_named_and_freezes_add_up() -> None:
    networks = ["wifi", "cellular", None, "cellular"]
    side = summed(*[sample(n, network=one, freezes=n or None) for n, one in enumerate(networks)])
    assert (side.network, side.freezes) == ("cellular", 6)


def test_causes_are_of_gaps_and_of_what_made_the_line_poor() -> None:
    loss = {"direction": "up", "kind": "loss"}
    side = summed(
        happened(11, "interrupted", {"gap_ms": 1_000}),
        happened(14, "resumed", {"gap_ms": 4_000, "direction": "both", "kind": "cut"}),
        happened(20, "grade", {"from": "good", "to": "fair", **loss}),
        happened(25, "grade", {"from": "fair", "to": "poor", **loss}),
        happened(30, "grade", {"from": "poor", "to": "lost", **loss}),
        happened(35, "grade", {"from": "lost", "to": "poor", **loss}),
        happened(50, "interrupted", {"gap_ms": 1_500}),
        happened(51, "resumed", {"gap_ms": 2_000}),
        happened(60, "resumed", {"gap_ms": 70_000}, OTHER),
    )
    assert side.causes == {"both_cut": 1, "up_loss": 1, "unknown_unknown": 1}
    assert (len(side.gaps), side.gaps_ms, side.longest_gap_ms) == (2, 6_000, 4_000)


@pytest.mark.parametrize(
    ("events", "steps"),
    [
        ([("picture", {"step": "less", "by": "line"}), ("picture", {"step": "paused", "by": "line"})], 2),
        ([("picture", {"step": "small", "by": "user"}), ("picture", {"step": "less", "by": "line"})], 0),
        ([("picture", {"step": "small", "by": "user"}), ("picture", {"step": "paused", "by": "data"})], 1),
        ([("picture", {"step": "hologram", "by": "line"})], 0),
        ([("mode", {"mode": "voice", "reason": "network"}), ("mode", {"mode": "chat", "reason": "data"})], 2),
        (
            [("mode", {"mode": "voice", "reason": "user"}), ("mode", {"mode": "video", "reason": "network"})],
            0,
        ),
    ],
)
def test_steps_down_are_those_that_nobody_wished(
    events: list[tuple[str, dict[str, str]]], steps: int
) -> None:
    assert summed(*[happened(n, kind, detail) for n, (kind, detail) in enumerate(events)]).steps_down == steps


def test_a_spread_of_one_value_is_that_value() -> None:
    assert spread([None, 3.0]) == Spread(3.0, 3.0, 3.0)
