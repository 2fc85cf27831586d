"""A newcomer who wants to continue a place that is somebody's, as a pure machine.

    state    | ADMIT    | REFUSE  | EXPIRE  | FREE     | GONE
    ---------+----------+---------+---------+----------+------
    PENDING  | ADMITTED | REFUSED | REFUSED | ADMITTED | OVER
    ADMITTED | -        | -       | -       | -        | -
    REFUSED  | -        | -       | -       | -        | -
    OVER     | -        | -       | -       | -        | -

``-`` raises ``InvalidState`` and changes nothing. FREE: the place became nobody's meanwhile.
Until ADMITTED the newcomer is held: no name, no chat, no missed message, no media.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from core.errors import InvalidState
from core.ids import ParticipantId
from signaling.participant import ConnectionId

ASK_FOR = timedelta(seconds=60)


class State(enum.Enum):
    """Where a takeover stands."""

    PENDING = "pending"
    ADMITTED = "admitted"
    REFUSED = "refused"
    OVER = "over"


class Event(enum.Enum):
    """What happens to a takeover."""

    ADMIT = "admit"
    REFUSE = "refuse"
    EXPIRE = "expire"
    FREE = "free"
    GONE = "gone"


TABLE: dict[tuple[State, Event], State] = {
    (State.PENDING, Event.ADMIT): State.ADMITTED,
    (State.PENDING, Event.REFUSE): State.REFUSED,
    (State.PENDING, Event.EXPIRE): State.REFUSED,
    (State.PENDING, Event.FREE): State.ADMITTED,
    (State.PENDING, Event.GONE): State.OVER,
}


@dataclass(slots=True)
class Takeover:
    """One held newcomer. ``asked`` is who was asked last, None while nobody is there to ask."""

    id: str
    connection: ConnectionId
    place: ParticipantId
    codecs: tuple[str, ...]
    device: str
    fresh_key: str
    fresh_hash: str
    since: datetime
    state: State = State.PENDING
    asked: ParticipantId | None = None

    def step(self, event: Event) -> State:
        """Take an event. Raises ``InvalidState`` for a pair that the table does not have."""
        after = TABLE.get((self.state, event))
        if after is None:
            raise InvalidState(f"{event.value} while {self.state.value}")
        self.state = after
        return after

    @property
    def deadline(self) -> datetime:
        """When silence means no."""
        return self.since + ASK_FOR
