"""How many events a side of a session may leave behind, and how long each may be. Pure.

A page can be made to send a new mode or a new picture a hundred times a second, and a line can come and go
all night. Each side has ``AT_ONCE`` events and one more each ``ONE_EACH``; the last are ``SPARED`` for what
breaks and mends, and the very last for how it ended. An end is kept if its beginning was, on credit if need
be: without it a break of seconds would be one of hours. What is left out is counted, and told by the next
event of that side: ``left_out``.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Final

from core.ids import ParticipantId, SessionId
from signaling.records import EventRecord

AT_ONCE: Final = 80.0
ONE_EACH: Final = timedelta(seconds=80)
SIDES_KNOWN: Final = 10_000
MAX_FIELDS: Final = 8
MAX_WORD_CHARS: Final = 40

LEFT_OUT: Final = "left_out"
CHATTER: Final = ("picture", "grade", "freeze", "device_lost", "budget", "path_changed", "ice_restart")
"""Kinds that a page or a bad line makes many of, and that a report can do without."""
SPARED: Final[Mapping[str, float]] = {
    **dict.fromkeys(CHATTER, 40.0),
    "chat": 15.0,
    "mode": 15.0,
    "socket_lost": 15.0,
    "interrupted": 5.0,
}
"""How many events must be left after one of a kind that somebody can make many of."""
BEGINNINGS: Final[Mapping[str, str]] = {"resumed": "interrupted", "socket_resumed": "socket_lost"}
"""What ends, by what began it."""


@dataclass(slots=True)
class _Side:
    at: datetime
    left: float = AT_ONCE
    left_out: int = 0
    begun: dict[str, bool] = field(default_factory=dict)
    """Beginnings without an end so far, and whether they were kept."""

    def keeps(self, kind: str, now: datetime) -> bool:
        # A clock that was put back gives nothing.
        passed = max(timedelta(0), now - self.at)
        self.left = min(AT_ONCE, self.left + passed / ONE_EACH)
        self.at = now
        kept = self.begun.pop(BEGINNINGS.get(kind, ""), None)
        if kept is None:
            kept = self.left >= 1 + SPARED.get(kind, 0.0)
        if kind in BEGINNINGS.values():
            self.begun[kind] = kept
        self.left -= kept
        return kept


class EventBounds:
    """What each side has left. ``left_out`` counts all that were not let through."""

    def __init__(self) -> None:
        self._sides: OrderedDict[tuple[SessionId, ParticipantId | None], _Side] = OrderedDict()
        self.left_out = 0

    def admit(self, record: EventRecord) -> EventRecord | None:
        """Return the event as it may be kept, None when it may not."""
        key = (record.session_id, record.participant_id)
        side = self._sides.get(key)
        if side is None:
            side = self._sides[key] = _Side(record.at)
            if len(self._sides) > SIDES_KNOWN:
                self._sides.popitem(last=False)
        self._sides.move_to_end(key)
        if not side.keeps(record.kind, record.at):
            side.left_out += 1
            self.left_out += 1
            return None
        detail = _short(record.detail)
        if side.left_out:
            detail[LEFT_OUT] = side.left_out
            side.left_out = 0
        return replace(record, detail=detail)


def _short(detail: Mapping[str, object]) -> dict[str, object]:
    """Keep numbers and short words, a few of them: all that a detail is made of."""
    kept = [(name, value) for name, value in detail.items() if _fits(value)]
    return dict(kept[:MAX_FIELDS])


def _fits(value: object) -> bool:
    match value:
        case None:
            return True
        case str():
            return len(value) <= MAX_WORD_CHARS
        case int() | float():
            # JSON has no other numbers (RFC 8259, 6), and PostgreSQL takes none.
            return math.isfinite(value)
        case _:
            return False
