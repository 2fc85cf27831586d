"""One counseling session while it is alive: a pure machine over two places.

    state       | Ends  | SocketLost, Tick, Leg*, StreamsSeen | every other event
    ------------+-------+-------------------------------------+------------------
    WAITING     | ENDED | legal                               | legal
    ACTIVE      | ENDED | legal                               | legal
    INTERRUPTED | ENDED | legal                               | legal
    ENDED       | -     | legal, changes nothing              | -

``-`` raises ``InvalidState`` and changes nothing. Between the first three the call moves by what
it sees: ACTIVE while each side sees the other connected, INTERRUPTED when it was that once,
WAITING before. A request that is legal and cannot be granted raises ``Refused``.

``apply(event, now)`` returns effects in the order in which they are to be done. It first lets the
event change the places, then settles: asks at the door, opens legs, makes offers, links, tells.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.clock import rfc3339
from core.errors import InvalidState, TeduhError
from core.ids import ParticipantId
from media.codecs import Mode
from media.description import OfferRequest, VoiceProfile
from media.events import LegId
from signaling import events as ev
from signaling.door import Door
from signaling.effects import (
    CloseSocket,
    Effect,
    KeyFrame,
    MakeOffer,
    OfferClosed,
    OpenLeg,
    RecordEvent,
    RecordMode,
    RecordPlace,
    RecordState,
    SeatIn,
    Send,
    SendHeld,
)
from signaling.leg import Leg, PathEvent
from signaling.mode import ModeState, Verdict
from signaling.pairing import Pairing
from signaling.participant import ConnectionId, Place, Seat, SeatEvent
from signaling.protocol import (
    CloseCode,
    Ended,
    Error,
    IceServer,
    MediaState,
    ModeChanged,
    Peer,
    PeerInfo,
    RecordingInfo,
    SessionChanged,
    SessionInfo,
    Welcome,
    WireState,
    You,
)
from signaling.takeover import Takeover

OLD_LEG_FOR = timedelta(seconds=10)
RESTART_EVERY = timedelta(seconds=2)
RETRY_AFTER_S = (0.0, 1.0, 2.0, 5.0, 10.0, 30.0)


class Refused(TeduhError):
    """A request that cannot be granted now; nothing was changed."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(text)
        self.code = code


class CallState(enum.StrEnum):
    """The state of a session on the wire."""

    WAITING = "waiting"
    ACTIVE = "active"
    INTERRUPTED = "interrupted"
    ENDED = "ended"


IN_EVERY_STATE: tuple[type[ev.CallEvent], ...] = (
    ev.SocketLost,
    ev.Tick,
    ev.LegUp,
    ev.LegLost,
    ev.LegSilent,
    ev.LegBack,
    ev.StreamsSeen,
)


def is_legal(state: CallState, event: ev.CallEvent) -> bool:
    """Tell whether the table has this pair."""
    return state is not CallState.ENDED or isinstance(event, IN_EVERY_STATE)


@dataclass(frozen=True, slots=True)
class CallTerms:
    """What does not change during a call."""

    session: str
    leg_tag: str
    recording: str = "off"
    grace_s: float = 600.0
    heartbeat_s: float = 2.0
    heartbeat_chat_s: float = 15.0
    max_minutes: int | None = None
    ice_servers: tuple[IceServer, ...] = ()
    turned_on: frozenset[str] = frozenset()
    voice: VoiceProfile = field(default_factory=VoiceProfile)


