"""What may become of an appointment, and until when the client may do something about it."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime, timedelta

import pytest

from core.errors import InvalidState
from counseling.appointment_states import (
    AFTER,
    MOST_MOVES,
    NOTICE,
    By,
    Event,
    State,
    after,
    may_cancel,
    may_move,
    who_missed,
)

AT = datetime(2026, 3, 9, 2, 0, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_is_in_the_table_or_refused(state: State, event: Event) -> None:
    if (state, event) in AFTER:
        assert after(state, event) is AFTER[state, event]
    else:
        with pytest.raises(InvalidState):
            after(state, event)


def test_what_has_ended_stays_so() -> None:
    ended = {State.DONE, State.CANCELLED, State.MISSED}
    assert not ended & {state for state, _ in AFTER}
    assert ended < set(AFTER.values())


def test_it_is_cancelled_up_to_its_beginning() -> None:
    assert may_cancel(State.BOOKED, starts_at=AT, now=AT - SECOND)
    assert not may_cancel(State.BOOKED, starts_at=AT, now=AT)
    assert not may_cancel(State.BEGUN, starts_at=AT, now=AT - SECOND)


def test_it_is_moved_a_while_before_and_not_for_ever() -> None:
    assert may_move(State.BOOKED, starts_at=AT, moves=MOST_MOVES - 1, now=AT - NOTICE)
    assert not may_move(State.BOOKED, starts_at=AT, moves=MOST_MOVES, now=AT - NOTICE)
    assert not may_move(State.BOOKED, starts_at=AT, moves=0, now=AT - NOTICE + SECOND)
    assert not may_move(State.CANCELLED, starts_at=AT, moves=0, now=AT - NOTICE)


@pytest.mark.parametrize(
    ("client_came", "counselor_came", "by"),
    [(True, True, None), (True, False, By.COUNSELOR), (False, True, By.CLIENT), (False, False, By.BOTH)],
)
def test_it_is_said_who_did_not_come(*, client_came: bool, counselor_came: bool, by: By | None) -> None:
    assert who_missed(client_came=client_came, counselor_came=counselor_came) is by
