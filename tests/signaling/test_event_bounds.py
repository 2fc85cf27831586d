"""What a flood of events leaves behind, and what of an event."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

import pytest

from core.ids import ParticipantId, SessionId
from signaling.event_bounds import AT_ONCE, MAX_FIELDS, ONE_EACH, SIDES_KNOWN, SPARED, EventBounds
from signaling.gaps import Gap, gaps_of
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
    assert len(let_through) == AT_ONCE - SPARED["mode"] + timedelta(hours=1) // ONE_EACH - 1
    told = sum(int(str(one.detail.get("left_out", 0))) for one in let_through)
    assert told <= bounds.left_out == 36_000 - len(let_through)
    assert told > 0.95 * bounds.left_out, "what is missing is told by those that follow"


def test_an_hour_of_breaks_leaves_no_more_than_that() -> None:
    bounds = EventBounds()
    pair = ("interrupted", "resumed")
    kept = [bounds.admit(happened(pair[tenth % 2], after_s=tenth / 10)) for tenth in range(36_000)]
    most = AT_ONCE - SPARED["interrupted"] + timedelta(hours=1) / ONE_EACH
    assert most - 1 <= sum(one is not None for one in kept) <= most + 1


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
    left_out = 1_000 - (AT_ONCE - SPARED["picture"])
    assert sum(one is not None for one in pictures) == 1_000 - left_out
    assert bounds.admit(happened("interrupted")) == happened("interrupted", detail={"left_out": left_out})


@pytest.mark.parametrize("flood", [("mode",), ("socket_lost", "socket_resumed"), ("interrupted", "resumed")])
def test_one_page_used_up_what_is_spared_for_how_it_ended(flood: tuple[str, ...]) -> None:
    bounds = EventBounds()
    for number in range(120):
        bounds.admit(happened(flood[number % len(flood)]))
    told = ["left_quickly"] if flood[0] == "interrupted" else ["interrupted", "resumed", "left_quickly"]
    assert [bounds.admit(happened(kind)) is not None for kind in told] == [True] * len(told)


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


CUT_MS = 5_000
STORY = (
    (0, "interrupted"),
    (0, "socket_lost"),
    (1, "ice_restart"),
    (3, "grade"),
    (5, "socket_resumed"),
    (5, "path_changed"),
    (5, "grade"),
    (5, "resumed"),
    (14, "grade"),
)
"""What one cut of 5 s leaves behind, by seconds."""


def hour_of_cuts(bounds: EventBounds, *, every_s: int) -> tuple[Gap, ...]:
    """Return the gaps that the record of an hour has, with a cut of 5 s each so many seconds."""
    ended: dict[str, dict[str, object]] = {kind: {"gap_ms": CUT_MS} for kind in ("resumed", "socket_resumed")}
    told = [
        happened(kind, after_s=begun_s + after_s, detail=ended.get(kind))
        for begun_s in range(0, 3_600, every_s)
        for after_s, kind in STORY
    ]
    kept = [one for one in map(bounds.admit, told) if one is not None]
    return gaps_of(kept, ONE, until=NOW + timedelta(hours=1))


@pytest.mark.parametrize("every_s", [300, 120, 90, 60, 20])
def test_a_break_whose_end_was_left_out_was_as_long_as_the_hour(every_s: int) -> None:
    gaps = hour_of_cuts(EventBounds(), every_s=every_s)
    assert max(gap.gap_ms for gap in gaps) == CUT_MS
    assert all(gap.returned for gap in gaps)


def test_thirty_cuts_in_an_hour_are_all_in_the_record() -> None:
    assert len(hour_of_cuts(EventBounds(), every_s=120)) == 30


def test_an_end_that_has_no_beginning_here_is_an_event_like_others() -> None:
    bounds = EventBounds()
    assert bounds.admit(happened("socket_resumed")) is not None
    while bounds.admit(happened("left")) is not None:
        pass
    assert bounds.admit(happened("socket_resumed")) is None


def test_a_break_that_was_never_ended_does_not_let_the_next_ones_end_in() -> None:
    bounds = EventBounds()
    assert bounds.admit(happened("interrupted")) is not None
    while bounds.admit(happened("left")) is not None:
        pass
    assert bounds.admit(happened("interrupted")) is None
    assert bounds.admit(happened("resumed")) is None