@dataclass(slots=True)
class Call:
    """A session's state. ``places`` are the two participants, in the session's order."""

    terms: CallTerms
    places: tuple[Place, Place]
    mode: ModeState
    state: CallState = CallState.WAITING
    started_at: datetime | None = None
    ends_at: datetime | None = None
    ended: Ended | None = None
    _door: Door = field(init=False)
    _pairing: Pairing = field(init=False)
    _media_wanted: bool = field(init=False)
    _was_active: bool = field(init=False)
    _legs_made: int = 0
    _told: dict[ParticipantId, tuple[WireState, MediaState | None]] = field(default_factory=dict)
    _recorded: dict[ParticipantId, WireState] = field(default_factory=dict)
    _again: set[ParticipantId] = field(default_factory=set)

    def __post_init__(self) -> None:
        self._door = Door(self.places, self.terms.session)
        self._pairing = Pairing(*self.places, turned_on=self.terms.turned_on)
        self._media_wanted = self.mode.mode is not Mode.CHAT
        self._was_active = self.started_at is not None

    # --- asked from outside

    def place(self, participant: ParticipantId) -> Place | None:
        """Return a participant's place, None for a stranger."""
        return next((place for place in self.places if place.id == participant), None)

    def other(self, participant: ParticipantId) -> Place:
        """Return the other participant's place."""
        return self._pairing.other(self._place(participant))

    def view(self, participant: ParticipantId) -> WireState:
        """Say the state of a participant, as the other one is told it."""
        return self._pairing.view(self._place(participant), self.mode.mode)

    def awaits_answer(self, participant: ParticipantId, leg: str, negotiation: int) -> bool:
        """Tell whether this answers the open offer of this participant."""
        current = self._place(participant).leg
        return current is not None and current.id == leg and current.negotiation.awaits(negotiation)

    def is_asked(self, participant: ParticipantId, takeover_id: str) -> bool:
        """Tell whether this participant is the one who is asked to admit this newcomer."""
        return self._door.may_answer(participant, takeover_id)

    @property
    def heartbeat_s(self) -> float:
        """How often the server pings, in the present mode."""
        return self.terms.heartbeat_chat_s if self.mode.mode is Mode.CHAT else self.terms.heartbeat_s

    @property
    def is_idle(self) -> bool:
        """Whether nobody is here, expected back, or held: the call may be forgotten."""
        return not any(place.is_kept for place in self.places) and not self._door.held

    @property
    def next_deadline(self) -> datetime | None:
        """When the next ``Tick`` is needed, None when nothing waits for the time."""
        return min(self._deadlines(), default=None)

    def _deadlines(self) -> Iterator[datetime]:
        if self.state is CallState.ENDED:
            return
        if self.ends_at is not None:
            yield self.ends_at
        yield from self._door.deadlines()
        for place in self.places:
            if place.seat is Seat.LOST and place.lost_at is not None:
                yield place.lost_at + timedelta(seconds=self.terms.grace_s)
            if place.old_leg is not None and place.old_leg.close_at is not None:
                yield place.old_leg.close_at
            if place.is_here and place.leg is None and place.retry_at is not None:
                yield place.retry_at
            if place.is_here and place.leg is not None and place.leg.negotiation.deadline is not None:
                yield place.leg.negotiation.deadline

    # --- events

    def apply(self, event: ev.CallEvent, now: datetime) -> list[Effect]:
        """Take an event and return what is to be done, in order.

        Raises ``InvalidState`` for a pair that the table does not have and ``Refused`` for a
        request that cannot be granted; both change nothing.
        """
        if not is_legal(self.state, event):
            raise InvalidState("the session has ended")
        if self.state is CallState.ENDED:
            return []
        effects = self._take(event, now)
        return effects if self.ended is not None else effects + self._settle(now)

    def _take(self, event: ev.CallEvent, now: datetime) -> list[Effect]:  # noqa: C901, PLR0911, PLR0912  # one line for each event
        match event:
            case ev.Join():
                return self._join(event, now)
            case ev.SocketLost():
                return self._socket_lost(event.connection, now)
            case ev.Leaves():
                return self._leave(self._place(event.participant))
            case ev.AsksRestart():
                return self._restart(self._place(event.participant), now, fresh=event.fresh)
            case ev.SaysMedia():
                self._place(event.participant).media = event.media
                return []
            case ev.WishesMode():
                return self._wish(event, now)
            case ev.Answered():
                return self._answered(event)
            case ev.AnswersTakeover():
                return self._answer_door(event, now)
            case ev.LegUp():
                return self._leg_up(event)
            case ev.LegLost():
                return self._leg_lost(event, now)
            case ev.LegSilent() | ev.LegBack():
                return self._path(event)
            case ev.StreamsSeen():
                return self._streams_seen(event)
            case ev.Ends():
                return self._end(event)
            case ev.Tick():
                return self._tick(now)

    def _join(self, event: ev.Join, now: datetime) -> list[Effect]:
        place = self._place(event.participant)
        fits = event.shown is not None and event.shown == place.seat_hash
        if place.is_kept and not fits:
            return self._door.hold(event, now)
        if not fits:
            place.seat_hash, key = event.fresh_hash, event.fresh_key
        else:
            key = event.key
        resume_seq = event.resume_seq if fits and place.is_kept else None
        return self._seat(place, event, key, now, resume_seq=resume_seq)

    def _seat(
        self,
        place: Place,
        newcomer: ev.Join | Takeover,
        key: str,
        now: datetime,
        *,
        resume_seq: int | None = None,
    ) -> list[Effect]:
        """Let a connection sit down in a place; a former one is closed."""
        effects: list[Effect] = []
        if place.is_here and place.connection is not None:
            effects.append(CloseSocket(place.connection, CloseCode.CONTINUED_ELSEWHERE))
        if place.seat is not Seat.ABSENT and resume_seq is None:
            self._again.add(place.id)
        if place.seat is Seat.LOST and place.lost_at is not None:
            gap_ms = round((now - place.lost_at).total_seconds() * 1000)
            effects.append(RecordEvent("socket_resumed", place.id, {"gap_ms": gap_ms}))
        place.step(SeatEvent.ENTER)
        place.connection, place.codecs = newcomer.connection, newcomer.codecs
        place.lost_at, place.key = None, key
        if resume_seq is None:
            place.media = None
            place.failures, place.retry_at = 0, None
            effects += self._retire(place, now)
            self._door.forget_asked(place.id)
        elif place.leg is not None:
            place.leg.negotiation.prolong(now)
        effects.append(RecordPlace(place.id, self._pairing.view(place, self.mode.mode), place.seat_hash))
        effects.append(SeatIn(newcomer.connection, place.id, self._welcome(place, resume_seq), resume_seq))
        return effects

    def _welcome(self, place: Place, resume_seq: int | None) -> Welcome:
        other = self._pairing.other(place)
        state = self._pairing.view(other, self.mode.mode)
        if resume_seq is None:
            self._told[place.id] = (state, other.media)
            self._again.discard(other.id)
        asks = self.terms.recording == "ask"
        return Welcome(
            session=SessionInfo(
                id=self.terms.session,
                mode=self.mode.mode,
                state=self.state,
                recording=RecordingInfo(policy="ask" if asks else "off", state="off", terms=None),
                started_at=rfc3339(self.started_at),
                ends_at=rfc3339(self.ends_at),
            ),
            you=You(id=place.id, role=place.role, name=place.name),
            peers=[PeerInfo(id=other.id, role=other.role, name=other.name, state=state, media=other.media)],
            ice_servers=list(self.terms.ice_servers),
            heartbeat_s=self.heartbeat_s,
            grace_s=self.terms.grace_s,
            resume_key=place.key,
            resumed=resume_seq is not None,
        )

    def _socket_lost(self, connection: ConnectionId, now: datetime) -> list[Effect]:
        if self._door.gone(connection):
            return []
        place = next((p for p in self.places if p.is_here and p.connection == connection), None)
        if place is None:
            return []
        place.step(SeatEvent.LOSE)
        place.connection, place.lost_at = None, now
        return [RecordEvent("socket_lost", place.id)]

    def _leave(self, place: Place) -> list[Effect]:
        connection = place.connection
        place.step(SeatEvent.LEAVE)
        effects = self._empty(place)
        if connection is not None:
            effects.append(CloseSocket(connection, CloseCode.NORMAL))
        return [*effects, RecordEvent("left", place.id)]

    def _empty(self, place: Place) -> list[Effect]:
        """Take away what a place has while somebody sits there."""
        effects: list[Effect] = []
        for leg in place.legs:
            effects += self._pairing.drop(leg)
        place.leg = place.old_leg = None
        place.connection = place.lost_at = place.media = place.retry_at = None
        return effects

    def _restart(self, place: Place, now: datetime, *, fresh: bool) -> list[Effect]:
        if place.restarted_at is not None and now - place.restarted_at < RESTART_EVERY:
            raise Refused("too_soon", "at most one restart in two seconds")
        if not self._media_wanted:
            raise Refused("no_leg", "this session has no media yet")
        place.restarted_at = now
        if place.leg is None or fresh:
            place.retry_at = None
            return self._retire(place, now)
        place.leg.negotiation.restart_wanted = True
        return [RecordEvent("ice_restart", place.id)]

    def _wish(self, event: ev.WishesMode, now: datetime) -> list[Effect]:
        match self.mode.wish(event.mode, event.reason, now):
            case Verdict.SAME:
                return []
            case Verdict.HELD:
                raise Refused("mode_held", "somebody chose this mode a moment ago")
            case Verdict.CHANGED:
                self._media_wanted = self._media_wanted or event.mode is not Mode.CHAT
        message = ModeChanged(mode=event.mode, by=event.participant, reason=event.reason)
        detail = {"mode": event.mode.value, "reason": event.reason.value}
        return [
            *self._to_all(message),
            RecordMode(event.mode),
            RecordEvent("mode", event.participant, detail),
        ]

    def _answered(self, event: ev.Answered) -> list[Effect]:
        place, leg = self._owner(event.leg)
        if place is None or leg is None or leg is not place.leg:
            return []
        leg.take(event.answer)
        return [OfferClosed(place.id)]

    def _answer_door(self, event: ev.AnswersTakeover, now: datetime) -> list[Effect]:
        if not self._door.may_answer(event.participant, event.takeover_id):
            raise Refused("no_takeover", "nobody asks you that now")
        if event.admit:
            return self._admit(self._place(self._door.admit(event.takeover_id)), now)
        return self._door.refuse(event.takeover_id)

    def _admit(self, place: Place, now: datetime) -> list[Effect]:
        newcomer = self._door.take(place.id)
        if newcomer is None:
            return []
        place.seat_hash = newcomer.fresh_hash
        return self._seat(place, newcomer, newcomer.fresh_key, now)

    def _leg_up(self, event: ev.LegUp) -> list[Effect]:
        _, leg = self._owner(event.leg)
        if leg is not None:
            leg.observe(PathEvent.CONNECTED)
        return []

    def _leg_lost(self, event: ev.LegLost, now: datetime) -> list[Effect]:
        place, leg = self._owner(event.leg)
        if place is None or leg is None:
            return []
        effects: list[Effect] = [RecordEvent("leg_lost", place.id, {"reason": event.reason})]
        if leg is place.old_leg:
            place.old_leg = None
            return effects + self._pairing.drop(leg, closed=event.closed)
        if not event.closed:
            return effects + self._retire(place, now)
        place.leg = None
        self._fail(place, now)
        return [*effects, *self._pairing.drop(leg, closed=True), OfferClosed(place.id)]

    def _path(self, event: ev.LegSilent | ev.LegBack) -> list[Effect]:
        place, leg = self._owner(event.leg)
        if place is None or leg is None:
            return []
        back = isinstance(event, ev.LegBack)
        leg.observe(PathEvent.RESUMED if back else PathEvent.INTERRUPTED)
        kind = "resumed" if back else "interrupted"
        effects: list[Effect] = [RecordEvent(kind, place.id, {"gap_ms": event.gap_ms})]
        if back:
            both = (self._pairing.carrier(p) for p in self.places)
            effects += [KeyFrame(one.id) for one in both if one and self._pairing.passes_video(one.id)]
        return effects

    def _streams_seen(self, event: ev.StreamsSeen) -> list[Effect]:
        _, leg = self._owner(event.leg)
        if leg is not None:
            leg.streams = event.streams
        return []

    def _end(self, event: ev.Ends) -> list[Effect]:
        self.ended = Ended(reason=event.reason, by=event.by)
        self.state = CallState.ENDED
        effects: list[Effect] = [RecordState(CallState.ENDED, event.reason)]
        for place in self.places:
            if place.is_here and place.connection is not None:
                effects.append(Send(place.id, self.ended))
                effects.append(CloseSocket(place.connection, CloseCode.ENDED))
            if place.is_kept:
                place.step(SeatEvent.LEAVE)
                effects.append(RecordPlace(place.id, WireState.LEFT))
            effects += self._empty(place)
        for newcomer in self._door.clear():
            effects.append(SendHeld(newcomer.connection, self.ended))
            effects.append(CloseSocket(newcomer.connection, CloseCode.ENDED))
        return effects

    def _tick(self, now: datetime) -> list[Effect]:
        if self.ends_at is not None and now >= self.ends_at:
            return self._end(ev.Ends("time_over", None))
        effects = self._door.expire(now)
        grace = timedelta(seconds=self.terms.grace_s)
        for place in self.places:
            if place.seat is Seat.LOST and place.lost_at is not None and now >= place.lost_at + grace:
                place.step(SeatEvent.EXPIRE)
                effects += [*self._empty(place), RecordEvent("grace_over", place.id)]
            old = place.old_leg
            if old is not None and old.close_at is not None and now >= old.close_at:
                place.old_leg = None
                effects += self._pairing.drop(old)
            leg = place.leg
            if place.is_here and leg is not None and leg.negotiation.is_due(now):
                effects += self._time_out(place, leg, now)
        return effects

    def _time_out(self, place: Place, leg: Leg, now: datetime) -> list[Effect]:
        leg.negotiation.time_out()
        place.leg = None
        self._fail(place, now)
        text = "no answer came in time; a new leg follows"
        return [
            Send(place.id, Error(code="negotiation_timeout", message=text)),
            OfferClosed(place.id),
            *self._pairing.drop(leg),
            RecordEvent("negotiation_timeout", place.id),
        ]

    def _fail(self, place: Place, now: datetime) -> None:
        """Say when the next leg may be tried: at once, then ever later."""
        wait_s = RETRY_AFTER_S[min(place.failures, len(RETRY_AFTER_S) - 1)]
        place.failures += 1
        place.retry_at = now + timedelta(seconds=wait_s)

    # --- settling

    def _settle(self, now: datetime) -> list[Effect]:
        mode = self.mode.mode
        effects: list[Effect] = []
        for free in self._door.free():
            effects += self._admit(free, now)
        effects += self._door.ask()
        effects += self._pairing.flow(mode)
        effects += self._open_legs(now)
        effects += self._offers(now)
        effects += self._pairing.connect(mode)
        effects += self._pairing.flow(mode)
        effects += self._tell()
        effects += self._pairing.expectations(mode)
        effects += self._move(now)
        return effects

    def _open_legs(self, now: datetime) -> list[Effect]:
        effects: list[Effect] = []
        for place in self.places:
            wanted = self._media_wanted and place.is_here and place.leg is None
            if wanted and (place.retry_at is None or now >= place.retry_at):
                self._legs_made += 1
                place.leg = Leg(LegId(f"l_{self.terms.leg_tag}{self._legs_made}"))
                place.retry_at = None
                effects.append(OpenLeg(place.leg.id, place.id))
        return effects

    def _retire(self, place: Place, now: datetime) -> list[Effect]:
        """Make room for a new leg; the former one carries media until that is connected."""
        leg = place.leg
        if leg is None:
            return []
        carries = leg is self._pairing.carrier(place)
        place.leg = None
        effects: list[Effect] = [OfferClosed(place.id)]
        if not carries:
            return effects + self._pairing.drop(leg)
        leg.negotiation.close()
        leg.close_at = now + OLD_LEG_FOR
        place.old_leg = leg
        return effects

    def _offers(self, now: datetime) -> list[Effect]:
        effects: list[Effect] = []
        for place in self.places:
            leg = place.leg
            if leg is None or not place.is_here:
                continue
            content = self._pairing.content(place, self.mode.mode)
            if not leg.negotiation.wants(content):
                continue
            restart = leg.negotiation.restart_wanted
            number = leg.negotiation.offer(content, now)
            request = OfferRequest(
                negotiation=number,
                mode=content.mode,
                payload_types=content.payload_types,
                peer=content.peer,
                streams=content.streams,
                restart=restart,
                voice=self.terms.voice,
            )
            effects.append(MakeOffer(place.id, leg.id, request))
        return effects

    def _tell(self) -> list[Effect]:
        """Tell each side how the other looks now, if that is news to it."""
        effects: list[Effect] = []
        for place in self.places:
            state = self._pairing.view(place, self.mode.mode)
            if self._recorded.get(place.id) is not state:
                self._recorded[place.id] = state
                effects.append(RecordPlace(place.id, state))
            other = self._pairing.other(place)
            if not other.is_kept:
                continue
            again = place.id in self._again
            if self._told.get(other.id) == (state, place.media) and not again:
                continue
            self._told[other.id] = (state, place.media)
            self._again.discard(place.id)
            peer = Peer(id=place.id, role=place.role, name=place.name, state=state, media=place.media)
            if again:
                peer = Peer(
                    id=place.id,
                    role=place.role,
                    name=place.name,
                    state=state,
                    media=place.media,
                    joined_again=True,
                )
            effects.append(Send(other.id, peer))
        return effects

    def _move(self, now: datetime) -> list[Effect]:
        """Move the session's own state by what the two sides see."""
        views = {self._pairing.view(place, self.mode.mode) for place in self.places}
        if views == {WireState.CONNECTED}:
            state = CallState.ACTIVE
        else:
            state = CallState.INTERRUPTED if self._was_active else CallState.WAITING
        if state is self.state:
            return []
        self.state = state
        if state is CallState.ACTIVE:
            self._was_active = True
            self.started_at = self.started_at or now
            if self.ends_at is None and self.terms.max_minutes is not None:
                self.ends_at = self.started_at + timedelta(minutes=self.terms.max_minutes)
        message = SessionChanged(
            state=state, started_at=rfc3339(self.started_at), ends_at=rfc3339(self.ends_at)
        )
        return [*self._to_all(message), RecordState(state)]

    # --- small things

    def _place(self, participant: ParticipantId) -> Place:
        place = self.place(participant)
        if place is None:
            raise InvalidState("not a participant of this session")
        return place

    def _owner(self, leg_id: LegId) -> tuple[Place | None, Leg | None]:
        for place in self.places:
            for leg in place.legs:
                if leg.id == leg_id:
                    return place, leg
        return None, None

    def _to_all(self, message: ModeChanged | SessionChanged) -> list[Effect]:
        return [Send(place.id, message) for place in self.places if place.is_kept]
