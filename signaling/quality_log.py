"""What is known of each line: the relay's samples and the browsers' reports. Pure.

Reports are hostile until clamped: numbers out of any sense become None.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from media.events import LegSample
from signaling.client_messages import QualityReport
from signaling.grades import grade
from signaling.server_messages import LineQuality

REPORT_EVERY_S = 0.5
REPORT_HOLDS_S = 25.0
MAX_RTT_MS = 60_000.0
MAX_KBPS = 10_000_000.0


def clamped(value: float | None, *, most: float) -> float | None:
    """Return a number of a report if it makes sense, None otherwise."""
    if value is None or not math.isfinite(value) or not 0 <= value <= most:
        return None
    return value


@dataclass(slots=True)
class Meter:
    """One participant's line. Bytes of former legs are added to those of the present one."""

    past_up: int = 0
    past_down: int = 0
    reported_rtt_ms: float | None = None
    available_kbps: float | None = None
    reported_s: float = -math.inf
    network: str | None = None

    def report(self, report: QualityReport, now_s: float) -> bool:
        """Take a browser's report; False when it came too soon and was left unread."""
        if now_s - self.reported_s < REPORT_EVERY_S:
            return False
        self.reported_s = now_s
        self.reported_rtt_ms = clamped(report.rtt_ms, most=MAX_RTT_MS)
        self.available_kbps = clamped(report.available_kbps, most=MAX_KBPS)
        network = report.candidate.network if report.candidate is not None else None
        self.network = network if network in {"wifi", "cellular", "ethernet"} else None
        return True

    def close(self, *, bytes_up: int, bytes_down: int) -> None:
        """Add what a leg that ends has carried."""
        self.past_up += bytes_up
        self.past_down += bytes_down

    def rtt_ms(self, sample: LegSample, now_s: float) -> float | None:
        """Return the relay's round trip, or else the browser's if it is not too old."""
        if sample.rtt_ms is not None:
            return sample.rtt_ms
        return self.reported_rtt_ms if now_s - self.reported_s <= REPORT_HOLDS_S else None

    def bytes_up(self, sample: LegSample | None) -> int:
        """Bytes from the participant since the session began."""
        return self.past_up + (sample.bytes_up if sample is not None else 0)

    def bytes_down(self, sample: LegSample | None) -> int:
        """Bytes to the participant since the session began."""
        return self.past_down + (sample.bytes_down if sample is not None else 0)

    def line(self, sample: LegSample | None, *, now_s: float, expected: bool) -> LineQuality:
        """Say how this line is; everything but the bytes is null without a leg."""
        total = self.bytes_up(sample) + self.bytes_down(sample)
        if sample is None:
            return LineQuality(None, None, None, None, None, None, None, None, total)
        rtt_ms = self.rtt_ms(sample, now_s)
        return LineQuality(
            grade=grade(sample, rtt_ms=rtt_ms, expected=expected),
            rtt_ms=_round(rtt_ms),
            loss_up_pct=_round(sample.loss_up_pct),
            loss_down_pct=_round(sample.loss_down_pct),
            jitter_ms=_round(sample.jitter_ms),
            mos=None,
            kbps_up=_round(sample.kbps_up),
            kbps_down=_round(sample.kbps_down),
            bytes=total,
        )


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
