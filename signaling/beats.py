"""The server's heartbeat on one socket: when it asks for a sign of life, and when the socket is lost. Pure.

It asks by WebSocket ping frames. The browser answers those itself, also for a page in the background, whose
timers it may let run once a minute only: a silence is the line's, not the page's.

TCP loses no ping, but after a cut it tries again later and later. The next ping does not wait for that: a
line that came back is heard with it, and needs no new socket.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

MISSED_BEATS = 3


@dataclass(frozen=True, slots=True)
class Pace:
    """How often a line is asked, and how soon again while nothing answers."""

    every_s: float
    again_s: float


class Due(enum.Enum):
    """What a beat brings."""

    NOTHING = "nothing"
    PING = "ping"
    LOST = "lost"


@dataclass(slots=True)
class Beats:
    """The beats of one socket. ``last_s`` is when the last one was, on the monotonic clock."""

    last_s: float
    missed: int = 0

    def heard(self) -> None:
        """Note a sign of life."""
        self.missed = 0

    def due(self, now_s: float, pace: Pace) -> Due:
        """Say what is due now, and take it as done."""
        if now_s - self.last_s < (pace.again_s if self.missed else pace.every_s):
            return Due.NOTHING
        self.last_s = now_s
        if self.missed >= MISSED_BEATS:
            return Due.LOST
        self.missed += 1
        return Due.PING
