"""One participant's place in a call, and the machine of its seat.

    seat   | ENTER | LOSE | LEAVE | EXPIRE
    -------+-------+------+-------+-------
    ABSENT | HERE  | -    | -     | -
    HERE   | HERE  | LOST | LEFT  | -
    LOST   | HERE  | -    | LEFT  | LEFT
    LEFT   | HERE  | -    | -     | -

``-`` raises ``InvalidState`` and changes nothing. ENTER while HERE is a second connection with the
right key, or an admitted device; LOST is the grace time; LEFT is not final.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import NewType

from core.clock import moved
from core.errors import InvalidState
from core.ids import ParticipantId, UserId
from signaling.leg import Leg
from signaling.protocol import MediaState

ConnectionId = NewType("ConnectionId", int)


class Seat(enum.Enum):
    """Whether somebody sits in a place."""

    ABSENT = "absent"
    HERE = "here"
    LOST = "lost"
    LEFT = "left"


class SeatEvent(enum.Enum):
    """What happens to a seat."""

    ENTER = "enter"
    LOSE = "lose"
    LEAVE = "leave"
    EXPIRE = "expire"


TABLE: dict[tuple[Seat, SeatEvent], Seat] = {
    (Seat.ABSENT, SeatEvent.ENTER): Seat.HERE,
    (Seat.HERE, SeatEvent.ENTER): Seat.HERE,
    (Seat.HERE, SeatEvent.LOSE): Seat.LOST,
    (Seat.HERE, SeatEvent.LEAVE): Seat.LEFT,
    (Seat.LOST, SeatEvent.ENTER): Seat.HERE,
    (Seat.LOST, SeatEvent.LEAVE): Seat.LEFT,
    (Seat.LOST, SeatEvent.EXPIRE): Seat.LEFT,
    (Seat.LEFT, SeatEvent.ENTER): Seat.HERE,
}


@dataclass(slots=True)
class Place:
    """A participant of the session and everything that is theirs in it.

    ``seat_hash`` is the hash of the secret in the resume key (None: nobody ever sat here), ``key``
    the key itself, known only after its holder has shown it to this process. ``old_leg`` still
    carries media while ``leg`` is being connected. ``lost_at`` is when the socket was lost; who left by
    their own word has none, and who is LEFT and has one did not come back in time. ``twice``: the voice
    from here should go twice.
    """

    id: ParticipantId
    role: str
    name: str
    seat: Seat = Seat.ABSENT
    seat_hash: str | None = None
    key: str = ""
    connection: ConnectionId | None = None
    lost_at: datetime | None = None
    codecs: tuple[str, ...] = ()
    media: MediaState | None = None
    twice: bool = False
    leg: Leg | None = None
    old_leg: Leg | None = None
    failures: int = 0
    retry_at: datetime | None = None
    restarted_at: datetime | None = None
    user: UserId | None = None
    """Whose login continues this place at once; None: only its key does."""

    def step(self, event: SeatEvent) -> None:
        """Take an event. Raises ``InvalidState`` for a pair that the table does not have."""
        after = TABLE.get((self.seat, event))
        if after is None:
            raise InvalidState(f"{event.value} while {self.seat.value}")
        self.seat = after

    def clock_set(self, by: timedelta) -> None:
        """Move with the clock since when it is kept, and what its legs wait for."""
        self.lost_at, self.retry_at = moved(self.lost_at, by), moved(self.retry_at, by)
        self.restarted_at = moved(self.restarted_at, by)
        for leg in self.legs:
            leg.close_at = moved(leg.close_at, by)
            leg.negotiation.deadline = moved(leg.negotiation.deadline, by)

    @property
    def is_here(self) -> bool:
        """Whether a connection sits in this place."""
        return self.seat is Seat.HERE

    @property
    def is_kept(self) -> bool:
        """Whether the place belongs to somebody: here, or within the grace time."""
        return self.seat in (Seat.HERE, Seat.LOST)

    @property
    def legs(self) -> tuple[Leg, ...]:
        """The legs of this place, the current one first."""
        if self.old_leg is None:
            return () if self.leg is None else (self.leg,)
        return (self.old_leg,) if self.leg is None else (self.leg, self.old_leg)
