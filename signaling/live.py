"""A session while it is held in memory: its call, and what belongs to the call's surface."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from core.ids import ParticipantId, SessionId
from media.events import LegId
from media.grading import Limits
from media.ladder import Advice, Ladder
from media.line import Line
from signaling.call import Call
from signaling.chat import Transcript
from signaling.outbox import Outbox
from signaling.quality_log import Meter
from signaling.refs import Refs
from signaling.server_messages import Error, Ok


@dataclass(slots=True)
class Readings:
    """Of what several read at once: whoever began last is right, whoever ends last."""

    begun: int = 0
    taken: int = 0
    is_known: bool = True
    """Whether the one that stands could be read."""

    def begin(self) -> int:
        """Begin to read; gives the number to ``take`` it by."""
        self.begun += 1
        return self.begun

    def take(self, number: int, *, known: bool) -> bool:
        """Take what was read, or that it could not be. False when what was begun later is taken already."""
        if number < self.taken:
            return False
        self.taken, self.is_known = number, known
        return True


@dataclass(slots=True)
class Live:
    """One session in memory. The chat's text and the replay buffers live here and nowhere else."""

    id: SessionId
    tag: str
    call: Call
    outboxes: dict[ParticipantId, Outbox] = field(default_factory=dict)
    refs: dict[ParticipantId, Refs] = field(default_factory=dict)
    noes: Counter[ParticipantId] = field(default_factory=Counter)
    """How often each said no to a recording, wherever they said it: no yes of before overtakes it."""
    readings: Readings = field(default_factory=Readings)
    """Of what may be asked for."""
    meters: dict[ParticipantId, Meter] = field(default_factory=dict)
    leg_owners: dict[LegId, ParticipantId] = field(default_factory=dict)
    opened_s: dict[LegId, float] = field(default_factory=dict)
    """Since when those legs are open that were not connected yet."""
    transcript: Transcript = field(default_factory=Transcript)
    ladder: Ladder = field(default_factory=Ladder)
    advice: dict[ParticipantId, Advice] = field(default_factory=dict)
    advised_s: float = 0.0
    ticked_s: float = float("inf")
    looked_s: float = 0.0
    told_quality_s: float = 0.0
    kept_quality_s: float = 0.0
    idle_since_s: float | None = None
    limits: Limits = Limits()  # noqa: RUF009  # frozen, without state

    def __post_init__(self) -> None:
        for participant in self.participants():
            self.outboxes[participant] = Outbox()
            self.refs[participant] = Refs()
            self.meters[participant] = Meter(Line(self.limits))

    def participants(self) -> Iterable[ParticipantId]:
        """Name the participants."""
        return (place.id for place in self.call.places)

    def answered(self, participant: ParticipantId, ref: str) -> Ok | Error | None:
        """Return how a request was answered, None when it is new."""
        return self.refs[participant].answered(ref)
