"""When what failed is tried again: soon at first, then each hour, for ever. Pure."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from core.clock import AHEAD

FIRST: Final = timedelta(seconds=30)
LONGEST: Final = timedelta(hours=1)
STUCK_AFTER: Final = 5
"""Tries that failed, in some eight minutes: from then on it is told to people."""
INTERNAL: Final = "internal"
"""What is kept as the problem when it was a mistake of ours: the log has its trace."""


def may_try(tries: int, tried_at: datetime | None, *, now: datetime) -> bool:
    """Whether it is time to try again what failed ``tries`` times, the last time at ``tried_at``.

    What was tried at a time to come, by a clock that was wrong, waits for no such time.
    """
    if tries == 0 or tried_at is None or tried_at > now + AHEAD:
        return True
    return now >= tried_at + min(FIRST * (1 << min(tries - 1, 16)), LONGEST)
