"""Carrying out what a call wants done: sockets, relay, outboxes and the journal."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime
from typing import Protocol

from core.clock import Clock
from core.errors import NotFound
from core.ids import ParticipantId, SessionId
from media.description import Answer, OfferRequest
from media.events import LegId, LegSample
from media.sinks import Sink
from signaling import effects as fx
from signaling.connection import Event
from signaling.journal import Journal
from signaling.live import Live
from signaling.participant import ConnectionId
from signaling.protocol import CloseCode
from signaling.records import EventRecord, ModeRecord, PlaceRecord, Record, StateRecord, ended
from signaling.server_messages import Offer, ServerMessage, encode
from signaling.terms import CallState
from signaling.wire import Wire

logger = logging.getLogger(__name__)


class RelayLike(Protocol):
    """What is needed of ``media.relay.Relay``. Commands on a leg that is gone raise ``NotFound``."""

    @property
    def ready(self) -> bool:
        """Whether the media port is open."""
        ...

    def open_leg(self, leg: LegId) -> None:
        """Make a leg."""
        ...

    def offer(self, leg: LegId, request: OfferRequest) -> str:
        """Return the SDP of an offer."""
        ...

    def answer(self, leg: LegId, sdp: str) -> Answer:
        """Read an answer; raises ``InvalidAnswer``."""
        ...

    def pair(self, a: LegId, b: LegId) -> None:
        """Let packets flow between two legs."""
        ...

    def forward(self, leg: LegId, *, audio: bool, video: bool) -> None:
        """Say which kinds from a leg are passed on."""
        ...

    def expect(self, leg: LegId, *, audio: bool, video: bool) -> None:
        """Say which kinds a leg's side is sending."""
        ...

    def request_key_frame(self, leg: LegId) -> None:
        """Ask a leg's sender for a key frame."""
        ...

    def tap(self, leg: LegId, sink: Sink | None) -> None:
        """Show what comes on a leg to a sink as well, or no more; only the first may raise ``NotFound``."""
        ...

    def sample(self, leg: LegId, *, take: bool = False) -> LegSample:
        """Say what was seen of a leg; with ``take`` also its time since the last such look."""
        ...

    def close_leg(self, leg: LegId) -> None:
        """Close a leg; idempotent."""
        ...


