"""What happens to a call. ``now`` is given beside each event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from core.ids import ParticipantId
from media.codecs import Mode
from media.description import Answer
from media.events import LegId, Streams
from signaling.participant import ConnectionId
from signaling.protocol import MediaState, Reason


@dataclass(frozen=True, slots=True)
class Join:
    """A ``hello`` with a right to this place.

    ``shown`` is the hash of the seat secret in ``hello.resume.key``, None without one. ``key`` is
    that key. ``resume_seq`` is the number from which everything can be replayed, None when that is
    not possible. ``fresh_key`` and ``fresh_hash`` are for a new holder of the seat. ``own``: it comes by
    the login of the person whose place it is, who continues at once from any browser.
    """

    participant: ParticipantId
    connection: ConnectionId
    codecs: tuple[str, ...]
    device: str
    takeover_id: str
    fresh_key: str
    fresh_hash: str
    key: str = ""
    shown: str | None = None
    resume_seq: int | None = None
    own: bool = False


@dataclass(frozen=True, slots=True)
class SocketLost:
    """A connection is gone: seated or held. ``page_left``: its browser said that the page goes away."""

    connection: ConnectionId
    page_left: bool = False


@dataclass(frozen=True, slots=True)
class Leaves:
    """A participant leaves; ``quickly`` by the quick exit, perhaps because they are not alone."""

    participant: ParticipantId
    quickly: bool = False


@dataclass(frozen=True, slots=True)
class AsksRestart:
    """A participant asks for new ICE credentials, or for a fresh leg."""

    participant: ParticipantId
    fresh: bool


@dataclass(frozen=True, slots=True)
class SaysMedia:
    """A participant says what it is sending.

    ``why``: whose line made its picture smaller, and by what, as the detail of an event; empty without that.
    """

    participant: ParticipantId
    media: MediaState
    why: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SendsTwice:
    """A participant's line loses so much that their voice should go twice (RFC 2198), or no longer."""

    participant: ParticipantId
    twice: bool


@dataclass(frozen=True, slots=True)
class SetsBudget:
    """A participant set what the session may cost them; None takes the limit away."""

    participant: ParticipantId
    mb: int | None


@dataclass(frozen=True, slots=True)
class LosesDevice:
    """A participant's microphone (``audio``) or camera (``video``) went away."""

    participant: ParticipantId
    device: str


@dataclass(frozen=True, slots=True)
class WishesMode:
    """Somebody wishes for a mode."""

    participant: ParticipantId
    mode: Mode
    reason: Reason


@dataclass(frozen=True, slots=True)
class Answered:
    """The open offer of a leg was answered, and the relay has read the answer."""

    leg: LegId
    answer: Answer


@dataclass(frozen=True, slots=True)
class AnswersTakeover:
    """A participant admits or refuses a held newcomer."""

    participant: ParticipantId
    takeover_id: str
    admit: bool


@dataclass(frozen=True, slots=True)
class LegUp:
    """DTLS of a leg is up."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class LegLost:
    """A leg failed or is spent; ``closed`` when the relay has closed it already."""

    leg: LegId
    reason: str
    closed: bool


@dataclass(frozen=True, slots=True)
class LegSilent:
    """Packets that were expected are missing."""

    leg: LegId
    gap_ms: int


@dataclass(frozen=True, slots=True)
class LegBack:
    """Packets arrive again."""

    leg: LegId
    gap_ms: int


@dataclass(frozen=True, slots=True)
class StreamsSeen:
    """Packets showed other SSRCs than the answer listed."""

    leg: LegId
    streams: Streams


@dataclass(frozen=True, slots=True)
class Phones:
    """A participant goes on with the other by telephone, until both are connected here again."""

    participant: ParticipantId


@dataclass(frozen=True, slots=True)
class Ends:
    """The session ends; ``by`` is a participant's id or a word such as ``api``, None the clock."""

    reason: str
    by: str | None


@dataclass(frozen=True, slots=True)
class Tick:
    """Time has passed."""


CallEvent = (
    Join
    | SocketLost
    | Leaves
    | AsksRestart
    | SaysMedia
    | SendsTwice
    | SetsBudget
    | LosesDevice
    | WishesMode
    | Answered
    | AnswersTakeover
    | LegUp
    | LegLost
    | LegSilent
    | LegBack
    | StreamsSeen
    | Phones
    | Ends
    | Tick
)
