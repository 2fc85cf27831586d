"""Who is held at the door of a session: at most one newcomer for each place. Pure.

Whoever still sits in the place is asked, or, when that side is gone, the other participant; while
nobody is there to ask, the newcomer waits, and after 60 s silence means no.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from core.errors import InvalidState
from core.ids import ParticipantId
from signaling.effects import CloseSocket, Effect, Hold, Send, SendHeld
from signaling.events import Join
from signaling.participant import ConnectionId, Place
from signaling.protocol import CloseCode, WireState
from signaling.server_messages import Peer
from signaling.server_messages import Takeover as TakeoverMessage
from signaling.takeover import ASK_FOR, Event, State, Takeover


@dataclass(slots=True)
class Door:
    """The pending takeovers of a session's two places."""

    places: tuple[Place, Place]
    session: str
    _pending: dict[ParticipantId, Takeover] = field(default_factory=dict)
    _refused: dict[ParticipantId, datetime] = field(default_factory=dict)

    @property
    def held(self) -> tuple[ConnectionId, ...]:
        """The connections that are held."""
        return tuple(takeover.connection for takeover in self._pending.values())

    def deadlines(self) -> Iterator[datetime]:
        """Say when each newcomer's time is over."""
        return (takeover.deadline for takeover in self._pending.values())

    def clock_set(self, by: timedelta) -> None:
        """Move with the clock since when each waits, or was refused."""
        for takeover in self._pending.values():
            takeover.since += by
        self._refused = {place: at + by for place, at in self._refused.items()}

    def hold(self, join: Join, now: datetime) -> list[Effect]:
        """Hold a newcomer. A second one, or one who comes again right after a no, is refused at once."""
        refused_at = self._refused.get(join.participant)
        if join.participant in self._pending or (refused_at is not None and now - refused_at < ASK_FOR):
            return [CloseSocket(join.connection, CloseCode.NOT_YOUR_PLACE)]
        self._pending[join.participant] = Takeover(
            id=join.takeover_id,
            connection=join.connection,
            place=join.participant,
            codecs=join.codecs,
            device=join.device,
            fresh_key=join.fresh_key,
            fresh_hash=join.fresh_hash,
            since=now,
        )
        other = next(place for place in self.places if place.id != join.participant)
        waiting = Peer(id=other.id, role=other.role, name=None, state=WireState.WAITING, media=None)
        return [Hold(join.connection, join.participant), SendHeld(join.connection, waiting)]

    def ask(self) -> list[Effect]:
        """Ask whoever is there to be asked now and was not asked yet."""
        effects: list[Effect] = []
        for takeover in self._pending.values():
            asked = self._whom(takeover)
            if asked is not None and asked != takeover.asked:
                takeover.asked = asked
                message = TakeoverMessage(id=takeover.id, device=takeover.device, place=takeover.place)
                effects.append(Send(asked, message))
        return effects

    def _whom(self, takeover: Takeover) -> ParticipantId | None:
        own = next(place for place in self.places if place.id == takeover.place)
        other = next(place for place in self.places if place.id != takeover.place)
        if own.is_here:
            return own.id
        return other.id if other.is_here else None

    def forget_asked(self, participant: ParticipantId) -> None:
        """Ask again: whoever was asked came back without memory."""
        for takeover in self._pending.values():
            if takeover.asked == participant:
                takeover.asked = None

    def may_answer(self, participant: ParticipantId, takeover_id: str) -> bool:
        """Tell whether this takeover is pending and this participant is the one who is asked."""
        return any(
            takeover.id == takeover_id and takeover.asked == participant
            for takeover in self._pending.values()
        )

    def admit(self, takeover_id: str) -> ParticipantId:
        """Admit a newcomer; returns the place, from which ``take`` fetches the newcomer."""
        takeover = self._by_id(takeover_id)
        takeover.step(Event.ADMIT)
        return takeover.place

    def take(self, participant: ParticipantId) -> Takeover | None:
        """Fetch the admitted newcomer of a place; None when nobody was admitted."""
        takeover = self._pending.get(participant)
        if takeover is None or takeover.state is not State.ADMITTED:
            return None
        return self._pending.pop(participant)

    def refuse(self, takeover_id: str, now: datetime) -> list[Effect]:
        """Refuse a newcomer; nobody is asked about this place again for 60 s."""
        takeover = self._by_id(takeover_id)
        takeover.step(Event.REFUSE)
        del self._pending[takeover.place]
        self._refused[takeover.place] = now
        return [CloseSocket(takeover.connection, CloseCode.NOT_YOUR_PLACE)]

    def expire(self, now: datetime) -> list[Effect]:
        """Refuse those whom nobody answered for in time."""
        due = [takeover for takeover in self._pending.values() if now >= takeover.deadline]
        effects: list[Effect] = []
        for takeover in due:
            takeover.step(Event.EXPIRE)
            del self._pending[takeover.place]
            effects.append(CloseSocket(takeover.connection, CloseCode.NOT_YOUR_PLACE))
        return effects

    def free(self) -> list[Place]:
        """Admit the newcomers of places that became nobody's; returns those places."""
        freed = [place for place in self.places if place.id in self._pending and not place.is_kept]
        for place in freed:
            self._pending[place.id].step(Event.FREE)
        return freed

    def gone(self, connection: ConnectionId) -> bool:
        """Forget a held connection that was lost; False when it was not held."""
        for takeover in self._pending.values():
            if takeover.connection == connection:
                takeover.step(Event.GONE)
                del self._pending[takeover.place]
                return True
        return False

    def clear(self) -> list[Takeover]:
        """Send everybody away: the session has ended."""
        held = list(self._pending.values())
        self._pending.clear()
        return held

    def _by_id(self, takeover_id: str) -> Takeover:
        for takeover in self._pending.values():
            if takeover.id == takeover_id:
                return takeover
        raise InvalidState("no such takeover is pending")
