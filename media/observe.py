"""What passing packets tell: loss, reordering, jitter and round trips. Sans-IO; costs a few integers."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from typing import Any

from media.codecs import BY_PAYLOAD_TYPE, RTX_TYPES, Kind
from media.rtcp import ReportBlock, SenderReport

WINDOW_S = 10
SENDER_REPORTS_KEPT = 4


class Stream:
    """One SSRC as it arrives at the relay (RFC 3550, A.1 and A.8).

    ``cleared`` is the receiving leg towards which this SSRC was found free, None before that.
    """

    __slots__ = (
        "base",
        "cleared",
        "clock_rate",
        "duplicates",
        "highest",
        "jitter",
        "kind",
        "last_at",
        "payload_type",
        "received",
        "reordered",
        "reported",
        "rtx",
        "sender_reports",
        "sequence",
        "ssrc",
        "timestamp",
        "transit",
    )

    def __init__(self, ssrc: int, payload_type: int, sequence: int) -> None:
        codec = BY_PAYLOAD_TYPE[payload_type]
        self.ssrc = ssrc
        self.payload_type = payload_type
        self.kind: Kind = codec.kind
        self.rtx = payload_type in RTX_TYPES
        self.clock_rate = codec.clock_rate
        self.sequence = (sequence - 1) & 0xFFFF
        self.base = self.highest = self.sequence
        self.received = self.duplicates = self.reordered = 0
        self.jitter = 0.0
        self.timestamp = -1
        self.transit = 0.0
        self.last_at = 0.0
        self.cleared: Any = None
        self.reported: ReportBlock | None = None
        self.sender_reports: dict[int, float] = {}

    def packet(self, sequence: int, timestamp: int, now: float) -> None:
        """Count one packet; ``now`` is monotonic seconds."""
        ahead = (sequence - self.sequence) & 0xFFFF
        if ahead < 0x8000:
            if ahead:
                self.highest += ahead
                self.sequence = sequence
            else:
                self.duplicates += 1
                return
        else:
            self.reordered += 1
        self.received += 1
        if timestamp != self.timestamp:
            transit = now * self.clock_rate - timestamp
            if self.timestamp >= 0:
                step = abs(transit - self.transit)
                # A wrapped or jumped time stamp says nothing about the line.
                if step < 10 * self.clock_rate:
                    self.jitter += (step - self.jitter) / 16
            self.transit = transit
            self.timestamp = timestamp
        self.last_at = now

    @property
    def expected(self) -> int:
        """Packets that the sender has sent, as far as sequence numbers say."""
        return self.highest - self.base

    @property
    def lost(self) -> int:
        """Packets missing on the way up, never below 0."""
        return max(0, self.expected - self.received)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in ms."""
        return self.jitter * 1000 / self.clock_rate

    def sender_report(self, report: SenderReport, now: float) -> None:
        """Remember when this side's sender report passed, for the round trip of who answers it."""
        self.sender_reports[report.middle] = now
        while len(self.sender_reports) > SENDER_REPORTS_KEPT:
            del self.sender_reports[next(iter(self.sender_reports))]

    def receiver_report(self, block: ReportBlock, now: float) -> float | None:
        """Take the other side's report about this stream; return its round trip in ms if known."""
        self.reported = block
        passed = self.sender_reports.get(block.last_report)
        if passed is None or not block.last_report:
            return None
        rtt_ms = (now - passed) * 1000 - block.delay / 65.536
        return rtt_ms if 0 <= rtt_ms < 60_000 else None


@dataclass(frozen=True, slots=True)
class Totals:
    """Counters of one leg at one moment, all growing since the leg began."""

    at: float
    expected: int = 0
    lost: int = 0
    down_expected: int = 0
    down_lost: int = 0
    bytes_up: int = 0
    bytes_down: int = 0


@dataclass(slots=True)
class Window:
    """Totals of the last ten seconds, one each second, for percentages and rates."""

    kept: deque[Totals] = field(default_factory=lambda: deque(maxlen=WINDOW_S + 1))

    def add(self, totals: Totals) -> None:
        """Keep this second's totals."""
        self.kept.append(totals)

    def loss_up_pct(self) -> float | None:
        """Percent lost on the way up, None when nothing was sent."""
        return self._percent("lost", "expected")

    def loss_down_pct(self) -> float | None:
        """Percent lost on the way down, None when nothing was reported."""
        return self._percent("down_lost", "down_expected")

    def kbps(self) -> tuple[float, float]:
        """Rates up and down in kbit/s, IP headers counted."""
        if len(self.kept) < 2:
            return 0.0, 0.0
        first, last = self.kept[0], self.kept[-1]
        span_ms = max(1.0, (last.at - first.at) * 1000)
        return (
            8 * max(0, last.bytes_up - first.bytes_up) / span_ms,
            8 * max(0, last.bytes_down - first.bytes_down) / span_ms,
        )

    def _percent(self, part: str, whole: str) -> float | None:
        if len(self.kept) < 2:
            return None
        first, last = self.kept[0], self.kept[-1]
        sent: int = getattr(last, whole) - getattr(first, whole)
        missing: int = getattr(last, part) - getattr(first, part)
        if sent <= 0:
            return None
        return min(100.0, 100 * max(0, missing) / sent)