class Carrier:
    """The only doer. Knows every open connection and which session each leg belongs to.

    ``failed`` counts what could not be done by a mistake of ours.
    """

    def __init__(self, *, relay: RelayLike, journal: Journal, clock: Clock) -> None:
        self._relay = relay
        self._journal = journal
        self._clock = clock
        self.wires: dict[ConnectionId, Wire] = {}
        self.legs: dict[LegId, SessionId] = {}
        self._seated: dict[ParticipantId, Wire] = {}
        self.failed = 0

    def carry_out(self, live: Live, effects: Sequence[fx.Effect]) -> None:
        """Do what a call wants, in order. One failure is logged and does not stop the rest."""
        for effect in effects:
            try:
                self._do(live, effect)
            except NotFound:
                # The relay has closed this leg already; its event is on the way.
                logger.info("signal.leg_gone", extra={"effect": type(effect).__name__})
            except Exception:
                self.failed += 1
                logger.exception("signal.effect_failed", extra={"effect": type(effect).__name__})

    def _do(self, live: Live, effect: fx.Effect) -> None:
        match effect:
            case fx.SeatIn() | fx.Hold() | fx.Send() | fx.SendHeld() | fx.CloseSocket() | fx.OfferClosed():
                self._talk(live, effect)
            case fx.RecordState() | fx.RecordMode() | fx.RecordPlace() | fx.RecordEvent():
                self._record(live, effect)
            case _:
                self._relay_command(live, effect)

    # --- sockets

    def send(self, live: Live, to: ParticipantId, message: ServerMessage) -> None:
        """Number a message, keep it if it may be replayed, and send it if somebody is there."""
        text = live.outboxes[to].post(message)
        wire = self._seated.get(to)
        if wire is not None:
            wire.send_text(text)

    def seated(self, participant: ParticipantId) -> Wire | None:
        """Return the connection that sits in a place."""
        return self._seated.get(participant)

    def forget(self, wire: Wire) -> None:
        """Forget a connection that is gone."""
        self.wires.pop(wire.id, None)
        if wire.participant is not None and self._seated.get(wire.participant) is wire:
            del self._seated[wire.participant]

    def _talk(self, live: Live, effect: fx.TalkEffect) -> None:
        match effect:
            case fx.Send():
                self.send(live, effect.to, effect.message)
            case fx.OfferClosed():
                live.outboxes[effect.participant].close_offer()
            case fx.SeatIn():
                self._seat(live, effect)
            case fx.Hold():
                wire = self.wires.get(effect.connection)
                if wire is not None and wire.is_open:
                    wire.machine.apply(Event.HOLD)
            case fx.SendHeld():
                wire = self.wires.get(effect.connection)
                if wire is not None:
                    wire.send_unnumbered(effect.message)
            case fx.CloseSocket():
                self._close(effect.connection, effect.code)

    def _seat(self, live: Live, effect: fx.SeatIn) -> None:
        outbox = live.outboxes[effect.participant]
        wire = self.wires.get(effect.connection)
        if effect.resume_seq is None:
            outbox.clear()
            texts = [outbox.post(effect.welcome)]
            texts += [outbox.post(line) for line in live.transcript.lines]
        else:
            texts = [encode(effect.welcome, seq=effect.resume_seq), *outbox.replay(effect.resume_seq)]
        if wire is None or not wire.is_open:
            return
        wire.machine.apply(Event.SEAT)
        wire.participant = effect.participant
        self._seated[effect.participant] = wire
        for text in texts:
            wire.send_text(text)

    def _close(self, connection: ConnectionId, code: CloseCode) -> None:
        wire = self.wires.get(connection)
        if wire is None:
            return
        if wire.participant is not None and self._seated.get(wire.participant) is wire:
            del self._seated[wire.participant]
        wire.close(code)

    # --- relay

    def _relay_command(self, live: Live, effect: fx.RelayEffect) -> None:
        match effect:
            case fx.OpenLeg():
                logger.info("leg.opened", extra={"leg": effect.leg, "session": live.id})
                self.legs[effect.leg] = live.id
                live.leg_owners[effect.leg] = effect.participant
                live.opened_s[effect.leg] = self._clock.monotonic()
                self._relay.open_leg(effect.leg)
            case fx.CloseLeg():
                self.legs.pop(effect.leg, None)
                self._close_leg(live, effect.leg)
            case fx.MakeOffer():
                sdp = self._relay.offer(effect.leg, effect.request)
                offer = Offer(leg=effect.leg, negotiation=effect.request.negotiation, sdp=sdp)
                self.send(live, effect.to, offer)
            case fx.Pair():
                self._relay.pair(effect.a, effect.b)
            case fx.Forward():
                self._relay.forward(effect.leg, audio=effect.audio, video=effect.video)
            case fx.Expect():
                self._relay.expect(effect.leg, audio=effect.audio, video=effect.video)
            case fx.KeyFrame():
                self._relay.request_key_frame(effect.leg)

    def _close_leg(self, live: Live, leg: LegId) -> None:
        owner = live.leg_owners.pop(leg, None)
        live.opened_s.pop(leg, None)
        if owner is not None:
            sample = self._relay.sample(leg)
            live.meters[owner].close(leg, bytes_up=sample.bytes_up, bytes_down=sample.bytes_down)
        self._relay.close_leg(leg)

    # --- journal

    def _record(self, live: Live, effect: fx.RecordEffect) -> None:
        self._journal.put(_record(live.id, effect, self._clock.now()))


def _record(session: SessionId, effect: fx.RecordEffect, now: datetime) -> Record:
    match effect:
        case fx.RecordState(state=CallState.ENDED):
            return ended(session, reason=effect.reason, now=now)
        case fx.RecordState():
            return StateRecord(session, effect.state, began_at=effect.started_at, closes_at=effect.ends_at)
        case fx.RecordMode():
            return ModeRecord(session, effect.mode.value, effect.reason.value)
        case fx.RecordPlace():
            return PlaceRecord(effect.participant, effect.state.value, now, taken_by=effect.seat_hash)
        case fx.RecordEvent():
            return EventRecord(session, effect.participant, effect.kind, effect.detail, now)
