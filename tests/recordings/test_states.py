from __future__ import annotations

import itertools

import pytest

from core.errors import InvalidState
from recordings import states
from recordings.states import TABLE, Event, Side, State


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_is_in_the_table_or_changes_nothing(state: State, event: Event) -> None:
    if (state, event) in TABLE:
        assert states.after(state, event) is TABLE[state, event]
    else:
        with pytest.raises(InvalidState):
            states.after(state, event)


def test_nothing_comes_back_from_its_end() -> None:
    reached = {State.DESTROYING}
    while more := {after for (state, _), after in TABLE.items() if state in reached} - reached:
        reached |= more
    assert reached == {State.DESTROYING, State.DESTROYED}


def test_everything_that_has_ended_can_be_destroyed() -> None:
    ended = set(State) - {State.RECORDING, State.DESTROYED}
    assert {state for state, event in TABLE if event is Event.DESTROY} == ended


def test_the_other_side() -> None:
    assert [side.other for side in Side] == [Side.COUNSELOR, Side.CLIENT]
