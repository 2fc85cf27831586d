"""What a call wants done, in this order. The hub is the only doer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from core.ids import ParticipantId
from media.codecs import Mode
from media.description import OfferRequest
from media.events import LegId
from signaling.participant import ConnectionId
from signaling.protocol import CloseCode, Reason, WireState
from signaling.server_messages import ServerMessage, Welcome


@dataclass(frozen=True, slots=True)
class SeatIn:
    """A connection sits down and is welcomed.

    ``resume_seq``: replay what came after it; None: the past is cleared and the chat told anew.
    """

    connection: ConnectionId
    participant: ParticipantId
    welcome: Welcome
    resume_seq: int | None


@dataclass(frozen=True, slots=True)
class Hold:
    """A newcomer is held at the door."""

    connection: ConnectionId
    participant: ParticipantId


@dataclass(frozen=True, slots=True)
class Send:
    """A message for a participant, through the outbox."""

    to: ParticipantId
    message: ServerMessage


@dataclass(frozen=True, slots=True)
class SendHeld:
    """A message for a held newcomer: outside the numbering, never kept."""

    connection: ConnectionId
    message: ServerMessage


@dataclass(frozen=True, slots=True)
class CloseSocket:
    """Close a connection."""

    connection: ConnectionId
    code: CloseCode


@dataclass(frozen=True, slots=True)
class OpenLeg:
    """Open a leg in the relay."""

    leg: LegId
    participant: ParticipantId


@dataclass(frozen=True, slots=True)
class CloseLeg:
    """Close a leg in the relay."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class MakeOffer:
    """Have the relay write an offer, and send it."""

    to: ParticipantId
    leg: LegId
    request: OfferRequest


@dataclass(frozen=True, slots=True)
class OfferClosed:
    """The open offer of a participant is no longer to be replayed."""

    participant: ParticipantId


@dataclass(frozen=True, slots=True)
class Pair:
    """Let packets flow between two legs."""

    a: LegId
    b: LegId


@dataclass(frozen=True, slots=True)
class Forward:
    """Which kinds from a leg are passed to its pair."""

    leg: LegId
    audio: bool
    video: bool


@dataclass(frozen=True, slots=True)
class Expect:
    """Which kinds a leg's side is sending now."""

    leg: LegId
    audio: bool
    video: bool


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """Ask a leg's sender for a key frame."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class RecordState:
    """Keep the session's state, and with it what is known of its start and end."""

    state: str
    started_at: datetime | None = None
    ends_at: datetime | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class RecordMode:
    """Keep the session's mode, and who or what moved the session to it."""

    mode: Mode
    reason: Reason


@dataclass(frozen=True, slots=True)
class RecordPlace:
    """Keep a participant's state, and the seat's hash when it changed."""

    participant: ParticipantId
    state: WireState
    seat_hash: str | None = None


@dataclass(frozen=True, slots=True)
class RecordEvent:
    """Keep a connection event for the quality record. No address, no name."""

    kind: str
    participant: ParticipantId | None = None
    detail: Mapping[str, object] = field(default_factory=dict)


TalkEffect = SeatIn | Hold | Send | SendHeld | CloseSocket | OfferClosed
RelayEffect = OpenLeg | CloseLeg | MakeOffer | Pair | Forward | Expect | KeyFrame
RecordEffect = RecordState | RecordMode | RecordPlace | RecordEvent
Effect = TalkEffect | RelayEffect | RecordEffect
