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

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal

from msgspec import UNSET

from core.clock import moved, rfc3339
from core.errors import InvalidState
from core.ids import ParticipantId, UserId
from media.codecs import Mode
from media.ladder import Picture
from signaling import events as ev
from signaling.beats import Pace
from signaling.door import Door
from signaling.effects import (
    CloseSocket,
    Effect,
    RecordEvent,
    RecordMode,
    RecordPlace,
    RecordState,
    Send,
    SendHeld,
)
from signaling.legs import Legs
from signaling.mode import BEGAN, ModeState, Verdict
from signaling.pairing import Pairing
from signaling.participant import Place, Seat, SeatEvent
from signaling.presence import Presence, presence
from signaling.protocol import CloseCode, MediaState, WireState
from signaling.seating import Seating
from signaling.server_messages import Ended, ModeChanged, RecordingInfo, SessionChanged, SessionInfo
from signaling.telling import Telling
from signaling.terms import CallState, CallTerms, Refused

# A ping frame, its pong and what TCP adds are 164 bytes: in voice, every 2 s, more than all other signaling.
QUIET_BEATS = 5

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
    by_phone: bool = False
    recorded: Mapping[ParticipantId, RecordingInfo] = field(default_factory=dict)
    """What a welcome says of the recording to whom, where one may be asked for."""
    _door: Door = field(init=False)
    _pairing: Pairing = field(init=False)
    _legs: Legs = field(init=False)
    _telling: Telling = field(init=False)
    _seating: Seating = field(init=False)
    _was_active: bool = field(init=False)

    def __post_init__(self) -> None:
        self._door = Door(self.places, self.terms.session)
        self._pairing = Pairing(*self.places, turned_on=self.terms.turned_on)
        self._telling = Telling(self.places, self._pairing, self.terms)
        wanted = self.mode.mode is not Mode.CHAT
        self._legs = Legs(self.places, self._pairing, self.terms, wanted)
        self._seating = Seating(
            self.places, self._door, self._pairing, self._legs, self._telling, self._welcomed
        )
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

    def presence(self, participant: ParticipantId) -> Presence:
        """Say whether a participant is there, left, or is gone because their line broke."""
        place = self._place(participant)
        return presence(place, self.view(participant), quickly=self._telling.is_quick(participant))

    def awaits_answer(self, participant: ParticipantId, leg: str, negotiation: int) -> bool:
        """Tell whether this answers the open offer of this participant."""
        current = self._place(participant).leg
        return current is not None and current.id == leg and current.negotiation.awaits(negotiation)

    def is_asked(self, participant: ParticipantId, takeover_id: str) -> bool:
        """Tell whether this participant is the one who is asked to admit this newcomer."""
        return self._door.may_answer(participant, takeover_id)

    @property
    def heartbeat_s(self) -> float:
        """How often a line is asked, in the present mode, as both are told it."""
        return self.terms.heartbeat_chat_s if self.mode.mode is Mode.CHAT else self.terms.heartbeat_s

    def pace(self, participant: ParticipantId | None, *, closely: Collection[UserId] = ()) -> Pace:
        """Say how often to ping whom: in voice less, while the voice itself proves the line.

        In chat nothing but the answer proves it: while there is none it is asked as often as anywhere, and
        those who are watched ``closely`` are asked more often. None is a newcomer who is held.
        """
        every_s = self.heartbeat_s
        place = None if participant is None else self._place(participant)
        if self.mode.mode is Mode.CHAT:
            if place is not None and place.user in closely:
                every_s = min(every_s, self.terms.heartbeat_risk_s)
            return Pace(every_s, self.terms.heartbeat_s)
        if place is not None and self.mode.mode is Mode.VOICE and self.view(place.id) is WireState.CONNECTED:
            every_s *= QUIET_BEATS
        return Pace(every_s, every_s)

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
        yield from self._legs.deadlines()
        for place in self.places:
            if place.seat is Seat.LOST and place.lost_at is not None:
                yield place.lost_at + timedelta(seconds=self.terms.grace_s)

    def clock_set(self, by: timedelta) -> None:
        """Move with the clock what counts from a moment on; the session ends at a time of day."""
        self.mode.held_until = moved(self.mode.held_until, by)
        self._door.clock_set(by)
        for place in self.places:
            place.clock_set(by)

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
                return self._seating.join(self._place(event.participant), event, now)
            case ev.SocketLost():
                return self._seating.lost(event, now)
            case ev.Leaves():
                return self._seating.leave(self._place(event.participant), quickly=event.quickly)
            case ev.AsksRestart():
                return self._legs.restart(self._place(event.participant), now, fresh=event.fresh)
            case ev.SaysMedia():
                return self._says_media(self._place(event.participant), event.media, event.why)
            case ev.SendsTwice():
                self._place(event.participant).twice = event.twice
                return []
            case ev.SetsBudget():
                return [RecordEvent("budget", event.participant, {"mb": event.mb})]
            case ev.LosesDevice():
                return [RecordEvent("device_lost", event.participant, {"device": event.device})]
            case ev.WishesMode():
                return self._wish(event, now)
            case ev.Answered():
                return self._legs.answered(event)
            case ev.AnswersTakeover():
                return self._seating.answer(event, now)
            case ev.LegUp():
                return self._legs.up(event)
            case ev.LegLost():
                return self._legs.lost(event, now)
            case ev.LegSilent() | ev.LegBack():
                return self._legs.path(event)
            case ev.StreamsSeen():
                return self._legs.streams_seen(event)
            case ev.Phones():
                return self._go_by_phone(event)
            case ev.Ends():
                return self._end(event)
            case ev.Tick():
                return self._tick(now)

    def _welcomed(self, participant: ParticipantId) -> tuple[SessionInfo, float]:
        policy: Literal["ask", "off"] = "ask" if self.terms.recording == "ask" else "off"
        session = SessionInfo(
            id=self.terms.session,
            mode=self.mode.mode,
            state=self.state,
            recording=self.recorded.get(participant) or RecordingInfo(policy=policy, state="off", terms=None),
            started_at=rfc3339(self.started_at),
            ends_at=rfc3339(self.ends_at),
            phone=True if self.by_phone else UNSET,
            mode_reason=self.mode.reason or UNSET,
        )
        return session, self.heartbeat_s

    def _says_media(self, place: Place, media: MediaState, why: Mapping[str, str]) -> list[Effect]:
        """Take what a side sends now; another step of its picture is kept."""
        before, place.media = place.media, media
        picture = (media.picture, media.by)
        if media.picture is UNSET or (before is not None and picture == (before.picture, before.by)):
            return []
        if before is None and media.picture is Picture.FULL:
            return []
        detail = {"step": media.picture.value} | ({} if media.by is UNSET else {"by": media.by.value})
        return [RecordEvent("picture", place.id, {**detail, **why})]

    def _wish(self, event: ev.WishesMode, now: datetime) -> list[Effect]:
        before = self.mode.reason
        match self.mode.wish(event.mode, event.reason, now):
            case Verdict.SAME:
                return [] if self.mode.reason is before else [RecordMode(event.mode, event.reason)]
            case Verdict.HELD:
                raise Refused("mode_held", "somebody chose this mode a moment ago")
            case Verdict.CHANGED:
                self._legs.wanted = self._legs.wanted or event.mode is not Mode.CHAT
        message = ModeChanged(
            mode=event.mode, by=event.participant, reason=event.reason, heartbeat_s=self.heartbeat_s
        )
        detail = {"mode": event.mode.value, "reason": event.reason.value}
        return [
            *self._to_all(message),
            RecordMode(event.mode, event.reason),
            RecordEvent("mode", event.participant, detail),
        ]

    def _go_by_phone(self, event: ev.Phones) -> list[Effect]:
        """Go on by telephone. Raises ``Refused`` while both are connected here."""
        if self.state is CallState.ACTIVE:
            raise Refused("connected", "both are here")
        if self.by_phone:
            return []
        self.by_phone = True
        return [*self._to_all(self._changed()), RecordEvent("phone", event.participant)]

    def _end(self, event: ev.Ends) -> list[Effect]:
        self.ended = Ended(reason=event.reason, by=event.by)
        self.state = CallState.ENDED
        effects: list[Effect] = [RecordState(CallState.ENDED, reason=event.reason)]
        for place in self.places:
            if place.is_here and place.connection is not None:
                effects.append(Send(place.id, self.ended))
                effects.append(CloseSocket(place.connection, CloseCode.ENDED))
            if place.is_kept:
                place.step(SeatEvent.LEAVE)
                effects.append(RecordPlace(place.id, WireState.LEFT))
            effects += self._legs.empty(place)
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
                effects += [*self._legs.empty(place), RecordEvent("grace_over", place.id)]
            effects += self._legs.tick(place, now)
        return effects

    # --- settling

    def _settle(self, now: datetime) -> list[Effect]:
        mode = self.mode.mode
        effects = self._seating.free(now)
        effects += self._door.ask()
        effects += self._pairing.flow(mode)
        effects += self._legs.open(now)
        effects += self._legs.offers(mode, now)
        effects += self._pairing.connect(mode)
        effects += self._pairing.flow(mode)
        effects += self._telling.tell(mode)
        effects += self._pairing.expectations(mode)
        effects += self._move(now)
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
        began: list[Effect] = []
        if state is CallState.ACTIVE:
            if not self._was_active:
                began = [RecordEvent("mode", None, {"mode": self.mode.mode.value, "reason": BEGAN})]
            self._was_active = True
            self.by_phone = False
            self.started_at = self.started_at or now
            if self.ends_at is None and self.terms.max_minutes is not None:
                self.ends_at = self.started_at + timedelta(minutes=self.terms.max_minutes)
        return [*self._to_all(self._changed()), RecordState(state, self.started_at, self.ends_at), *began]

    def _changed(self) -> SessionChanged:
        return SessionChanged(
            state=self.state,
            started_at=rfc3339(self.started_at),
            ends_at=rfc3339(self.ends_at),
            phone=True if self.by_phone else UNSET,
        )

    # --- small things

    def _place(self, participant: ParticipantId) -> Place:
        place = self.place(participant)
        if place is None:
            raise InvalidState("not a participant of this session")
        return place

    def _to_all(self, message: ModeChanged | SessionChanged) -> list[Effect]:
        return [Send(place.id, message) for place in self.places if place.is_kept]
