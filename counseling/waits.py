"""How long somebody will wait, as a range; None where nobody can say. Pure.

Never a place in a line: who is urgent comes first, and a place that goes backwards hurts. A range is as wide
as the little that is known: how many are before, how many counselors are there, how long talks take lately.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

STEPS_S: Final = (0, 120, 300, 600, 1200, 2400, 3600, 7200)
"""Where ranges begin and end, so that what is shown changes seldom."""
MIN_TALKS: Final = 5
"""From fewer talks nothing is said about how long they take."""


@dataclass(frozen=True, slots=True)
class Range:
    """From so many seconds to so many."""

    from_s: int
    to_s: int


def usual_s(lengths_s: Sequence[float]) -> float | None:
    """Say how long a talk usually takes; None when too few are known."""
    return statistics.median(lengths_s) if len(lengths_s) >= MIN_TALKS else None


def wait(*, before: int, free: int, there: int, talk_s: float | None) -> Range | None:
    """Say how long somebody waits with ``before`` people before them.

    ``free`` counselors take somebody at once; ``there`` are all at open desks, those who talk too.
    """
    if before < free:
        return Range(STEPS_S[0], STEPS_S[1])
    if there == 0 or talk_s is None:
        return None
    # With so many at work, somebody gets up each talk_s / there.
    expected_s = (before - free + 1) * talk_s / there
    low = max((step for step in STEPS_S if step <= expected_s * 0.5), default=STEPS_S[0])
    high = next((step for step in STEPS_S if step >= expected_s * 1.5), None)
    return None if high is None else Range(low, max(high, STEPS_S[1]))
