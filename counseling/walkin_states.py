"""A walk-in's states, what it knows of a client, and how long it stands. Pure.

One state and one table; what is not in it raises ``InvalidState`` and changes nothing:

    waiting ──offer──> offered ──take──> talking ──end──> ended
       │ ^                │ │                                ^
       │ └────release─────┘ └──────────end───────────────────┤
       ├──take (urgent, or assigned)──> talking ──release──> waiting (nobody came into the room)
       └──end────────────────────────────────────────────────┘

A client has one open walk-in. It outlives a dead tab by ``SURVIVES`` and a quick exit by ``HELD``; while no
sign of life comes it keeps its place and is given to nobody.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from core.errors import InvalidState
from core.ids import UserId
from counseling.entry import Medium
from counseling.triage import Triage

PRESENT: Final = timedelta(seconds=45)
"""Without a sign of life for longer, a client is absent and given to nobody."""
SURVIVES: Final = timedelta(minutes=10)
HELD: Final = timedelta(minutes=30)


class State(enum.StrEnum):
    """Where a walk-in stands."""

    WAITING = "waiting"
    OFFERED = "offered"
    TALKING = "talking"
    ENDED = "ended"


class Event(enum.StrEnum):
    """What happens to one."""

    OFFER = "offer"
    RELEASE = "release"
    """The turn went by, or somebody is not there: back to waiting, the place is kept."""
    TAKE = "take"
    END = "end"


NEXT: Final[Mapping[tuple[State, Event], State]] = {
    (State.WAITING, Event.OFFER): State.OFFERED,
    (State.WAITING, Event.TAKE): State.TALKING,
    (State.WAITING, Event.END): State.ENDED,
    (State.OFFERED, Event.RELEASE): State.WAITING,
    (State.OFFERED, Event.TAKE): State.TALKING,
    (State.OFFERED, Event.END): State.ENDED,
    (State.TALKING, Event.RELEASE): State.WAITING,
    (State.TALKING, Event.END): State.ENDED,
}


class Alone(enum.StrEnum):
    """The answer to "are you alone, and is it safe to speak?"."""

    YES = "yes"
    NO = "no"
    UNSURE = "unsure"


class Ended(enum.StrEnum):
    """Why a walk-in ended."""

    TALKED = "talked"
    LEFT = "left"
    QUICK_EXIT = "quick_exit"
    ABSENT = "absent"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Walkin:
    """One walk-in. ``adult`` None: the age was not asked yet.

    ``prefers`` is whom the client would rather talk to; ``passed`` are those whose turn went by.
    ``offered_at`` stays when an offer is over: it is when the last one was made. ``ended_why`` of an open
    walk-in is ``QUICK_EXIT``: its place is held, and nothing is sent.
    """

    id: str
    client: UserId
    state: State
    language: str
    topic: str
    medium: Medium
    alone: Alone
    adult: bool | None
    triage: Triage
    region: str | None
    prefers: UserId | None
    waits_for_preferred: bool
    passed: tuple[UserId, ...]
    asked_at: datetime
    seen_at: datetime
    offered_to: UserId | None
    offered_at: datetime | None
    ended_at: datetime | None
    ended_why: Ended | None

    @property
    def is_held(self) -> bool:
        """Whether the client left by the quick exit and the place is kept."""
        return self.ended_at is None and self.ended_why is Ended.QUICK_EXIT

    def is_present(self, now: datetime) -> bool:
        """Whether the client's page showed a sign of life lately."""
        return not self.is_held and now - self.seen_at <= PRESENT

    def is_over(self, now: datetime) -> bool:
        """Whether nobody came back to it for so long that it ends."""
        return now - self.seen_at > (HELD if self.is_held else SURVIVES)


def after(state: State, event: Event) -> State:
    """Say the next state. Raises ``InvalidState``."""
    found = NEXT.get((state, event))
    if found is None:
        raise InvalidState(f"A walk-in that is {state.value} cannot be changed by {event.value}.")
    return found


def medium_for(medium: Medium, alone: Alone) -> Medium:
    """Whoever is not surely alone and safe writes: nothing rings or sounds."""
    return medium if alone is Alone.YES else Medium.CHAT
