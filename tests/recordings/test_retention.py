"""When a recording is destroyed, and when what failed is tried again: tables of cases."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from recordings.retention import HELD_AT_MOST, Kept, Why, decide
from recordings.retrying import may_try
from recordings.states import State

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEFORE, LATER = NOW - timedelta(days=1), NOW + timedelta(days=1)
LONG_AGO = NOW - HELD_AT_MOST


def kept(
    *,
    state: State = State.STORED,
    in_session: bool = True,
    expires_at: datetime = LATER,
    closed_at: datetime | None = None,
    held_at: datetime | None = None,
) -> Kept:
    return Kept(state, in_session, expires_at, closed_at, held_at)


@pytest.mark.parametrize(
    ("one", "why"),
    [
        (kept(), None),
        (kept(expires_at=NOW), Why.EXPIRED),
        (kept(expires_at=BEFORE), Why.EXPIRED),
        (kept(expires_at=BEFORE, closed_at=BEFORE), Why.COUNSELOR),
        (kept(expires_at=LATER, closed_at=BEFORE), None),
        (kept(expires_at=BEFORE, held_at=BEFORE), None),
        (kept(expires_at=BEFORE, closed_at=BEFORE, held_at=BEFORE), None),
        (kept(expires_at=BEFORE, held_at=LONG_AGO), Why.EXPIRED),
        (kept(expires_at=LATER, held_at=LONG_AGO), None),
        (kept(in_session=False), Why.SESSION_DELETED),
        (kept(in_session=False, held_at=BEFORE), Why.SESSION_DELETED),
        (kept(state=State.BROKEN, expires_at=NOW), Why.EXPIRED),
        (kept(state=State.STUCK, expires_at=NOW), Why.EXPIRED),
        (kept(state=State.ENDED, expires_at=NOW), Why.EXPIRED),
        (kept(state=State.RECORDING, expires_at=BEFORE, in_session=False), None),
        (kept(state=State.DESTROYING, expires_at=BEFORE, in_session=False), None),
        (kept(state=State.DESTROYED, expires_at=BEFORE, in_session=False), None),
    ],
)
def test_what_is_destroyed_and_why(one: Kept, why: Why | None) -> None:
    assert decide(one, now=NOW) is why


@pytest.mark.parametrize(
    ("tries", "seconds"), [(1, 30), (2, 60), (3, 120), (7, 1_920), (8, 3_600), (500, 3_600)]
)
def test_what_failed_is_tried_again_soon_and_then_each_hour(tries: int, seconds: int) -> None:
    wait = timedelta(seconds=seconds)
    assert not may_try(tries, NOW, now=NOW + wait - timedelta(milliseconds=1))
    assert may_try(tries, NOW, now=NOW + wait)


def test_what_was_never_tried_is_tried_now() -> None:
    assert may_try(0, None, now=NOW)
    assert may_try(3, None, now=NOW)


def test_what_was_tried_in_a_time_to_come_does_not_wait_for_it() -> None:
    assert may_try(1, NOW + timedelta(days=3_650), now=NOW)
    assert not may_try(1, NOW + timedelta(seconds=1), now=NOW)
