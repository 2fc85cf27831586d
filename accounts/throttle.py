"""Throttling: token buckets, pure; the caller brings the time."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass, field

from core.errors import TooMany

MOST_SUBJECTS = 10_000


@dataclass(slots=True)
class Throttle:
    """Lets each subject do ``per_s`` things a second, and ``burst`` at once.

    A subject is a key id or an address. The least recently seen are forgotten beyond 10,000, so that
    nobody fills the memory; a forgotten one starts with a full bucket.
    """

    per_s: float
    burst: float
    _levels: OrderedDict[str, tuple[float, float]] = field(default_factory=OrderedDict)

    def spend(self, subject: str, now_s: float) -> None:
        """Take one from the subject's bucket; raises ``TooMany`` when it is empty."""
        level = self._level(subject, now_s)
        if level < 1:
            raise TooMany("Too many requests.", retry_after_s=(1 - level) / self.per_s)
        self._keep(subject, level - 1, now_s)

    def delay(self, subject: str, now_s: float, *, most_s: float) -> float:
        """Take one from the subject's bucket and say how long to wait for it: ``most_s`` at most."""
        level = max(self._level(subject, now_s) - 1, -most_s * self.per_s)
        self._keep(subject, level, now_s)
        return max(0.0, -level / self.per_s)

    def _level(self, subject: str, now_s: float) -> float:
        level, seen_s = self._levels.get(subject, (self.burst, now_s))
        return min(self.burst, level + (now_s - seen_s) * self.per_s)

    def _keep(self, subject: str, level: float, now_s: float) -> None:
        self._levels[subject] = (level, now_s)
        self._levels.move_to_end(subject)
        if len(self._levels) > MOST_SUBJECTS:
            self._levels.popitem(last=False)
