"""How good a line is, by the thresholds of the quality monitor. Pure.

Loss and round trip of one moment; the hysteresis and the voice's MOS are not part of it.
"""

from __future__ import annotations

from media.events import LegSample
from media.grading import Grade

FAIR_LOSS_PCT = 3.0
POOR_LOSS_PCT = 8.0
FAIR_RTT_MS = 300.0
POOR_RTT_MS = 700.0
LOST_AFTER_MS = 3_000


def grade(sample: LegSample, *, rtt_ms: float | None, expected: bool) -> Grade:
    """Grade one line. ``expected``: packets ought to come, so that silence means a lost line."""
    if expected and sample.silent_ms is not None and sample.silent_ms >= LOST_AFTER_MS:
        return Grade.LOST
    loss_pct = max(sample.loss_up_pct or 0.0, sample.loss_down_pct or 0.0)
    if loss_pct > POOR_LOSS_PCT or (rtt_ms or 0.0) > POOR_RTT_MS:
        return Grade.POOR
    if loss_pct > FAIR_LOSS_PCT or (rtt_ms or 0.0) > FAIR_RTT_MS:
        return Grade.FAIR
    return Grade.GOOD
