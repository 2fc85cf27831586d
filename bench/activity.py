"""Which share of a recording is speech: the activity factor of ITU-T P.56 (method B).

An envelope of the sound (twice smoothed, 30 ms) is compared with thresholds 6 dB apart. What is over a
threshold is active, and so are the 200 ms behind it, the hangover. Each threshold gives an active time and
with it a level of the active part; the right threshold is the one that lies 15.9 dB below that level.
"""

from __future__ import annotations

import array
import math

TIME_CONSTANT_S = 0.03
HANGOVER_S = 0.2
MARGIN_DB = 15.9
THRESHOLDS = tuple(2.0**power for power in range(15))  # of 32,767
LOOKS_PER_S = 700  # P.56 asks for at least 600


def activity_factor(samples: array.array[int], rate: int) -> float:
    """Return the share of the time that is speech, from 0 to 1."""
    power = sum(value * value for value in samples) / max(1, len(samples))
    if power == 0:
        return 0.0
    envelope = _envelope(samples, rate)
    hangover = round(HANGOVER_S * len(envelope) * rate / len(samples))
    before: tuple[float, float] | None = None
    for threshold in THRESHOLDS:
        share = _share_over(envelope, threshold, hangover)
        if share == 0:
            break
        level_db = 10 * math.log10(power / share)
        above_db = level_db - 20 * math.log10(threshold) - MARGIN_DB
        if above_db <= 0:
            level_db = _between(before, (above_db, level_db))
            return float(min(1.0, power / 10 ** (level_db / 10)))
        before = above_db, level_db
    return 0.0


def _between(before: tuple[float, float] | None, after: tuple[float, float]) -> float:
    """Return the level where a line through both points (dB above the margin, level) crosses the margin."""
    if before is None:
        return after[1]
    part = before[0] / (before[0] - after[0])
    return before[1] + part * (after[1] - before[1])


def _envelope(samples: array.array[int], rate: int) -> list[float]:
    """Return the smoothed magnitude, some 700 values a second."""
    keep = math.exp(-1 / (rate * TIME_CONSTANT_S))
    give = 1 - keep
    step = max(1, rate // LOOKS_PER_S)
    first = second = 0.0
    envelope = []
    for number, value in enumerate(samples):
        first = keep * first + give * abs(value)
        second = keep * second + give * first
        if number % step == 0:
            envelope.append(second)
    return envelope


def _share_over(envelope: list[float], threshold: float, hangover: int) -> float:
    active, since = 0, hangover
    for value in envelope:
        if value >= threshold:
            since = 0
            active += 1
        elif since < hangover:
            since += 1
            active += 1
    return active / len(envelope)
