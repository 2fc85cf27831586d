"""An appointment's state, and what client and counselor may do in it, and until when. Pure.

    state      event     becomes
    booked     MOVE      booked
    booked     BEGIN     begun       its time has come: the session opens for both, or they meet in person
    booked     CANCEL    cancelled   by client or counselor, before it begins
    booked     MISS      missed      its time came, and one of them could not be brought there
    begun      END       done
    begun      MISS      missed      15 minutes went by, and one of them did not come

``done``, ``cancelled`` and ``missed`` are final. An event that is not in the table raises ``InvalidState``.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from core.errors import InvalidState

NOTICE: Final = timedelta(hours=2)
"""How long before it begins an appointment can be booked, and moved, at the latest."""
AHEAD: Final = timedelta(days=28)
"""How far ahead one can book."""
MOST_OPEN: Final = 2
"""How many appointments a client may have before them."""
MOST_MOVES: Final = 3
"""How often a client may move one."""
MOST_IN_A_WEEK: Final = 6
"""How many a client may book within seven days, those that were cancelled counted."""
WEEK: Final = timedelta(days=7)
WAIT: Final = timedelta(minutes=15)
"""How long the one waits for the other."""


class State(enum.StrEnum):
    """Where an appointment stands."""

    BOOKED = "booked"
    BEGUN = "begun"
    DONE = "done"
    CANCELLED = "cancelled"
    MISSED = "missed"


OPEN: Final = (State.BOOKED, State.BEGUN)


class Event(enum.Enum):
    """What may happen to an appointment."""

    MOVE = enum.auto()
    BEGIN = enum.auto()
    CANCEL = enum.auto()
    END = enum.auto()
    MISS = enum.auto()


class By(enum.StrEnum):
    """Who cancelled, or who did not come."""

    CLIENT = "client"
    COUNSELOR = "counselor"
    BOTH = "both"


AFTER: Final[Mapping[tuple[State, Event], State]] = {
    (State.BOOKED, Event.MOVE): State.BOOKED,
    (State.BOOKED, Event.BEGIN): State.BEGUN,
    (State.BOOKED, Event.CANCEL): State.CANCELLED,
    (State.BOOKED, Event.MISS): State.MISSED,
    (State.BEGUN, Event.END): State.DONE,
    (State.BEGUN, Event.MISS): State.MISSED,
}


def after(state: State, event: Event) -> State:
    """Say what becomes of a state. Raises ``InvalidState``."""
    try:
        return AFTER[state, event]
    except KeyError:
        raise InvalidState(f"An appointment that is {state.value} cannot do this.") from None


def may_cancel(state: State, *, starts_at: datetime, now: datetime) -> bool:
    """Whether it can be cancelled: up to the moment in which it begins."""
    return state is State.BOOKED and now < starts_at


def may_move(state: State, *, starts_at: datetime, moves: int, now: datetime) -> bool:
    """Whether the client can move it: a while before, and not for ever."""
    return state is State.BOOKED and now <= starts_at - NOTICE and moves < MOST_MOVES


def who_missed(*, client_came: bool, counselor_came: bool) -> By | None:
    """Say who did not come; None when both did."""
    if client_came and counselor_came:
        return None
    if client_came:
        return By.COUNSELOR
    return By.CLIENT if counselor_came else By.BOTH
