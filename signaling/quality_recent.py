"""The last ten minutes of a line, as its ring of seconds has them: one word for each ten seconds. Pure."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from typing import Final

from media.grading import Limits, grade
from media.line import loss_of
from media.ring import SECONDS, Ring, Second

BLOCK_S: Final = 10
GAP: Final = "gap"
NOTHING: Final = ""


def recent(ring: Ring, limits: Limits) -> tuple[str, ...]:
    """Say how each ten seconds were, the oldest first: a grade, ``gap``, or "" where nothing is known."""
    seconds = ring.last(SECONDS)
    blocks = [seconds[max(0, end - BLOCK_S) : end] for end in range(len(seconds), 0, -BLOCK_S)][::-1]
    missing = SECONDS // BLOCK_S - len(blocks)
    return (NOTHING,) * missing + tuple(_word(block, limits) for block in blocks)


def _word(seconds: Sequence[Second], limits: Limits) -> str:
    if any(one.cut for one in seconds):
        return GAP
    rtts_ms = [one.rtt_ms for one in seconds if one.rtt_ms is not None]
    rtts_ms = rtts_ms or [one.ws_rtt_ms for one in seconds if one.ws_rtt_ms is not None]
    if not rtts_ms and not any(one.expected_up or one.expected_down for one in seconds):
        return NOTHING
    losses = [loss_of(seconds, f"lost_{way}", f"expected_{way}") or 0.0 for way in ("up", "down")]
    rtt_ms = statistics.median(rtts_ms) if rtts_ms else None
    return grade(loss_pct=max(losses), rtt_ms=rtt_ms, mos=None, limits=limits).value
