"""When what failed is tried again: soon at first, then each hour, for ever. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

FIRST: Final = timedelta(seconds=30)
LONGEST: Final = timedelta(hours=1)
STUCK_AFTER: Final = 5
"""Tries that failed, in some eight minutes: from then on it is told to people."""
INTERNAL: Final = "internal"
"""What is kept as the problem when it was a mistake of ours: the log has its trace."""
_EVER: Final = datetime(1970, 1, 1, tzinfo=UTC)


def again_at(tries: int, tried_at: datetime | None) -> datetime:
    """Say when to try again what failed ``tries`` times, the last time at ``tried_at``."""
    if tries == 0 or tried_at is None:
        return _EVER
    return tried_at + min(FIRST * (1 << min(tries - 1, 16)), LONGEST)
