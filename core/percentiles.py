"""Percentiles by the nearest rank: always a value that was measured, never one in between."""

from __future__ import annotations

import math
from collections.abc import Sequence


def nearest_rank(ordered: Sequence[float], share: float) -> float:
    """Return the least value that at least this share of them reach, 0 to 1; ``ordered`` is not empty."""
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]
