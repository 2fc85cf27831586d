"""One leg as the call knows it: its path, its negotiation and what its answers said.

    path    | CONNECTED | INTERRUPTED | RESUMED
    --------+-----------+-------------+--------
    OPENING | UP        | OPENING     | OPENING
    UP      | UP        | SILENT      | UP
    SILENT  | SILENT    | SILENT      | UP

Every pair is legal: the relay tells what it sees, in whatever order.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from datetime import datetime

from media.codecs import Kind
from media.description import Answer, AnsweredLine, Direction
from media.events import LegId, Streams
from signaling.negotiation import Content, Negotiation


class Path(enum.Enum):
    """Whether DTLS is up and packets come."""

    OPENING = "opening"
    UP = "up"
    SILENT = "silent"


class PathEvent(enum.Enum):
    """What the relay tells of a path."""

    CONNECTED = "connected"
    INTERRUPTED = "interrupted"
    RESUMED = "resumed"


TABLE: dict[tuple[Path, PathEvent], Path] = {
    (Path.OPENING, PathEvent.CONNECTED): Path.UP,
    (Path.OPENING, PathEvent.INTERRUPTED): Path.OPENING,
    (Path.OPENING, PathEvent.RESUMED): Path.OPENING,
    (Path.UP, PathEvent.CONNECTED): Path.UP,
    (Path.UP, PathEvent.INTERRUPTED): Path.SILENT,
    (Path.UP, PathEvent.RESUMED): Path.UP,
    (Path.SILENT, PathEvent.CONNECTED): Path.SILENT,
    (Path.SILENT, PathEvent.INTERRUPTED): Path.SILENT,
    (Path.SILENT, PathEvent.RESUMED): Path.UP,
}


@dataclass(slots=True)
class Leg:
    """A leg of one place. ``left_out`` and ``rejected`` hold until the leg is replaced.

    ``close_at`` is set once the leg has a successor: so long it may carry media still. ``abandoned``: its
    page went away, so that nothing more can come of it.
    """

    id: LegId
    path: Path = Path.OPENING
    negotiation: Negotiation = field(default_factory=Negotiation)
    answer: Answer | None = None
    streams: Streams = field(default_factory=Streams)
    left_out: frozenset[int] = frozenset()
    rejected: frozenset[Kind] = frozenset()
    close_at: datetime | None = None
    abandoned: bool = False

    def observe(self, event: PathEvent) -> None:
        """Take what the relay says of the path."""
        self.path = TABLE[self.path, event]

    @property
    def is_up(self) -> bool:
        """Whether DTLS is up and at least one answer was read."""
        return self.path is not Path.OPENING and self.answer is not None

    @property
    def is_silent(self) -> bool:
        """Whether its packets are missing, or will be."""
        return self.path is Path.SILENT or self.abandoned

    def take(self, answer: Answer) -> None:
        """Take the answer to the open offer: what it leaves out, rejects, and sends with."""
        content = self.negotiation.answer()
        self.answer = answer
        for kind in content.kinds:
            line = line_of(answer, kind)
            if line.rejected:
                self.rejected |= {kind}
            elif line.active:
                self.left_out |= content.numbers(kind) - frozenset(line.payload_types)
        listed = answer.streams
        self.streams = Streams(
            listed.audio or self.streams.audio,
            listed.video or self.streams.video,
        )

    def sends(self, kind: Kind) -> bool:
        """Whether this side may send a kind, by the last offer and answer."""
        return self._agreed(kind) and line_of(self._answer(), kind).sends

    def receives(self, kind: Kind) -> bool:
        """Whether this side takes a kind, by the last offer and answer."""
        if not self._agreed(kind):
            return False
        line = line_of(self._answer(), kind)
        return not line.rejected and line.direction in (Direction.SENDRECV, Direction.RECVONLY)

    def _agreed(self, kind: Kind) -> bool:
        answered = self.negotiation.answered
        return self.answer is not None and answered is not None and kind in answered.kinds

    def _answer(self) -> Answer:
        if self.answer is None:
            raise AssertionError("only asked for legs that have answered")
        return self.answer


def line_of(answer: Answer, kind: Kind) -> AnsweredLine:
    """Return an answer's line of one kind."""
    return answer.audio if kind is Kind.AUDIO else answer.video


def carried(content: Content | None) -> frozenset[Kind]:
    """Return the active kinds of a content; none before the first."""
    return content.kinds if content is not None else frozenset()
