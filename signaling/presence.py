"""Whether somebody is there, left, or is gone because their line broke. Pure.

A quick exit is not a drop, and neither is leaving: only who is away without a word of their own is gone.
A line that is silent while its socket lives is gone too, and a socket that is lost while media flows is not,
unless the page itself closed it as it went (1001).
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime

from core.ids import ParticipantId, SessionId
from signaling.participant import Place, Seat
from signaling.protocol import WireState


class Presence(enum.StrEnum):
    """How somebody stands to a session that is in memory."""

    ABSENT = "absent"
    """Nobody has come yet."""
    THERE = "there"
    GONE = "gone"
    """The line broke, also when the place is not kept any more."""
    LEFT = "left"
    QUICK = "quick"
    """By the quick exit: they may not be alone, and are not to be contacted."""


@dataclass(frozen=True, slots=True)
class Dropped:
    """Somebody whose line broke. ``lost_at`` is since when their place is kept, None while it is theirs."""

    session: SessionId
    participant: ParticipantId
    role: str
    lost_at: datetime | None


def presence(place: Place, view: WireState, *, quickly: bool) -> Presence:
    """Say how a place is sat in; ``view`` is what the other side is told of it."""
    match place.seat:
        case Seat.ABSENT:
            return Presence.ABSENT
        case Seat.LEFT if quickly:
            return Presence.QUICK
        case Seat.LEFT:
            return Presence.LEFT if place.lost_at is None else Presence.GONE
        case Seat.HERE | Seat.LOST:
            return Presence.GONE if view is WireState.INTERRUPTED else Presence.THERE
