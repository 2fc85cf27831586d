"""The negotiation of one leg as a pure machine: one open offer at a time.

    state | OFFER | ANSWER | TIMEOUT | CLOSE
    ------+-------+--------+---------+------
    IDLE  | OPEN  | -      | -       | OVER
    OPEN  | -     | IDLE   | OVER    | OVER
    OVER  | -     | -      | -       | OVER

``-`` raises ``InvalidState`` and changes nothing. What is wanted meanwhile is merged by whoever
compares ``offered`` with what ought to be said now, once the leg is IDLE again. A timeout ends the
leg: it gets a successor, never another offer.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.errors import InvalidState
from media.codecs import FIRST_OFFER, KIND_OF, Kind, Mode
from media.events import Streams

ANSWER_WITHIN = timedelta(seconds=10)


class State(enum.Enum):
    """Whether an offer is open."""

    IDLE = "idle"
    OPEN = "open"
    OVER = "over"


class Event(enum.Enum):
    """What happens to a negotiation."""

    OFFER = "offer"
    ANSWER = "answer"
    TIMEOUT = "timeout"
    CLOSE = "close"


TABLE: dict[tuple[State, Event], State] = {
    (State.IDLE, Event.OFFER): State.OPEN,
    (State.IDLE, Event.CLOSE): State.OVER,
    (State.OPEN, Event.ANSWER): State.IDLE,
    (State.OPEN, Event.TIMEOUT): State.OVER,
    (State.OPEN, Event.CLOSE): State.OVER,
    (State.OVER, Event.CLOSE): State.OVER,
}

KINDS_OF_MODE: dict[Mode, frozenset[Kind]] = {
    Mode.VIDEO: frozenset({Kind.AUDIO, Kind.VIDEO}),
    Mode.VOICE: frozenset({Kind.AUDIO}),
    Mode.CHAT: frozenset(),
}


@dataclass(frozen=True, slots=True)
class Content:
    """What an offer says apart from its number; two equal contents need no second offer."""

    mode: Mode
    peer: str | None
    payload_types: tuple[int, ...] = FIRST_OFFER
    streams: Streams = field(default_factory=Streams)
    inactive: frozenset[Kind] = frozenset()

    @property
    def kinds(self) -> frozenset[Kind]:
        """The kinds whose lines are active in this offer."""
        return KINDS_OF_MODE[self.mode] - self.inactive

    def numbers(self, kind: Kind) -> frozenset[int]:
        """The payload types that the offer lists for a kind."""
        return frozenset(number for number in self.payload_types if KIND_OF[number] is kind)


@dataclass(slots=True)
class Negotiation:
    """The offers and answers of one leg. ``number`` is that of the last offer, from 1."""

    state: State = State.IDLE
    number: int = 0
    offered: Content | None = None
    answered: Content | None = None
    deadline: datetime | None = None
    restart_wanted: bool = False

    def _step(self, event: Event) -> None:
        after = TABLE.get((self.state, event))
        if after is None:
            raise InvalidState(f"{event.value} while {self.state.value}")
        self.state = after

    @property
    def is_idle(self) -> bool:
        """Whether an offer may be made."""
        return self.state is State.IDLE

    def wants(self, content: Content) -> bool:
        """Tell whether an offer of this content should be made now."""
        return self.is_idle and (self.restart_wanted or self.offered != content)

    def offer(self, content: Content, now: datetime) -> int:
        """Open the next offer and return its number. Raises ``InvalidState`` while one is open."""
        self._step(Event.OFFER)
        self.number += 1
        self.offered = content
        self.restart_wanted = False
        self.deadline = now + ANSWER_WITHIN
        return self.number

    def awaits(self, number: int) -> bool:
        """Tell whether this is the number of the open offer."""
        return self.state is State.OPEN and number == self.number

    def answer(self) -> Content:
        """Take the answer to the open offer and return what had been offered."""
        self._step(Event.ANSWER)
        if self.offered is None:
            raise InvalidState("answered without an offer")
        self.answered = self.offered
        self.deadline = None
        return self.offered

    def prolong(self, now: datetime) -> None:
        """Give an open offer its whole time again: it has just been sent again."""
        if self.state is State.OPEN:
            self.deadline = now + ANSWER_WITHIN

    def is_due(self, now: datetime) -> bool:
        """Tell whether the open offer has waited too long."""
        return self.state is State.OPEN and self.deadline is not None and now >= self.deadline

    def time_out(self) -> None:
        """End it: no answer came in time."""
        self._step(Event.TIMEOUT)

    def close(self) -> None:
        """End it: the leg is gone."""
        self._step(Event.CLOSE)
