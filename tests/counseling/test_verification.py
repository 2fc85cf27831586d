from __future__ import annotations

import itertools

import pytest

from core.errors import InvalidState
from counseling.verification import NEXT, Event, State, after, decisions


@pytest.mark.parametrize(("state", "event"), list(itertools.product(State, Event)))
def test_every_pair_leads_on_or_changes_nothing(state: State, event: Event) -> None:
    if (state, event) in NEXT:
        assert after(state, event) is NEXT[state, event]
    else:
        with pytest.raises(InvalidState):
            after(state, event)


def test_a_change_never_verifies() -> None:
    assert {after(state, Event.CHANGE) for state in State} == set(State) - {State.VERIFIED}


def test_only_what_was_handed_in_is_decided() -> None:
    assert decisions(State.PENDING) == (Event.VERIFY, Event.REFUSE)
    assert decisions(State.VERIFIED) == (Event.WITHDRAW,)
    assert [decisions(state) for state in (State.DRAFT, State.REFUSED, State.WITHDRAWN)] == [(), (), ()]
