"""What a flood of events leaves behind, and what of an event."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

from core.ids import ParticipantId, SessionId
from signaling.event_bounds import AT_ONCE, MAX_FIELDS, ONE_EACH, SIDES_KNOWN, SPARED, EventBounds
from signaling.records import EventRecord

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ONE, OTHER = ParticipantId("p_1"), ParticipantId("p_2")


def happened(
    kind: str = "mode",
    *,
    who: ParticipantId | None = ONE,
    after_s: float = 0.0,
    session: str = "s_1",
    detail: dict[str, object] | None = None,
) -> EventRecord:
    return EventRecord(SessionId(session), who, kind, detail or {}, NOW + timedelta(seconds=after_s))


def test_an_hour_of_flooding_leaves_what_fits_an_hour() -> None:
    bounds = EventBounds()
    kept = [bounds.admit(happened(after_s=tenth / 10)) for tenth in range(36_000)]
    let_through = [one for one in kept if one is not None]
    assert len(let_through) == AT_ONCE + timedelta(hours=1) // ONE_EACH - 1
    told = sum(int(str(one.detail.get("left_out", 0))) for one in let_through)
    assert told <= bounds.left_out == 36_000 - len(let_through)
    assert told > 0.95 * bounds.left_out, "what is missing is told by those that follow"


def test_one_side_takes_nothing_from_the_other_or_from_the_session() -> None:
    bounds = EventBounds()
    for _ in range(1_000):
        bounds.admit(happened())
    assert bounds.admit(happened()) is None
    assert bounds.admit(happened(who=OTHER)) is not None
    assert bounds.admit(happened(who=None)) is not None
    assert bounds.admit(happened(session="s_2")) is not None


def test_chatter_leaves_room_for_what_breaks() -> None:
    bounds = EventBounds()
    pictures = [bounds.admit(happened("picture")) for _ in range(1_000)]
    assert sum(one is not None for one in pictures) == AT_ONCE - SPARED
    assert bounds.admit(happened("interrupted")) == happened(
        "interrupted", detail={"left_out": 1_000 - (AT_ONCE - SPARED)}
    )


def test_a_clock_that_is_put_back_gives_nothing_and_does_not_stop_time() -> None:
    bounds = EventBounds()
    while bounds.admit(happened(after_s=86_400)) is not None:
        pass
    assert bounds.admit(happened()) is None
    assert bounds.admit(happened(after_s=ONE_EACH.total_seconds())) is not None


def test_a_detail_holds_a_few_numbers_and_short_words() -> None:
    bounds = EventBounds()
    detail: dict[str, object] = {"device": "x" * 41, "gap_ms": 7, "deep": {}, "none": None, "loss": 1.5}
    detail |= {"rate": math.inf, "jitter": math.nan}
    kept = bounds.admit(happened(detail=detail))
    assert kept is not None
    assert kept.detail == {"gap_ms": 7, "none": None, "loss": 1.5}
    many = bounds.admit(happened(detail={f"n{number}": number for number in range(100)}))
    assert many is not None
    assert len(many.detail) == MAX_FIELDS


def test_it_does_not_grow_with_the_sessions_of_a_year() -> None:
    bounds = EventBounds()
    for number in range(SIDES_KNOWN + 500):
        bounds.admit(happened(session=f"s_{number}"))
    assert len(bounds._sides) == SIDES_KNOWN
