"""Time comes in from here, so that tests can say what time it is."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import Final, Protocol

AHEAD: Final = timedelta(minutes=5)
"""What is dated further ahead than this was written while the clock was wrong."""


class Clock(Protocol):
    """Tells the time in two ways."""

    def now(self) -> datetime:
        """Say the wall clock's time: aware, UTC."""
        ...

    def monotonic(self) -> float:
        """Say seconds since some moment; never goes back."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Say the time of the machine in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Say seconds of the machine's monotonic clock."""
        return time.monotonic()


class Leaps:
    """Notices that the wall clock was set, by the monotonic one; what is slewed (NTP) is none."""

    LEAST: Final = timedelta(seconds=1)

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._apart = self._look()

    def since(self) -> timedelta:
        """Say by how much it was set since this was asked last."""
        by = self._look() - self._apart
        if abs(by) < self.LEAST:
            return timedelta(0)
        self._apart += by
        return by

    def _look(self) -> datetime:
        return self._clock.now() - timedelta(seconds=self._clock.monotonic())


def moved(at: datetime | None, by: timedelta) -> datetime | None:
    """Give a moment as the clock tells it after it was set; None stays None."""
    return None if at is None else at + by


def rfc3339(at: datetime | None) -> str | None:
    """Write an aware time as RFC 3339 in UTC with milliseconds; None stays None."""
    if at is None:
        return None
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
