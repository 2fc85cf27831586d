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
    ``jitter_ms`` varies each packet's delay by up to so much. ``stall_ms``: about every ``stall_every_ms``
    the line stands still for so long and then gives out all that waited, as mobile networks and Wi-Fi do.
    """

    loss: float = 0.0
    burst_start: float = 0.0
    burst_end: float = 0.5
    delay_ms: float = 0.0
    jitter_ms: float = 0.0
    reorder: float = 0.0
    stall_ms: float = 0.0
    stall_every_ms: float = 1_000.0
    rate_kbps: float | None = None
    queue_ms: float = 200.0
    cut: bool = False


CLEAN = Conditions()
CUT = Conditions(cut=True)


def bursts(*, share: float, packets: float) -> Conditions:
    """Loss of this share of all packets, in bursts of this many on average (Gilbert's model)."""
    end = 1 / packets
    return Conditions(burst_start=end * share / (1 - share), burst_end=end)


class Line:
    """One direction, with the state that its conditions need."""

    def __init__(self, *, seed: int, conditions: Conditions = CLEAN) -> None:
        self._random = random.Random(seed)
        self.conditions = conditions
        self._in_burst = False
        self._free_at_s = 0.0
        self._last_out_s = 0.0
        self._stall_s = (0.0, 0.0)

    def deliver_at(self, now_s: float, size_bytes: int) -> float | None:
        """When a datagram that enters now comes out, never before ``now_s``."""
        if self._lost():
            return None
        leaves_s = self._serialised_at(now_s, size_bytes)
        if leaves_s is None:
            return None
        if self.conditions.reorder and self._random.random() < self.conditions.reorder:
            return leaves_s
        return self._out_s(leaves_s)

    def stream_at(self, now_s: float, size_bytes: int) -> float:
        """When bytes of a TCP stream come out: nothing is lost, nothing overtakes."""
        leaves_s = self._serialised_at(now_s, size_bytes, limited=False)
        assert leaves_s is not None
        return self._out_s(leaves_s)

    def _out_s(self, leaves_s: float) -> float:
        self._last_out_s = max(self._stalled_until(leaves_s) + self._delay_s(), self._last_out_s)
        return self._last_out_s

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

    def _stalled_until(self, at_s: float) -> float:
        conditions = self.conditions
        if not conditions.stall_ms:
            return at_s
        begins_s, ends_s = self._stall_s
        if at_s >= ends_s:
            begins_s = at_s + self._random.uniform(0.5, 1.5) * conditions.stall_every_ms / 1000
            ends_s = begins_s + conditions.stall_ms / 1000
            self._stall_s = (begins_s, ends_s)
        return ends_s if at_s >= begins_s else at_s

    def _delay_s(self) -> float:
        conditions = self.conditions
        jitter = self._random.uniform(-1, 1) * conditions.jitter_ms if conditions.jitter_ms else 0
        return max(0.0, conditions.delay_ms + jitter) / 1000
