"""What a bad line does to packets: sans-IO and seeded, so that a test sees the same faults each run.

``Line.deliver_at(now_s, size)`` says when a packet comes out at the other end, None if never.
"""

from __future__ import annotations

import random
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Conditions:
    """One direction of a line.

    ``loss`` is the share of packets lost one by one; ``burst_start`` is the chance that a packet
    begins a burst in which all are lost until one ends it with ``burst_end`` (Gilbert's model).
    ``reorder`` is the share of packets that overtake none of the delay: they arrive at once.
    ``rate_kbps`` None is unlimited; a queue longer than ``queue_ms`` drops from its tail.
    """

    loss: float = 0.0
    burst_start: float = 0.0
    burst_end: float = 0.5
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    reorder: float = 0.0
    rate_kbps: float | None = None
    queue_ms: float = 200.0
    cut: bool = False


CLEAN = Conditions()
CUT = Conditions(cut=True)


class Line:
    """One direction, with the state that its conditions need."""

    def __init__(self, *, seed: int, conditions: Conditions = CLEAN) -> None:
        self._random = random.Random(seed)
        self.conditions = conditions
        self._in_burst = False
        self._free_at_s = 0.0
        self._last_out_s = 0.0

    def deliver_at(self, now_s: float, size_bytes: int) -> float | None:
        """When a datagram that enters now comes out, never before ``now_s``."""
        if self._lost():
            return None
        leaves_s = self._serialised_at(now_s, size_bytes)
        if leaves_s is None:
            return None
        if self.conditions.reorder and self._random.random() < self.conditions.reorder:
            return leaves_s
        out_s = max(leaves_s + self._delay_s(), self._last_out_s)
        self._last_out_s = out_s
        return out_s

    def stream_at(self, now_s: float, size_bytes: int) -> float:
        """When bytes of a TCP stream come out: nothing is lost, nothing overtakes."""
        leaves_s = self._serialised_at(now_s, size_bytes, limited=False)
        assert leaves_s is not None
        out_s = max(leaves_s + self._delay_s(), self._last_out_s)
        self._last_out_s = out_s
        return out_s

    def _lost(self) -> bool:
        conditions = self.conditions
        if conditions.cut:
            return True
        if conditions.burst_start:
            chance = conditions.burst_end if self._in_burst else conditions.burst_start
            if self._random.random() < chance:
                self._in_burst = not self._in_burst
            if self._in_burst:
                return True
        return bool(conditions.loss) and self._random.random() < conditions.loss

    def _serialised_at(self, now_s: float, size_bytes: int, *, limited: bool = True) -> float | None:
        rate = self.conditions.rate_kbps
        if rate is None:
            return now_s
        begins_s = max(now_s, self._free_at_s)
        if limited and begins_s - now_s > self.conditions.queue_ms / 1000:
            return None
        self._free_at_s = begins_s + size_bytes * 8 / (rate * 1000)
        return self._free_at_s

    def _delay_s(self) -> float:
        conditions = self.conditions
        jitter = self._random.uniform(-1, 1) * conditions.jitter_ms if conditions.jitter_ms else 0
        return max(0.0, conditions.delay_ms + jitter) / 1000
