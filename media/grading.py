"""How good a line is: good, fair, poor or lost, held steady so that nothing flaps. Pure.

Worse is believed after 4 s, better after 10 s. ``lost`` is a fact and no estimate: it comes when packets
that were expected have been missing for 3 s, and goes with the first that arrives.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from core.shapes import FAIR, POOR, QualityLimits

LOST_AFTER_MS = 3_000
WORSE_AFTER_S = 4.0
BETTER_AFTER_S = 10.0
# A tick that comes so late is the server's own trouble: what was held before it counts anew.
JUMP_S = 5.0


class Grade(enum.StrEnum):
    """How good a line is."""

    GOOD = "good"
    FAIR = "fair"
    POOR = "poor"
    LOST = "lost"


ORDER = {grade: place for place, grade in enumerate(Grade)}


@dataclass(frozen=True, slots=True)
class Limits:
    """Where fair and poor begin."""

    fair: QualityLimits = FAIR
    poor: QualityLimits = POOR


def grade(
    *, loss_pct: float | None, rtt_ms: float | None, mos: float | None, limits: Limits | None = None
) -> Grade:
    """Grade one moment of a line that carries; what is unknown does not count against it."""
    limits = limits or Limits()
    for named, at in ((Grade.POOR, limits.poor), (Grade.FAIR, limits.fair)):
        if (loss_pct or 0.0) > at.loss_pct or (rtt_ms or 0.0) > at.rtt_ms:
            return named
        if mos is not None and mos < at.mos:
            return named
    return Grade.GOOD


@dataclass(slots=True)
class Steady:
    """One line's grade, held steady. ``hear`` it at least each second."""

    grade: Grade = Grade.GOOD
    _before_loss: Grade = Grade.GOOD
    _heard_s: float | None = None
    _since_s: float | None = None
    _mildest: Grade = Grade.LOST
    _worse: bool = False

    def begin(self, moment: Grade, now_s: float) -> bool:
        """Take the first moments of a line after an absence as they are; True when that is another grade."""
        changed, self._heard_s, self._before_loss = moment is not self.grade, now_s, Grade.GOOD
        self._become(moment)
        return changed

    def hear(self, moment: Grade, now_s: float) -> bool:
        """Take the grade of this moment (monotonic ``now_s``); True when the steady one changed."""
        late = self._heard_s is not None and not 0 <= now_s - self._heard_s <= JUMP_S
        self._heard_s = now_s
        if late:
            self._since_s = None
        if Grade.LOST in (moment, self.grade):
            return self._lose_or_find(moment)
        if moment is self.grade:
            self._since_s = None
            return False
        worse = ORDER[moment] > ORDER[self.grade]
        if self._since_s is None or worse is not self._worse:
            self._since_s, self._worse, self._mildest = now_s, worse, moment
        # The grade that every moment of the wait was at least away from the present one.
        nearer = min if worse else max
        self._mildest = nearer(self._mildest, moment, key=ORDER.__getitem__)
        if now_s - self._since_s < (WORSE_AFTER_S if worse else BETTER_AFTER_S):
            return False
        return self._become(self._mildest)

    def _lose_or_find(self, moment: Grade) -> bool:
        if moment is self.grade:
            return False
        if moment is Grade.LOST:
            self._before_loss = self.grade
            return self._become(Grade.LOST)
        return self._become(max(moment, self._before_loss, key=ORDER.__getitem__))

    def _become(self, grade: Grade) -> bool:
        self.grade, self._since_s = grade, None
        return True
