"""Counts that may be shown: small groups are kept back, so that nobody can be recognised. Pure.

A group under ``SMALLEST`` is not shown. As totals are shown, one group alone could be had by taking away, so
the next smallest is kept back with it until those kept back are at least ``SMALLEST`` together and two.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from core.percentiles import nearest_rank

SMALLEST: Final = 5


@dataclass(frozen=True, slots=True)
class Row:
    """One group and how many are in it; None: kept back."""

    word: str
    count: int | None


@dataclass(frozen=True, slots=True)
class Tally:
    """Groups, the largest first, and how many there are in all; a total under ``SMALLEST`` is None."""

    rows: tuple[Row, ...]
    total: int | None


@dataclass(frozen=True, slots=True)
class Times:
    """How long something took, in seconds: of ``count`` cases half at most ``p50``, nine of ten ``p90``."""

    count: int
    p50: float
    p90: float


def tally(counts: Mapping[str, int]) -> Tally:
    """Show what may be shown; groups that are empty are left out."""
    there = sorted(
        ((word, count) for word, count in counts.items() if count), key=lambda one: (-one[1], one[0])
    )
    total = sum(count for _, count in there)
    back = {word for word, count in there if count < SMALLEST}
    for word, _ in reversed(there):
        held = [count for one, count in there if one in back]
        if not held or (len(held) > 1 and sum(held) >= SMALLEST):
            break
        back.add(word)
    rows = tuple(Row(word, None if word in back else count) for word, count in there)
    return Tally(rows, total if total >= SMALLEST else None)


def times(took_s: Iterable[float]) -> Times | None:
    """Give percentiles (nearest rank) of durations in seconds; None where too few stand behind them."""
    ordered = sorted(took_s)
    if len(ordered) < SMALLEST:
        return None
    return Times(len(ordered), nearest_rank(ordered, 0.5), nearest_rank(ordered, 0.9))
