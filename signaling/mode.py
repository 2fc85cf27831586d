"""Which mode a session is in, and who may change it.

The last wish wins, an equal one changes nothing, and what a user chose stands for 20 s against
wishes of the network and of the data budget. Pure.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import datetime, timedelta

from media.codecs import Mode
from signaling.protocol import Reason

USER_HOLDS_FOR = timedelta(seconds=20)
BEGAN = "began"
"""In the record, the reason of the mode in which the two were first connected."""


class Verdict(enum.Enum):
    """What became of a wish."""

    CHANGED = "changed"
    SAME = "same"
    HELD = "held"


@dataclass(slots=True)
class ModeState:
    """The present mode, and until when the user's choice stands.

    ``reason``: who or what moved the session to it, None when it began so.
    """

    mode: Mode
    held_until: datetime | None = None
    reason: Reason | None = None

    def wish(self, mode: Mode, reason: Reason, now: datetime) -> Verdict:
        """Take a wish. A user's wish for the present mode also holds it for 20 s."""
        held = self.held_until is not None and now < self.held_until
        if reason is Reason.USER:
            self.held_until = now + USER_HOLDS_FOR
        elif held and mode is not self.mode:
            return Verdict.HELD
        if mode is self.mode:
            self.reason = reason if reason is Reason.USER else self.reason
            return Verdict.SAME
        self.mode, self.reason = mode, reason
        return Verdict.CHANGED
