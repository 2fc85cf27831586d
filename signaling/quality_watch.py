"""Watching the lines of live sessions: telling both sides, and keeping a row every ten seconds."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime

from core.errors import NotFound
from core.ids import ParticipantId
from media.codecs import Mode
from media.events import LegSample, PathChanged
from signaling.advising import ADVISE_EVERY_S, advise, told
from signaling.carrying import RelayLike
from signaling.journal import Journal
from signaling.live import Live
from signaling.records import EventRecord, QualitySample
from signaling.server_messages import LineQuality, Quality, ServerMessage

logger = logging.getLogger(__name__)

TELL_EVERY_S = {Mode.VIDEO: 2.0, Mode.VOICE: 10.0, Mode.CHAT: 10.0}
KEEP_EVERY_S = 10.0

Send = Callable[[Live, ParticipantId, ServerMessage], None]


class QualityWatch:
    """Samples the relay for each live session when it is time."""

    def __init__(self, *, relay: RelayLike, journal: Journal, send: Send) -> None:
        self._relay = relay
        self._journal = journal
        self._send = send

    def look(self, live: Live, *, now: datetime, now_s: float) -> None:
        """Advise, tell and keep what is due."""
        if now_s - live.advised_s >= ADVISE_EVERY_S:
            samples = {place.id: self._sample(live, place.id) for place in live.call.places}
            if advise(live, samples, now_s=now_s):
                live.told_quality_s = 0.0
        if now_s - live.told_quality_s >= TELL_EVERY_S[live.call.mode.mode]:
            live.told_quality_s = now_s
            self._tell(live, now_s)
        if now_s - live.kept_quality_s >= KEEP_EVERY_S:
            self.keep(live, now=now, now_s=now_s)

    def _tell(self, live: Live, now_s: float) -> None:
        present = [place for place in live.call.places if place.is_here]
        if not present:
            return
        lines = self.lines(live, now_s=now_s)
        participants = {str(participant): line for participant, line in lines.items()}
        for place in present:
            self._send(live, place.id, Quality(participants=participants, **told(live.advice.get(place.id))))

    def lines(self, live: Live, *, now_s: float) -> dict[ParticipantId, LineQuality]:
        """Say how each participant's line is now."""
        expected = live.call.mode.mode is not Mode.CHAT
        return {
            participant: live.meters[participant].line(
                self._sample(live, participant), now_s=now_s, expected=expected
            )
            for participant in live.participants()
        }

    def _sample(self, live: Live, participant: ParticipantId) -> LegSample | None:
        place = live.call.place(participant)
        if place is None or place.leg is None:
            return None
        try:
            return self._relay.sample(place.leg.id)
        except NotFound:
            return None

    def keep(self, live: Live, *, now: datetime, now_s: float) -> None:
        """Keep a row for each side that has a leg."""
        live.kept_quality_s = now_s
        for participant in live.participants():
            row = self._row(live, participant, now, now_s)
            if row is not None:
                self._journal.put(row)

    def _row(
        self, live: Live, participant: ParticipantId, now: datetime, now_s: float
    ) -> QualitySample | None:
        sample = self._sample(live, participant)
        if sample is None:
            return None
        meter = live.meters[participant]
        return QualitySample(
            participant_id=participant,
            at=now,
            rtt_ms=meter.rtt_ms(sample, now_s),
            loss_up_pct=sample.loss_up_pct,
            loss_down_pct=sample.loss_down_pct,
            jitter_ms=sample.jitter_ms,
            silent_ms=sample.silent_ms,
            bytes_up=meter.bytes_up(sample),
            bytes_down=meter.bytes_down(sample),
            network=meter.network,
            transport=sample.transport.value if sample.transport is not None else None,
            ip_version=sample.ip_version,
        )

    def path_changed(self, live: Live, event: PathChanged, *, now: datetime) -> None:
        """Keep that a leg's media goes another way now; never an address."""
        owner = live.leg_owners.get(event.leg)
        detail = {"transport": event.transport.value, "ip_version": event.ip_version, "first": event.first}
        self._journal.put(EventRecord(live.id, owner, "path_changed", detail, now))
