"""A call with a little world around it, for the tests of the pure machine."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from core.ids import ParticipantId
from media.codecs import Mode
from media.description import Answer, OfferRequest
from media.events import LegId
from signaling import effects as fx
from signaling import events as ev
from signaling.call import Call
from signaling.mode import ModeState
from signaling.participant import ConnectionId, Place
from signaling.protocol import CloseCode, WireState
from signaling.server_messages import Ended, Error, Peer, Welcome
from signaling.terms import CallTerms
from tests.signaling.relay import answer_to

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
A, B = ParticipantId("p_a"), ParticipantId("p_b")
CODECS = ("audio/opus", "video/VP8")


class Rig:
    """A call with a little world around it: sockets, legs and the latest offers, checked as it goes."""

    def __init__(self, mode: Mode = Mode.VIDEO, **terms: Any) -> None:
        self.call = Call(
            CallTerms(session="s", leg_tag="t", **terms),
            (Place(A, "client", "Melati"), Place(B, "counselor", "Budi")),
            ModeState(mode),
        )
        self.now = NOW
        self.sockets = 0
        self.seated: dict[ParticipantId, ConnectionId] = {}
        self.held: dict[ConnectionId, list[object]] = {}
        self.closed: dict[ConnectionId, CloseCode] = {}
        self.hashes: dict[ParticipantId, str] = {}
        self.open_legs: set[LegId] = set()
        self.leg_of: dict[ParticipantId, LegId] = {}
        self.offers: dict[LegId, OfferRequest] = {}
        self.open_offers: set[LegId] = set()
        self.forwards: dict[LegId, tuple[bool, bool]] = {}
        self.expects: dict[LegId, tuple[bool, bool]] = {}
        self.link: tuple[LegId, LegId] | None = None
        self.sent: dict[ParticipantId, list[Any]] = {A: [], B: []}
        self.asked: str | None = None
        self.recorded: list[fx.RecordEvent] = []

    def apply(self, event: ev.CallEvent) -> list[fx.Effect]:
        effects = self.call.apply(event, self.now)
        for effect in effects:
            self.check(effect)
        return effects

    def check(self, effect: fx.Effect) -> None:  # noqa: C901, PLR0912  # one case for each effect
        match effect:
            case fx.SeatIn():
                assert effect.participant not in self.seated, "one seated connection for each place"
                assert effect.connection not in self.closed
                self.held.pop(effect.connection, None)
                self.seated[effect.participant] = effect.connection
                if effect.resume_seq is None:
                    self.sent[effect.participant].clear()
                self.sent[effect.participant].append(effect.welcome)
            case fx.Hold():
                assert effect.connection not in self.seated.values()
                self.held[effect.connection] = []
            case fx.Send():
                assert not isinstance(effect.message, Welcome)
                self.sent[effect.to].append(effect.message)
                if effect.message.__class__.__name__ == "Takeover":
                    self.asked = effect.message.id  # type: ignore[attr-defined]  # told by its name
            case fx.SendHeld():
                self.told_at_the_door(effect)
            case fx.CloseSocket():
                assert effect.connection not in self.closed, "closed once"
                self.closed[effect.connection] = effect.code
                self.held.pop(effect.connection, None)
                self.seated = {p: c for p, c in self.seated.items() if c != effect.connection}
            case fx.OpenLeg():
                self.open_legs.add(effect.leg)
                self.leg_of[effect.participant] = effect.leg
            case fx.CloseLeg():
                assert effect.leg in self.open_legs, "closed once"
                self.open_legs.discard(effect.leg)
                self.open_offers.discard(effect.leg)
                if self.link is not None and effect.leg in self.link:
                    self.link = None
            case fx.MakeOffer():
                assert effect.leg in self.open_legs
                assert effect.leg not in self.open_offers, "one open offer for each leg"
                before = self.offers.get(effect.leg)
                assert effect.request.negotiation == (before.negotiation + 1 if before else 1)
                assert {111, 96} <= set(effect.request.payload_types)
                self.offers[effect.leg] = effect.request
                self.open_offers.add(effect.leg)
            case fx.Pair():
                assert {effect.a, effect.b} <= self.open_legs
                self.link = (effect.a, effect.b)
            case fx.Forward():
                assert effect.leg in self.open_legs
                assert not (effect.audio or effect.video) or (self.link and effect.leg in self.link)
                self.forwards[effect.leg] = (effect.audio, effect.video)
            case fx.Expect():
                assert effect.leg in self.open_legs
                self.expects[effect.leg] = (effect.audio, effect.video)
            case fx.KeyFrame():
                assert effect.leg in self.open_legs
            case fx.RecordEvent():
                self.recorded.append(effect)
            case _:
                pass

    def noted(self, kind: str) -> list[tuple[ParticipantId | None, dict[str, object]]]:
        """What was written down of one kind: whose, and its detail."""
        return [(one.participant, dict(one.detail)) for one in self.recorded if one.kind == kind]

    def told_at_the_door(self, effect: fx.SendHeld) -> None:
        match effect.message:
            case Peer():
                assert effect.message.name is None
                assert effect.message.media is None
                assert effect.message.state is WireState.WAITING
            case message:
                assert isinstance(message, Ended), "a held newcomer is told nothing else"

    # --- what people do

    def join(self, who: ParticipantId, *, key: bool = False, resume: int | None = None) -> ConnectionId:
        self.sockets += 1
        number = self.sockets
        shown = self.call.place(who).seat_hash if key else None  # type: ignore[union-attr]  # it exists
        self.apply(
            ev.Join(
                participant=who,
                connection=ConnectionId(number),
                codecs=CODECS,
                device="",
                takeover_id=f"t{number}",
                fresh_key=f"{who}.{number}",
                fresh_hash=f"h{number}",
                key="k",
                shown=shown,
                resume_seq=resume,
            )
        )
        return ConnectionId(number)

    def lose(self, who: ParticipantId, *, page_left: bool = False) -> None:
        connection = self.seated.pop(who, None)
        if connection is not None:
            self.apply(ev.SocketLost(connection, page_left))

    def answer(self, who: ParticipantId, answer: Answer | None = None, *, up: bool = True) -> None:
        leg = self.leg_of[who]
        assert leg in self.open_offers
        self.open_offers.discard(leg)
        request = self.offers[leg]
        self.apply(ev.Answered(leg, answer or answer_to(request, base=1000 if who == A else 2000)))
        if up and request.negotiation == 1:
            self.apply(ev.LegUp(leg))

    def meet(self) -> None:
        self.join(A)
        self.join(B)
        self.answer_all()

    def answer_all(self) -> None:
        while self.open_offers:
            for who in (A, B):
                if self.leg_of[who] in self.open_offers:
                    self.answer(who)

    def is_linked(self) -> bool:
        return self.link == (self.leg_of[A], self.leg_of[B])

    def pass_time(self, seconds: float) -> list[fx.Effect]:
        self.now += timedelta(seconds=seconds)
        return self.apply(ev.Tick())

    def request(self, who: ParticipantId) -> OfferRequest:
        return self.offers[self.leg_of[who]]

    def codes(self, who: ParticipantId) -> list[str]:
        return [message.code for message in self.sent[who] if isinstance(message, Error)]

    def states(self, who: ParticipantId) -> list[WireState]:
        return [message.state for message in self.sent[who] if isinstance(message, Peer)]
