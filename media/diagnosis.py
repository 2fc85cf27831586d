"""Whose line has what: a cause from what the seconds of a line showed. Pure."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Direction(enum.StrEnum):
    """Which way of a participant's line: to the server, from it, or both."""

    UP = "up"
    DOWN = "down"
    BOTH = "both"


class Trouble(enum.StrEnum):
    """What a line has. ``rate``: more is sent than passes, so a queue grows."""

    LOSS = "loss"
    DELAY = "delay"
    JITTER = "jitter"
    RATE = "rate"
    CUT = "cut"
    PATH_CHANGED = "path_changed"
    UDP_BLOCKED = "udp_blocked"
    BROWSER_CLOSED = "browser_closed"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Cause:
    """What it is, and which way; whose line it is says who asked."""

    kind: Trouble
    direction: Direction = Direction.BOTH

    def detail(self) -> dict[str, object]:
        """Write it as the detail of an event."""
        return {"kind": self.kind.value, "direction": self.direction.value}
