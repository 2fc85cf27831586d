"""Who sits in a place: joining, coming back, being taken over by another page, leaving. Pure."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from core.ids import ParticipantId
from signaling import events as ev
from signaling.door import Door
from signaling.effects import CloseSocket, Effect, RecordEvent, RecordPlace, SeatIn
from signaling.legs import Legs
from signaling.pairing import Pairing
from signaling.participant import Place, Seat, SeatEvent
from signaling.protocol import CloseCode
from signaling.server_messages import SessionInfo
from signaling.takeover import Takeover
from signaling.telling import Telling
from signaling.terms import Refused


@dataclass(frozen=True, slots=True)
class Seating:
    """The two places of a call and its door; ``session`` says what the call is now."""

    places: tuple[Place, Place]
    door: Door
    pairing: Pairing
    legs: Legs
    telling: Telling
    session: Callable[[ParticipantId], tuple[SessionInfo, float]]
    """What a welcome says of the session to whom, and the heartbeat in seconds."""

    def join(self, place: Place, event: ev.Join, now: datetime) -> list[Effect]:
        """Seat whoever comes, or hold them at the door while another page has the place."""
        fits = event.shown is not None and event.shown == place.seat_hash
        if place.is_kept and not fits and not event.own:
            return self.door.hold(event, now)
        if not fits:
            place.seat_hash, key = event.fresh_hash, event.fresh_key
        else:
            key = event.key
        resume_seq = event.resume_seq if fits and place.is_kept else None
        return self._seat(place, event, key, now, resume_seq=resume_seq)

    def answer(self, event: ev.AnswersTakeover, now: datetime) -> list[Effect]:
        """Let a newcomer in or send them away. Raises ``Refused`` from who is not asked."""
        if not self.door.may_answer(event.participant, event.takeover_id):
            raise Refused("no_takeover", "nobody asks you that now")
        if not event.admit:
            return self.door.refuse(event.takeover_id, now)
        admitted = self.door.admit(event.takeover_id)
        return self._admit(next(place for place in self.places if place.id == admitted), now)

    def free(self, now: datetime) -> list[Effect]:
        """Seat those who are held at a place that nobody keeps any more."""
        return [effect for place in self.door.free() for effect in self._admit(place, now)]

    def lost(self, event: ev.SocketLost, now: datetime) -> list[Effect]:
        """Take the end of a connection: of who was held, or of who sat here and has their place kept."""
        if self.door.gone(event.connection):
            return []
        place = next((p for p in self.places if p.is_here and p.connection == event.connection), None)
        if place is None:
            return []
        place.step(SeatEvent.LOSE)
        place.connection, place.lost_at = None, now
        for leg in place.legs:
            leg.abandoned = event.page_left
        return [RecordEvent("socket_lost", place.id)]

    def leave(self, place: Place, *, quickly: bool) -> list[Effect]:
        """Let somebody leave by their own wish."""
        connection = place.connection
        place.step(SeatEvent.LEAVE)
        place.lost_at = None
        if quickly:
            self.telling.left_quickly(place.id)
        effects = self.legs.empty(place)
        if connection is not None:
            effects.append(CloseSocket(connection, CloseCode.NORMAL))
        return [*effects, RecordEvent("left_quickly" if quickly else "left", place.id)]

    def _admit(self, place: Place, now: datetime) -> list[Effect]:
        newcomer = self.door.take(place.id)
        if newcomer is None:
            return []
        place.seat_hash = newcomer.fresh_hash
        return self._seat(place, newcomer, newcomer.fresh_key, now)

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
            self.telling.enters_again(place.id)
        if place.seat is Seat.LOST and place.lost_at is not None:
            gap_ms = round((now - place.lost_at).total_seconds() * 1000)
            # A process that never saw this side's key does not know since when it was gone.
            effects.append(RecordEvent("socket_resumed", place.id, {"gap_ms": gap_ms} if place.key else {}))
        if place.seat is Seat.LEFT:
            effects.append(RecordEvent("entered", place.id))
        place.step(SeatEvent.ENTER)
        place.connection, place.codecs = newcomer.connection, newcomer.codecs
        place.lost_at, place.key = None, key
        if resume_seq is None:
            place.media = None
            place.failures, place.retry_at = 0, None
            effects += self.legs.retire(place, now)
            self.door.forget_asked(place.id)
        elif place.leg is not None:
            place.leg.negotiation.prolong(now)
            for leg in place.legs:
                leg.abandoned = False
        session, heartbeat_s = self.session(place.id)
        effects.append(RecordPlace(place.id, self.pairing.view(place, session.mode), place.seat_hash))
        welcome = self.telling.welcome(
            place, session, resumed=resume_seq is not None, heartbeat_s=heartbeat_s
        )
        effects.append(SeatIn(newcomer.connection, place.id, welcome, resume_seq))
        return effects
