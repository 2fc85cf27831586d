"""A walk-in's states: each pair of state and event is in the table, or refused."""

from __future__ import annotations

import itertools

import pytest

from core.errors import InvalidState
from counseling.walkin_states import NEXT, Event, State, after


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_is_in_the_table_or_refused(state: State, event: Event) -> None:
    if (state, event) in NEXT:
        assert after(state, event) is NEXT[state, event]
    else:
        with pytest.raises(InvalidState):
            after(state, event)


def test_nothing_leads_out_of_the_end() -> None:
    assert not [pair for pair in NEXT if pair[0] is State.ENDED]
    assert {NEXT[state, Event.END] for state in State if state is not State.ENDED} == {State.ENDED}
