"""A dropped line under a risk flag: who is called, and what the client chose that a drop should do. Pure.

    state   | SEE  | RETURN | QUIT  | CLOSE
    --------+------+--------+-------+------
    CALLING | SEEN | BACK   | QUICK | DONE
    SEEN    | -    | BACK   | QUICK | DONE

``-`` and every pair of the last three raise ``InvalidState`` and change nothing. The counselor of the talk is
called when the line has been gone for 8 s: most breaks mend sooner. Not seen within 60 s, who is on duty is
called as well. A quick exit ends it, and nobody is called or written to after it.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from core.errors import InvalidState
from counseling.preparation import OnDrop
from counseling.walkin_states import Alone

ALARM_AFTER_S: Final = 8.0
DUTY_AFTER_S: Final = 60.0


class State(enum.StrEnum):
    """Where the alarm of a drop stands."""

    CALLING = "calling"
    SEEN = "seen"
    """Somebody looks after it; nothing sounds any more."""
    BACK = "back"
    """The client came back by themselves."""
    QUICK = "quick"
    """The client left by the quick exit: not to be contacted."""
    DONE = "done"


class Event(enum.StrEnum):
    """What happens to it."""

    SEE = "see"
    RETURN = "return"
    QUIT = "quit"
    CLOSE = "close"


TABLE: Final[Mapping[tuple[State, Event], State]] = {
    (State.CALLING, Event.SEE): State.SEEN,
    (State.CALLING, Event.RETURN): State.BACK,
    (State.CALLING, Event.QUIT): State.QUICK,
    (State.CALLING, Event.CLOSE): State.DONE,
    (State.SEEN, Event.RETURN): State.BACK,
    (State.SEEN, Event.QUIT): State.QUICK,
    (State.SEEN, Event.CLOSE): State.DONE,
}
OPEN: Final = frozenset({State.CALLING, State.SEEN})


def after(state: State, event: Event) -> State:
    """Give the state that an event leads to. Raises ``InvalidState``."""
    try:
        return TABLE[state, event]
    except KeyError:
        raise InvalidState("This is over, or somebody looks after it already.") from None


def calls_duty(state: State, *, lasts_s: float) -> bool:
    """Whether who is on duty is called besides: nobody has seen it."""
    return state is State.CALLING and lasts_s >= DUTY_AFTER_S


def act(choice: OnDrop, alone: Alone | None) -> OnDrop:
    """Say what is done: what the client chose. But nothing rings where they were not alone or not sure.

    ``alone`` is None where nobody asked: the choice itself was made with its warning beside it.
    """
    if choice is OnDrop.CALL and alone in {Alone.NO, Alone.UNSURE}:
        return OnDrop.WRITE
    return choice
