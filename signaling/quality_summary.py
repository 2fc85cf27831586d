"""What a session's quality record comes to, for each side. Pure.

The report, the API and the trends all read this one, so that they say the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.ids import ParticipantId
from core.percentiles import nearest_rank
from media.codecs import Mode
from signaling.directory import SessionRecord
from signaling.gaps import Gap, Happened, blame_of, gaps_of
from signaling.mode import BEGAN
from signaling.quality_record import QualityRecord, SessionEvent
from signaling.records import QualitySample

STEPS: Final = ("full", "less", "small", "paused")


@dataclass(frozen=True, slots=True)
class Spread:
    """How something was over the samples of a session: 5, 50 and 95 of a hundred were at most this."""

    p5: float
    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class SideQuality:
    """One side of a session. A ``Spread`` is None where nothing was known; ``bytes_*`` count all of it.

    ``loss_pct`` is the worse direction of each sample, ``grades`` how many samples had which grade,
    ``causes`` how often what broke the line or made it poor, ``steps_down`` how often something was taken
    away that nobody had wished away.
    """

    rtt_ms: Spread | None
    loss_pct: Spread | None
    loss_up_pct: Spread | None
    loss_down_pct: Spread | None
    jitter_ms: Spread | None
    mos: Spread | None
    grades: Mapping[str, int]
    gaps: tuple[Gap, ...]
    causes: Mapping[str, int]
    steps_down: int
    freezes: int
    bytes_up: int
    bytes_down: int
    network: str | None

    @property
    def gaps_ms(self) -> int:
        """How long this side could not be reached in all."""
        return sum(gap.gap_ms for gap in self.gaps)

    @property
    def longest_gap_ms(self) -> int:
        """How long at once."""
        return max((gap.gap_ms for gap in self.gaps), default=0)


def began_in(events: Iterable[Happened], *, mode: Mode) -> Mode:
    """Say in which mode the two were first connected; without a word of it, the present ``mode``."""
    told = (one.detail for one in events if one.kind == "mode")
    began = next((detail["mode"] for detail in told if detail.get("reason") == BEGAN), mode)
    return Mode(began)


def sides_of(
    session: SessionRecord, record: QualityRecord, *, until: datetime
) -> dict[ParticipantId, SideQuality]:
    """Sum up both sides of a session. ``until`` is when it ended, or now."""
    return {place.id: side_quality(record, place.id, until=until) for place in session.participants}


def side_quality(record: QualityRecord, participant: ParticipantId, *, until: datetime) -> SideQuality:
    """Sum up one side. ``until`` is when the session ended, or now."""
    samples = [one for one in record.samples if one.participant_id == participant]
    events = [one for one in record.events if one.participant_id == participant]
    gaps = gaps_of(record.events, participant, until=until)
    causes = Counter(str(gap.cause) for gap in gaps) + Counter(
        str(blame_of(event.detail)) for event in events if makes_poor(event)
    )
    return SideQuality(
        rtt_ms=spread(one.rtt_ms for one in samples),
        loss_pct=spread(_worse(one) for one in samples),
        loss_up_pct=spread(one.loss_up_pct for one in samples),
        loss_down_pct=spread(one.loss_down_pct for one in samples),
        jitter_ms=spread(one.jitter_ms for one in samples),
        mos=spread(one.mos for one in samples),
        grades=Counter(one.grade for one in samples if one.grade is not None),
        gaps=gaps,
        causes=dict(sorted(causes.items())),
        steps_down=_picture_falls(events) + _mode_falls(events),
        freezes=sum(one.freezes or 0 for one in samples),
        bytes_up=grown(one.bytes_up for one in samples),
        bytes_down=grown(one.bytes_down for one in samples),
        network=_most(one.network for one in samples),
    )


def spread(values: Iterable[float | None]) -> Spread | None:
    """Give the percentiles (nearest rank) of what is known, None where nothing is."""
    known = sorted(value for value in values if value is not None)
    if not known:
        return None
    return Spread(nearest_rank(known, 0.05), nearest_rank(known, 0.5), nearest_rank(known, 0.95))


def grown(counts: Iterable[int]) -> int:
    """Say how far a counter came in all; one that goes back began anew, as after a restart of the server."""
    total = last = 0
    for count in counts:
        total += count - last if count >= last else count
        last = count
    return total


def _worse(sample: QualitySample) -> float | None:
    known = [one for one in (sample.loss_up_pct, sample.loss_down_pct) if one is not None]
    return max(known, default=None)


def makes_poor(event: Happened) -> bool:
    """Whether this event says that a line became poor; what broke it altogether is a gap."""
    to, before = event.detail.get("to"), event.detail.get("from")
    return event.kind == "grade" and to == "poor" and before != "lost"


def _picture_falls(events: Iterable[SessionEvent]) -> int:
    """Count how often the line or the budget took something of the picture; a wish is none."""
    at = falls = 0
    for event in events:
        step = event.detail.get("step")
        if event.kind == "picture" and step in STEPS:
            falls += STEPS.index(step) > at and event.detail.get("by") != "user"
            at = STEPS.index(step)
    return falls


def _mode_falls(events: Iterable[SessionEvent]) -> int:
    """Count how often this side's line or budget took the session to voice or chat."""
    return sum(
        event.kind == "mode"
        and event.detail.get("mode") in {Mode.VOICE, Mode.CHAT}
        and event.detail.get("reason") in {"network", "data"}
        for event in events
    )


def _most(words: Iterable[str | None]) -> str | None:
    known = Counter(word for word in words if word is not None)
    return known.most_common(1)[0][0] if known else None
