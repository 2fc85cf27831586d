"""How an entry of the register is verified: one state, one table.

::

    draft ──hand in──> pending ──verify──> verified ──withdraw──> withdrawn
                        │  ^                │ │                      │
                        │  └────change──────┘ │                      │
                      refuse                  │                      │
                        v                     │                      │
                     refused ──hand in──> pending <──────hand in─────┘

``change`` is a change to what is verified: a field of ``Verified``, or a proof that was taken away. It
takes a verified entry back to pending and leaves the others where they are.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Final

from core.errors import InvalidState


class State(enum.StrEnum):
    """How far an entry is."""

    DRAFT = "draft"
    PENDING = "pending"
    VERIFIED = "verified"
    REFUSED = "refused"
    WITHDRAWN = "withdrawn"


class Event(enum.StrEnum):
    """What happens to it: the first two by the counselor, the others by an admin."""

    CHANGE = "change"
    HAND_IN = "hand_in"
    VERIFY = "verify"
    REFUSE = "refuse"
    WITHDRAW = "withdraw"


DECISIONS: Final = (Event.VERIFY, Event.REFUSE, Event.WITHDRAW)

NEXT: Final[Mapping[tuple[State, Event], State]] = {
    (State.DRAFT, Event.CHANGE): State.DRAFT,
    (State.DRAFT, Event.HAND_IN): State.PENDING,
    (State.PENDING, Event.CHANGE): State.PENDING,
    (State.PENDING, Event.VERIFY): State.VERIFIED,
    (State.PENDING, Event.REFUSE): State.REFUSED,
    (State.VERIFIED, Event.CHANGE): State.PENDING,
    (State.VERIFIED, Event.WITHDRAW): State.WITHDRAWN,
    (State.REFUSED, Event.CHANGE): State.REFUSED,
    (State.REFUSED, Event.HAND_IN): State.PENDING,
    (State.WITHDRAWN, Event.CHANGE): State.WITHDRAWN,
    (State.WITHDRAWN, Event.HAND_IN): State.PENDING,
}


def after(state: State, event: Event) -> State:
    """Say which state follows. Raises ``InvalidState`` for a pair that is not in the table."""
    try:
        return NEXT[state, event]
    except KeyError:
        raise InvalidState(
            f"An entry that is {state.value} cannot {event.value.replace('_', ' ')}."
        ) from None


def decisions(state: State) -> tuple[Event, ...]:
    """Say what an admin can decide now."""
    return tuple(event for event in DECISIONS if (state, event) in NEXT)
