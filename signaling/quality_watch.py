"""Watching the lines of live sessions: telling both sides, and writing down what happens to them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from core.errors import NotFound
from core.ids import ParticipantId
from media.codecs import Mode
from media.diagnosis import Cause, Trouble
from media.events import LegConnected, LegInterrupted, LegResumed, LegSample, PathChanged
from media.grading import Grade
from signaling.advising import ADVISE_EVERY_S, advise, told
from signaling.breaks import STOOD_S
from signaling.carrying import RelayLike
from signaling.journal import Journal
from signaling.live import Live
from signaling.participant import Place
from signaling.records import EventRecord
from signaling.server_messages import LineQuality, Quality, ServerMessage
from signaling.wire import Wire

logger = logging.getLogger(__name__)

TELL_EVERY_S = {Mode.VIDEO: 2.0, Mode.VOICE: 10.0, Mode.CHAT: 10.0}
KEEP_EVERY_S = 10.0
LOOK_EVERY_S = 1.0

Send = Callable[[Live, ParticipantId, ServerMessage], None]


class QualityWatch:
    """Looks at each live session once a second. ``seated`` names the connection that sits in a place."""

    def __init__(
        self,
        *,
        relay: RelayLike,
        journal: Journal,
        send: Send,
        seated: Callable[[ParticipantId], Wire | None],
    ) -> None:
        self._relay = relay
        self._journal = journal
        self._send = send
        self._seated = seated

    def look(self, live: Live, *, now: datetime, now_s: float) -> None:
        """Look, advise, tell and keep what is due. Called twice a second."""
        passed_s = now_s - live.ticked_s
        live.ticked_s = now_s
        if passed_s >= STOOD_S:
            self._stood(live, passed_s, now, now_s)
        if now_s - live.looked_s >= LOOK_EVERY_S:
            live.looked_s = now_s
            self._look(live, now, now_s)
        if now_s - live.advised_s >= ADVISE_EVERY_S and advise(live, now_s=now_s):
            live.told_quality_s = 0.0
        if now_s - live.told_quality_s >= TELL_EVERY_S[live.call.mode.mode]:
            live.told_quality_s = now_s
            self._tell(live, now_s)
        if now_s - live.kept_quality_s >= KEEP_EVERY_S:
            self.keep(live, now=now, now_s=now_s)

    # --- each second

    def _look(self, live: Live, now: datetime, now_s: float) -> None:
        for place in live.call.places:
            meter, wire = live.meters[place.id], self._seated(place.id)
            if wire is not None:
                meter.ws_rtt_ms = wire.rtt_ms
                meter.breaks.socket_heard(wire.heard_s)
            meter.take(self._sample(place), now_s)
        for place in live.call.places:
            self._look_at(live, place, now, now_s)

    def _look_at(self, live: Live, place: Place, now: datetime, now_s: float) -> None:
        meter = live.meters[place.id]
        before = meter.line.steady.grade
        if meter.look(live.meters[live.call.other(place.id).id], now_s=now_s):
            live.told_quality_s = 0.0
            self._graded(live, place, before, now)
        sample, breaks = meter.sample, meter.breaks
        if not place.is_kept:
            breaks.left()
        elif sample is not None and sample.transport is not None:
            breaks.transport = sample.transport
        seen, silent_ms = (sample.seen, sample.silent_ms) if sample is not None else (None, None)
        for noted in breaks.look(seen, silent_ms, now, now_s):
            self._note(live, place.id, noted.kind, noted.detail, noted.at)
        frozen_ms = meter.frozen_ms(now_s)
        if frozen_ms is not None:
            self._note(live, place.id, "freeze", {"ms": frozen_ms}, now)

    def _sample(self, place: Place) -> LegSample | None:
        """Look at the leg that carries: the newest one, or its predecessor until that is connected."""
        found: LegSample | None = None
        for leg in (place.leg, place.old_leg):
            if leg is None:
                continue
            try:
                sample = self._relay.sample(leg.id, take=True)
            except NotFound:
                continue
            if sample.silent_ms is not None:
                return sample
            found = found or sample
        return found

    def _graded(self, live: Live, place: Place, before: Grade, now: datetime) -> None:
        """Write down a new grade, and for anything but a good one what the line has."""
        meter = live.meters[place.id]
        detail: dict[str, object] = {"from": before.value, "to": meter.line.steady.grade.value}
        if meter.cause is not None:
            detail |= meter.cause.detail()
        self._note(live, place.id, "grade", detail, now)

    def _stood(self, live: Live, passed_s: float, now: datetime, now_s: float) -> None:
        """The clockwork did not run: what went missing meanwhile is nobody's line."""
        for meter in live.meters.values():
            meter.breaks.stood(now_s)
            meter.line.excuse(now_s)
        if any(place.leg is not None for place in live.call.places):
            detail = {"gap_ms": round(passed_s * 1000), **Cause(Trouble.SERVER).detail()}
            self._note(live, None, "interrupted", detail, now - timedelta(seconds=passed_s))
            self._note(live, None, "resumed", detail, now)

    def _note(
        self,
        live: Live,
        participant: ParticipantId | None,
        kind: str,
        detail: Mapping[str, object],
        at: datetime,
    ) -> None:
        self._journal.put(EventRecord(live.id, participant, kind, detail, at))

    # --- what happens between

    def leg_event(
        self,
        live: Live,
        event: LegConnected | LegInterrupted | LegResumed | PathChanged,
        *,
        now: datetime,
        now_s: float,
    ) -> None:
        """Note what the relay tells of a leg's path. Never an address."""
        owner = live.leg_owners.get(event.leg)
        place = live.call.place(owner) if owner is not None else None
        if place is None:
            return
        breaks = live.meters[place.id].breaks
        superseded = place.leg is not None and place.leg.is_up and place.leg.id != event.leg
        match event:
            case LegInterrupted() if not superseded:
                if now_s - live.ticked_s >= STOOD_S:
                    # The relay noticed it before our own clockwork did.
                    breaks.stood(now_s)
                breaks.silent(event.gap_ms, now, now_s)
            case LegResumed():
                breaks.back(now, now_s, gap_ms=event.gap_ms)
            case LegConnected():
                breaks.back(now, now_s)
            case PathChanged():
                breaks.path_changed(event)
                live.meters[place.id].line.excuse(now_s)
                detail = {
                    "transport": event.transport.value,
                    "ip_version": event.ip_version,
                    "first": event.first,
                }
                self._note(live, place.id, "path_changed", detail, now)
        self._tell_breaks(live, place, now, now_s)

    def socket_closed(self, live: Live, wire: Wire, *, now: datetime, now_s: float) -> None:
        """Note that the other end closed a connection, or that the network did."""
        place = None if wire.participant is None else live.call.place(wire.participant)
        if place is not None and self._seated(place.id) is wire:
            live.meters[place.id].breaks.closed(wire.closed_with, now, now_s)
            self._tell_breaks(live, place, now, now_s)

    def _tell_breaks(self, live: Live, place: Place, now: datetime, now_s: float) -> None:
        for noted in live.meters[place.id].breaks.look(None, None, now, now_s):
            self._note(live, place.id, noted.kind, noted.detail, noted.at)

    # --- telling and keeping

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
        return {participant: meter.quality(now_s) for participant, meter in live.meters.items()}

    def keep(self, live: Live, *, now: datetime, now_s: float) -> None:
        """Keep a row for each side that has a leg, or had one when the session ended."""
        live.kept_quality_s = now_s
        for participant, meter in live.meters.items():
            if meter.sample is not None:
                self._journal.put(meter.row(participant, now=now, now_s=now_s))

    def stops(self, live: Live, *, now: datetime, now_s: float) -> None:
        """Keep what the next process needs of a session: this one ends, and closes its sockets itself."""
        self.keep(live, now=now, now_s=now_s)
        for place in live.call.places:
            if place.is_here:
                self._note(live, place.id, "socket_lost", Cause(Trouble.SERVER).detail(), now)

    def ended(self, live: Live, *, now: datetime, now_s: float) -> None:
        """Keep the last of a session that is over."""
        self.keep(live, now=now, now_s=now_s)
        for place in live.call.places:
            live.meters[place.id].breaks.left()
            self._tell_breaks(live, place, now, now_s)
