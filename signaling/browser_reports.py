"""What browsers say of their own view of the line: hostile until clamped.

Numbers out of any sense become None, and one report in half a second is read. Nothing here raises an alarm
by itself: it names what the relay has found, and tells of pictures, which no relay can see.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from media.line import NOTHING_SAID, Said
from signaling.client_messages import Inbound, QualityReport

REPORT_EVERY_S = 0.5
REPORT_HOLDS_S = 25.0
MAX_RTT_MS = 60_000.0
MAX_BUFFER_MS = 10_000.0
MAX_KBPS = 10_000_000.0
MAX_COUNT = 1e9
MAX_FPS = 240.0
MAX_PIXELS = 16_384.0
LONG_FREEZE_MS = 1_000.0
# What a page says froze cannot be longer than it had time to.
FREEZE_SLACK_MS = 3_000.0
NETWORKS = frozenset({"wifi", "cellular", "ethernet"})


def clamped(value: float | None, *, most: float) -> float | None:
    """Return a number of a report if it makes sense, None otherwise."""
    if value is None or not math.isfinite(value) or not 0 <= value <= most:
        return None
    return value


@dataclass(slots=True)
class BrowserReports:
    """One participant's reports. ``freezes`` and ``frozen_ms`` grow; counters that go back begin anew.

    ``frozen_ms`` is that of long freezes alone; a report that has several is taken by their mean.
    """

    rtt_ms: float | None = None
    available_kbps: float | None = None
    buffer_ms: float | None = None
    concealed_pct: float | None = None
    fps: float | None = None
    height: int | None = None
    network: str | None = None
    freezes: int = 0
    frozen_ms: float = 0.0
    at_s: float = -math.inf
    _leg: str = ""
    _freezes: float = 0.0
    _frozen_ms: float = 0.0
    _freezable_ms: float = FREEZE_SLACK_MS

    def take(self, report: QualityReport, now_s: float) -> bool:
        """Take a report; False when it came too soon and was left unread."""
        if now_s - self.at_s < REPORT_EVERY_S:
            return False
        passed_ms = min(now_s - self.at_s, REPORT_HOLDS_S) * 1000
        self.at_s = now_s
        self.rtt_ms = clamped(report.rtt_ms, most=MAX_RTT_MS)
        self.available_kbps = clamped(report.available_kbps, most=MAX_KBPS)
        network = report.candidate.network if report.candidate is not None else None
        self.network = network if network in NETWORKS else None
        voice = _of(report, "audio")
        self.buffer_ms = clamped(voice.buffer_ms, most=MAX_BUFFER_MS) if voice else None
        self.concealed_pct = clamped(voice.concealed_pct, most=100.0) if voice else None
        self._picture(_of(report, "video"), str(report.leg), passed_ms)
        return True

    def _picture(self, picture: Inbound | None, leg: str, passed_ms: float) -> None:
        most_ms = REPORT_HOLDS_S * 1000 + FREEZE_SLACK_MS
        self._freezable_ms = min(self._freezable_ms + passed_ms, most_ms)
        if leg != self._leg:
            self._leg, self._freezes, self._frozen_ms = leg, 0.0, 0.0
        if picture is None:
            self.fps = self.height = None
            return
        self.fps = clamped(picture.fps, most=MAX_FPS)
        height = clamped(picture.height, most=MAX_PIXELS)
        self.height = None if height is None else int(height)
        freezes = clamped(picture.freezes, most=MAX_COUNT)
        frozen_ms = clamped(picture.freeze_ms, most=MAX_COUNT)
        if freezes is not None and frozen_ms is not None:
            # As many as have had time to happen, and no longer than it was.
            more = min(max(0.0, freezes - self._freezes), passed_ms / 150)
            longer_ms = min(max(0.0, frozen_ms - self._frozen_ms), self._freezable_ms)
            self._freezable_ms -= longer_ms
            self.freezes += int(more)
            if longer_ms >= LONG_FREEZE_MS * max(1.0, more):
                self.frozen_ms += longer_ms
            self._freezes, self._frozen_ms = freezes, frozen_ms

    def said(self, now_s: float) -> Said:
        """Return what holds still."""
        if not self.holds(now_s):
            return NOTHING_SAID
        return Said(self.rtt_ms, self.buffer_ms, self.concealed_pct, self.available_kbps)

    def holds(self, now_s: float) -> bool:
        """Whether the last report is young enough to speak of now."""
        return now_s - self.at_s <= REPORT_HOLDS_S


def _of(report: QualityReport, kind: str) -> Inbound | None:
    """The last stream of a kind: a page that lost one may still list the former."""
    return next((one for one in reversed(report.inbound) if one.kind == kind), None)
