"""What is counted of records, and that it is what the report says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.ids import ParticipantId, SessionId
from media.events import LegConnected, LegFailed
from signaling import records
from signaling.gaps import gaps_of
from signaling.quality_counts import SESSIONS_KNOWN, Histogram, Measured, QualityCounts
from signaling.records import EventRecord, QualitySample
from tests.signaling.conftest import House

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SESSION = SessionId("s_1")
ME, OTHER = ParticipantId("p_1"), ParticipantId("p_2")


def happened(
    at_s: float, kind: str, detail: dict[str, Any] | None = None, who: ParticipantId = ME
) -> EventRecord:
    return EventRecord(SESSION, who, kind, detail or {}, NOW + timedelta(seconds=at_s))


def told(counts: QualityCounts, name: str, **labels: str) -> Measured | None:
    return next((one for one in counts.measured() if (one.name, dict(one.labels)) == (name, labels)), None)


def count(counts: QualityCounts, name: str, **labels: str) -> int:
    found = told(counts, name, **labels)
    if found is None:
        return 0
    assert isinstance(found.value, int)
    return found.value


def histogram(counts: QualityCounts, name: str, **labels: str) -> Histogram:
    found = told(counts, name, **labels)
    assert found is not None
    assert isinstance(found.value, Histogram)
    return found.value


@pytest.mark.parametrize(
    ("value", "counts"),
    [(0.0, [1, 0, 0]), (1.0, [1, 0, 0]), (1.01, [0, 1, 0]), (2.0, [0, 1, 0]), (2.1, [0, 0, 1])],
)
def test_a_bound_counts_what_is_at_most_that(value: float, counts: list[int]) -> None:
    one = Histogram((1.0, 2.0))
    one.observe(value)
    assert (one.counts, one.sum) == (counts, value)


def test_samples_are_counted_in_seconds_and_shares() -> None:
    counts = QualityCounts()
    seen: dict[str, Any] = {"rtt_ms": 250.0, "loss_up_pct": 4.0, "mos": 3.9, "grade": "fair"}
    counts.take(QualitySample(participant_id=ME, at=NOW, **seen))
    counts.take(QualitySample(participant_id=ME, at=NOW))
    assert histogram(counts, "rtt_seconds").sum == 0.25
    assert histogram(counts, "loss_ratio", direction="up").sum == 0.04
    assert sum(histogram(counts, "loss_ratio", direction="down").counts) == 0
    assert histogram(counts, "mos").sum == 3.9
    assert count(counts, "samples_total", grade="fair") == 1


def test_gaps_and_causes_are_those_of_the_report() -> None:
    cut = {"gap_ms": 4_000, "direction": "up", "kind": "cut"}
    story = [
        happened(1, "path_changed", {"first": True}),
        happened(1, "path_changed", {"first": True}, OTHER),
        happened(20, "grade", {"from": "good", "to": "poor", "direction": "down", "kind": "loss"}),
        happened(31, "interrupted", {"gap_ms": 1_000}),
        happened(34, "resumed", cut),
        happened(50, "interrupted", {"gap_ms": 1_000}, OTHER),
        happened(60, "mode", {"mode": "chat", "reason": "network"}),
        happened(70, "resumed", {"gap_ms": 21_000}, OTHER),
        happened(80, "socket_lost"),
    ]
    counts = QualityCounts()
    for one in story:
        counts.take(one)
    assert sum(histogram(counts, "gap_seconds").counts) == 2
    counts.take(records.ended(SESSION, reason=None, now=NOW + timedelta(seconds=90)))
    gaps = [gap for who in (ME, OTHER) for gap in gaps_of(story, who, until=NOW + timedelta(seconds=90))]
    assert sum(histogram(counts, "gap_seconds").counts) == len(gaps) == 3
    assert histogram(counts, "gap_seconds").sum == sum(gap.gap_ms for gap in gaps) / 1000 == 25
    assert count(counts, "troubles_total", direction="up", kind="cut") == 1
    assert count(counts, "troubles_total", direction="down", kind="loss") == 1
    assert count(counts, "troubles_total", direction="unknown", kind="unknown") == 2
    assert count(counts, "events_total", kind="path_changed") == 2


def test_sessions_are_broken_as_long_as_a_side_is_and_each_once() -> None:
    counts = QualityCounts()
    for who in (ME, OTHER):
        counts.take(happened(1, "path_changed", {"first": True}, who))
    assert counts.broken() == 0
    for who in (ME, OTHER):
        counts.take(happened(31, "interrupted", {"gap_ms": 1_000}, who))
    assert counts.broken() == 1, "one page, and both sides of it, are one session"
    counts.take(happened(33, "resumed", {"gap_ms": 3_000}, OTHER))
    assert counts.broken() == 1
    counts.take(happened(631, "grace_over"))
    assert counts.broken() == 0
    counts.take(happened(640, "path_changed", {"first": True}))
    counts.take(happened(641, "interrupted", {"gap_ms": 1_000}))
    counts.take(records.ended(SESSION, reason=None, now=NOW + timedelta(seconds=650)))
    assert counts.broken() == 0, "it is over"


def test_what_is_known_of_a_line_behind_the_end_is_counted_still() -> None:
    counts = QualityCounts()
    counts.take(happened(31, "interrupted", {"gap_ms": 1_000}))
    counts.take(records.ended(SESSION, reason=None, now=NOW + timedelta(seconds=36)))
    counts.take(happened(35, "resumed", {"gap_ms": 5_000, "direction": "up", "kind": "cut"}))
    assert histogram(counts, "gap_seconds").sum == 5
    assert count(counts, "troubles_total", direction="up", kind="cut") == 1
    assert len(counts._sides) == 0


def test_what_has_not_happened_yet_is_told_as_none() -> None:
    counts = QualityCounts()
    assert told(counts, "troubles_total", direction="both", kind="server") is not None
    assert told(counts, "samples_total", grade="lost") is not None


async def test_how_long_a_leg_took_is_counted_once_it_is_connected(house: House) -> None:
    session = await house.session()
    client = await house.join(session, 0)
    offer = await client.get("offer")
    house.clock.advance(3.0)
    for _ in range(2):
        house.hub.on_media_event(LegConnected(offer["leg"]))
    await house.hub._journal.flush(within_s=1)
    join = next(one.value for one in house.hub.survey.measured() if one.name == "join_seconds")
    assert isinstance(join, Histogram)
    assert sum(join.counts) == 1
    assert 3.0 <= join.sum < 4.0


async def test_a_leg_that_failed_has_joined_nobody(house: House) -> None:
    session = await house.session()
    client = await house.join(session, 0)
    leg = (await client.get("offer"))["leg"]
    house.hub.on_media_event(LegFailed(leg, "timeout"))
    await client.get("offer")
    live = house.hub._lives.get(session.id)
    assert live is not None
    assert leg not in live.opened_s
    assert len(live.opened_s) == 1


def test_no_person_and_no_session_is_told() -> None:
    counts = QualityCounts()
    counts.take(happened(1, "socket_lost", {"direction": "p_1", "kind": "s_1"}))
    counts.take(happened(2, "socket_resumed", {"gap_ms": 900, "direction": "p_1", "kind": "s_1"}))
    said = repr([(one.name, one.labels) for one in counts.measured()])
    assert "p_1" not in said
    assert "s_1" not in said


def test_it_does_not_grow_with_the_sessions_of_a_year() -> None:
    counts = QualityCounts()
    for number in range(SESSIONS_KNOWN + 500):
        counts.take(EventRecord(SessionId(f"s_{number}"), ME, "socket_lost", {}, NOW))
    assert len(counts._sides) == SESSIONS_KNOWN
