"""What each side has been told of the other, and what is news to it. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

from msgspec import UNSET

from core.ids import ParticipantId
from media.codecs import Mode
from signaling.effects import Effect, RecordPlace, Send
from signaling.pairing import Pairing
from signaling.participant import Place
from signaling.protocol import MediaState, WireState
from signaling.server_messages import Peer, PeerInfo, SessionInfo, Welcome, You
from signaling.terms import CallTerms


@dataclass(slots=True)
class Telling:
    """What was told to whom. Marks somebody whose next ``peer`` says that they came back, or left quickly."""

    places: tuple[Place, Place]
    pairing: Pairing
    terms: CallTerms
    _told: dict[ParticipantId, tuple[WireState, MediaState | None]] = field(default_factory=dict)
    _recorded: dict[ParticipantId, WireState] = field(default_factory=dict)
    _again: set[ParticipantId] = field(default_factory=set)
    _quick: set[ParticipantId] = field(default_factory=set)

    def enters_again(self, participant: ParticipantId) -> None:
        """Note that somebody came back as another page or device."""
        self._again.add(participant)

    def left_quickly(self, participant: ParticipantId) -> None:
        """Note that somebody left by the quick exit, until they come back."""
        self._quick.add(participant)

    def is_quick(self, participant: ParticipantId) -> bool:
        """Whether somebody left by the quick exit and is not back."""
        return participant in self._quick

    def _quickly(self, place: Place, state: WireState) -> bool:
        if state is not WireState.LEFT:
            self._quick.discard(place.id)
        return place.id in self._quick

    def welcome(self, place: Place, session: SessionInfo, *, resumed: bool, heartbeat_s: float) -> Welcome:
        """Say the state of everything to whoever enters."""
        other = self.pairing.other(place)
        state = self.pairing.view(other, session.mode)
        if not resumed:
            self._told[place.id] = (state, other.media)
            self._again.discard(other.id)
        return Welcome(
            session=session,
            you=You(id=place.id, role=place.role, name=place.name),
            peers=[
                PeerInfo(
                    id=other.id,
                    role=other.role,
                    name=other.name,
                    state=state,
                    media=other.media,
                    quickly=True if self._quickly(other, state) else UNSET,
                )
            ],
            ice_servers=list(self.terms.ice_servers),
            heartbeat_s=heartbeat_s,
            grace_s=self.terms.grace_s,
            resume_key=place.key,
            resumed=resumed,
        )

    def tell(self, mode: Mode) -> list[Effect]:
        """Tell each side how the other looks now, if that is news to it."""
        effects: list[Effect] = []
        for place in self.places:
            state = self.pairing.view(place, mode)
            if self._recorded.get(place.id) is not state:
                self._recorded[place.id] = state
                effects.append(RecordPlace(place.id, state))
            other = self.pairing.other(place)
            if not other.is_kept:
                continue
            again = place.id in self._again
            if self._told.get(other.id) == (state, place.media) and not again:
                continue
            self._told[other.id] = (state, place.media)
            self._again.discard(place.id)
            peer = Peer(
                id=place.id,
                role=place.role,
                name=place.name,
                state=state,
                media=place.media,
                joined_again=True if again else UNSET,
                quickly=True if self._quickly(place, state) else UNSET,
            )
            effects.append(Send(other.id, peer))
        return effects
