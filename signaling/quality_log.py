"""What is known of each participant's line: the relay's seconds, the browser's reports, its breaks. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from msgspec import UNSET

from core.ids import ParticipantId
from media.diagnosis import Cause
from media.events import LegId, LegSample
from media.grading import Grade
from media.line import Line, heard_mos
from media.silence import AUDIO_RECENT_S
from signaling.breaks import Breaks
from signaling.browser_reports import BrowserReports
from signaling.client_messages import QualityReport
from signaling.records import QualitySample
from signaling.server_messages import LineQuality

FREEZES_APART_S = 10.0


@dataclass(slots=True)
class Meter:
    """One participant's line. Bytes of former legs are added to those of the present ones.

    ``sample`` is the relay's last look, None without a leg; ``mos`` scores the voice that this side hears,
    None while there is none to hear.
    """

    line: Line = field(default_factory=Line)
    breaks: Breaks = field(default_factory=Breaks)
    reports: BrowserReports = field(default_factory=BrowserReports)
    sample: LegSample | None = None
    mos: float | None = None
    ws_rtt_ms: float | None = None
    past_up: int = 0
    past_down: int = 0
    _open: dict[LegId, tuple[int, int]] = field(default_factory=dict)
    _froze_s: float = float("-inf")
    _frozen_ms: float = 0.0
    _kept_freezes: int = 0

    # --- what comes in

    def report(self, report: QualityReport, now_s: float) -> bool:
        """Take a browser's report; False when it came too soon and was left unread."""
        return self.reports.take(report, now_s)

    def take(self, sample: LegSample | None, now_s: float) -> None:
        """Take the relay's look at the leg that carries, None without one. Once a second."""
        self.sample = sample
        if sample is None:
            return
        self._open[sample.leg] = (sample.bytes_up, sample.bytes_down)
        self.line.take(sample, said=self.reports.said(now_s), ws_rtt_ms=self.ws_rtt_ms, now_s=now_s)

    def close(self, leg: LegId, *, bytes_up: int, bytes_down: int) -> None:
        """Add what a leg that ends has carried."""
        self._open.pop(leg, None)
        self.past_up += bytes_up
        self.past_down += bytes_down

    # --- each second

    def look(self, peer: Meter, *, now_s: float) -> bool:
        """Grade the line; True when its grade changed. ``peer`` is the other side's."""
        sample = self.sample
        seen = sample.seen if sample is not None else None
        if sample is None or seen is None:
            self.mos = None
            return False
        changed = self.line.look(
            silent_ms=sample.silent_ms,
            expected=seen.unsaid_ms is not None,
            peer_spread_ms=peer.line.ways.spread_up_ms,
            now_s=now_s,
        )
        buffer_ms = self.reports.said(now_s).buffer_ms
        heard = heard_mos(self.line.ways, peer.line.ways, buffer_ms=buffer_ms)
        self.mos = heard if peer.speaks else None
        return changed

    @property
    def speaks(self) -> bool:
        """Whether voice comes from this side: it is not muted, and its line is not cut."""
        seen = self.sample.seen if self.sample is not None else None
        unsaid_ms = seen.unsaid_ms if seen is not None else None
        return unsaid_ms is not None and unsaid_ms < AUDIO_RECENT_S * 1000

    def frozen_ms(self, now_s: float) -> int | None:
        """Return how long the picture froze since this was last told, None while it is not to be told."""
        frozen_ms = self.reports.frozen_ms - self._frozen_ms
        if frozen_ms <= 0 or now_s - self._froze_s < FREEZES_APART_S:
            return None
        self._froze_s, self._frozen_ms = now_s, self.reports.frozen_ms
        return round(frozen_ms)

    def new_freezes(self) -> int:
        """Return how often the picture froze since the last call."""
        freezes, self._kept_freezes = self.reports.freezes - self._kept_freezes, self.reports.freezes
        return freezes

    # --- how it is

    def rtt_ms(self, now_s: float) -> float | None:
        """Return the relay's round trip, or else the browser's if it is not too old."""
        if self.sample is not None and self.sample.rtt_ms is not None:
            return self.line.ways.rtt_ms if self.line.ways.rtt_ms is not None else self.sample.rtt_ms
        return self.reports.said(now_s).rtt_ms

    @property
    def cause(self) -> Cause | None:
        """What the line has, None while it is good."""
        match self.grade:
            case Grade.GOOD | None:
                return None
            case Grade.LOST:
                return self.breaks.cause
            case _:
                return self.line.cause

    @property
    def grade(self) -> Grade | None:
        """The steady grade, None without a leg that carries."""
        return self.line.steady.grade if self.sample is not None else None

    @property
    def bytes_up(self) -> int:
        """Bytes from the participant since the session began, IP headers counted."""
        return self.past_up + sum(up for up, _ in self._open.values())

    @property
    def bytes_down(self) -> int:
        """Bytes to the participant since the session began, IP headers counted."""
        return self.past_down + sum(down for _, down in self._open.values())

    def row(self, participant: ParticipantId, *, now: datetime, now_s: float) -> QualitySample:
        """Sum up the last ten seconds, and what came since the session began."""
        sample, ways, reports = self.sample, self.line.ways, self.reports
        said, holds = reports.said(now_s), reports.holds(now_s)
        return QualitySample(
            participant_id=participant,
            at=now,
            grade=self.grade,
            mos=self.mos,
            rtt_ms=self.rtt_ms(now_s),
            loss_up_pct=ways.loss_up_pct,
            loss_down_pct=ways.loss_down_pct,
            jitter_ms=sample.jitter_ms if sample is not None else None,
            buffer_ms=said.buffer_ms,
            concealed_pct=said.concealed_pct,
            silent_ms=sample.silent_ms if sample is not None else None,
            ws_rtt_ms=self.ws_rtt_ms,
            available_kbps=said.available_kbps,
            bytes_up=self.bytes_up,
            bytes_down=self.bytes_down,
            freezes=self.new_freezes(),
            fps=reports.fps if holds else None,
            height=reports.height if holds else None,
            network=reports.network if holds else None,
            transport=sample.transport if sample is not None else None,
            ip_version=sample.ip_version if sample is not None else None,
        )

    def quality(self, now_s: float) -> LineQuality:
        """Say how this line is; everything but the bytes is null without a leg."""
        total = self.bytes_up + self.bytes_down
        sample, ways = self.sample, self.line.ways
        if sample is None:
            return LineQuality(None, None, None, None, None, None, None, None, total)
        cause = self.cause
        return LineQuality(
            grade=self.grade,
            rtt_ms=_round(self.rtt_ms(now_s)),
            loss_up_pct=_round(ways.loss_up_pct),
            loss_down_pct=_round(ways.loss_down_pct),
            jitter_ms=_round(sample.jitter_ms),
            mos=None if self.mos is None else round(self.mos, 2),
            kbps_up=_round(sample.kbps_up),
            kbps_down=_round(sample.kbps_down),
            bytes=total,
            kind=UNSET if cause is None else cause.kind,
            direction=UNSET if cause is None else cause.direction,
        )


def _round(value: float | None) -> float | None:
    return None if value is None else round(value, 1)
