"""What passing packets tell: loss, reordering, jitter and round trips. Sans-IO; costs a few integers."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from media.codecs import BY_PAYLOAD_TYPE, RTX_TYPES, Kind
from media.rtcp import ReportBlock, SenderReport

WINDOW_S = 10
SENDER_REPORTS_KEPT = 4
# Two comfort packets of DTX may be lost in a row; longer, and nothing came at all.
OUTAGE_S = 1.3
STALLED_PACKETS = 3
STALLED_REPORTS = 2
REPORTS_APART_S = 8.0
# Twice what video sends in the longest time between reports.
MOST_REPORTED = 1 << 14
_NO_TRANSIT = (math.inf, -math.inf)


class Stream:
    """One SSRC as it arrives at the relay (RFC 3550, A.1 and A.8).

    ``cleared`` is the receiving leg towards which this SSRC was found free, None before that. ``low`` and
    ``high`` are the least and the greatest transit since they were last taken.
    """

    __slots__ = (
        "base",
        "cleared",
        "clock_rate",
        "duplicates",
        "high",
        "highest",
        "jitter",
        "kind",
        "last_at",
        "low",
        "payload_type",
        "received",
        "reception",
        "reordered",
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
        self.low, self.high = _NO_TRANSIT
        self.last_at = 0.0
        self.cleared: Any = None
        self.reception = Reception()
        self.sender_reports: dict[int, float] = {}

    def packet(self, sequence: int, timestamp: int, now: float) -> None:
        """Count one packet; ``now`` is monotonic seconds."""
        ahead = (sequence - self.sequence) & 0xFFFF
        if ahead < 0x8000:
            if ahead:
                self.highest += ahead
                self.sequence = sequence
                if ahead > 1 and now - self.last_at > OUTAGE_S:
                    # Nothing at all came: a line that was cut, and no loss.
                    self.base += ahead - 1
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
            if transit < self.low:  # noqa: PLR1730  # min() costs a call for each packet
                self.low = transit
            if transit > self.high:  # noqa: PLR1730  # as above
                self.high = transit
            self.transit = transit
            self.timestamp = timestamp
        self.last_at = now

    @property
    def expected(self) -> int:
        """Packets that the sender has sent, as far as sequence numbers say; those of an outage left out."""
        return self.highest - self.base

    @property
    def lost(self) -> int:
        """Packets missing on the way up, never below 0."""
        return max(0, self.expected - self.received)

    @property
    def jitter_ms(self) -> float:
        """Interarrival jitter in ms."""
        return self.jitter * 1000 / self.clock_rate

    def take_transits(self) -> tuple[float, float] | None:
        """Return the least and the greatest transit in ms since the last call; their zero means nothing.

        None when nothing came, or when the sender's clock jumped.
        """
        low, high = self.low, self.high
        self.low, self.high = _NO_TRANSIT
        if not 0 <= high - low < 10 * self.clock_rate:
            return None
        return low * 1000 / self.clock_rate, high * 1000 / self.clock_rate

    def sender_report(self, report: SenderReport, now: float) -> None:
        """Remember when this side's sender report passed, for the round trip of who answers it."""
        self.sender_reports[report.middle] = now
        while len(self.sender_reports) > SENDER_REPORTS_KEPT:
            del self.sender_reports[next(iter(self.sender_reports))]

    def receiver_report(self, block: ReportBlock, now: float, *, back_at: float = -math.inf) -> float | None:
        """Take the other side's report about this stream; return its round trip in ms if known.

        ``back_at``: since when the reporter's line carries again after it was cut.
        """
        self.reception.take(block, self, now, back_at=back_at)
        passed = self.sender_reports.get(block.last_report)
        if passed is None or not block.last_report:
            return None
        rtt_ms = (now - passed) * 1000 - block.delay / 65.536
        return rtt_ms if 0 <= rtt_ms < 60_000 else None


class Reception:
    """What receiver reports say of one stream behind the relay.

    Loss is what a report adds, without the gaps that the relay saw itself by then. A line that was cut in
    between lost nothing: ``gap`` tells (expected, lost) of that time instead. Numbers that go back or jump,
    as those of a page that was loaded again, begin anew. ``heard`` is the highest number that has reached
    it, as the relay counts them.
    """

    __slots__ = (
        "_moved_at",
        "_news",
        "_stalls",
        "at",
        "expected",
        "gap",
        "heard",
        "highest",
        "jitter",
        "lost",
        "missing",
        "received",
        "stalled_at",
    )

    def __init__(self) -> None:
        self.at = -math.inf
        self.highest = self.missing = self.received = self.heard = 0
        self.expected = self.lost = 0
        self.jitter = 0
        self.gap: tuple[int, int] | None = None
        self.stalled_at: float | None = None
        self._stalls = 0
        self._news = False
        self._moved_at = -math.inf

    @property
    def known(self) -> bool:
        """Whether the stream was ever reported."""
        return self.at != -math.inf

    def is_fresh(self, now: float) -> bool:
        """Whether reports still come; Chromium's of voice are up to 7.5 s apart."""
        return now - self.at <= REPORTS_APART_S

    def take_news(self) -> bool:
        """Say, once, that a report has come."""
        news, self._news = self._news, False
        return news

    def take_gap(self) -> tuple[int, int] | None:
        """Return, once, how many packets were expected and lost while the line was cut."""
        gap, self.gap = self.gap, None
        return gap

    def take(self, block: ReportBlock, stream: Stream, now: float, *, back_at: float) -> None:
        """Take a report block. ``stalled_at`` is since when reports come and tell of nothing new."""
        before_s, first = self.at, not self.known
        expected, missing = block.highest - self.highest, block.lost - stream.lost - self.missing
        passed = stream.received - self.received
        self.heard = stream.highest - ((stream.highest - block.highest) & 0xFFFF)
        self.at, self.jitter, self._news = now, block.jitter, True
        if expected == 0 and not first and passed >= STALLED_PACKETS:
            # One report may have crossed the first packets after a silence.
            self._stalls += 1
            if self._stalls == STALLED_REPORTS:
                self.stalled_at = self._moved_at
            return
        was_cut = self._stalls > 0 or back_at >= before_s
        if not first and 0 <= expected < MOST_REPORTED:
            if was_cut:
                self.gap = (expected, missing)
            else:
                self.expected += expected
                self.lost += missing
        self.stalled_at, self._stalls, self._moved_at = None, 0, now
        self.highest, self.missing, self.received = block.highest, block.lost - stream.lost, stream.received


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
        if len(self.kept) < 2:
            return None
        first, last = self.kept[0], self.kept[-1]
        sent = last.expected - first.expected
        return min(100.0, 100 * max(0, last.lost - first.lost) / sent) if sent > 0 else None

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
