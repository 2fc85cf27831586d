"""The alarm of a dropped line, decided: every pair, when it calls whom, and what the client chose."""

from __future__ import annotations

from itertools import product

import pytest

from core.errors import InvalidState
from counseling.drop_states import TABLE, Event, State, act, after, calls_duty
from counseling.preparation import OnDrop
from counseling.walkin_states import Alone


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_pair_is_in_the_table_or_refused(state: State, event: Event) -> None:
    if (state, event) in TABLE:
        assert after(state, event) is TABLE[state, event]
        assert state in {State.CALLING, State.SEEN}
        return
    with pytest.raises(InvalidState):
        after(state, event)


@pytest.mark.parametrize(
    ("state", "waited_s", "called"),
    [
        (State.CALLING, 59, False),
        (State.CALLING, 60, True),
        (State.SEEN, 600, False),
        (State.BACK, 600, False),
    ],
)
def test_who_is_on_duty_is_called_when_nobody_has_seen_it(
    *, state: State, waited_s: int, called: bool
) -> None:
    assert calls_duty(state, lasts_s=waited_s) is called


@pytest.mark.parametrize(
    ("choice", "alone", "done"),
    [
        (OnDrop.CALL, Alone.YES, OnDrop.CALL),
        (OnDrop.CALL, None, OnDrop.CALL),
        (OnDrop.CALL, Alone.NO, OnDrop.WRITE),
        (OnDrop.CALL, Alone.UNSURE, OnDrop.WRITE),
        (OnDrop.WRITE, Alone.NO, OnDrop.WRITE),
        (OnDrop.NOTHING, Alone.YES, OnDrop.NOTHING),
        (OnDrop.NOTHING, Alone.NO, OnDrop.NOTHING),
    ],
)
def test_nothing_rings_where_somebody_may_listen(choice: OnDrop, alone: Alone | None, done: OnDrop) -> None:
    assert act(choice, alone) is done
