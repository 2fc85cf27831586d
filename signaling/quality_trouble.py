"""Which live sessions are in trouble: a line is weak or lost, somebody is gone, or something was taken away.

Looked at now and kept nowhere. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from core.ids import ParticipantId, SessionId, UserId
from media.codecs import Mode
from media.grading import ORDER, Grade
from media.ladder import Picture
from signaling.directory import Role
from signaling.gaps import Blame
from signaling.live import Live
from signaling.participant import Place
from signaling.presence import Presence
from signaling.protocol import Reason
from signaling.quality_recent import recent

WEAK: Final = (Grade.POOR, Grade.LOST)


@dataclass(frozen=True, slots=True)
class SideNow:
    """One side at this moment. ``gone``: its line broke; ``cause`` is what a line that is not good has."""

    participant: ParticipantId
    role: Role
    name: str
    user: UserId | None
    gone: bool
    grade: Grade | None
    cause: Blame | None
    rtt_ms: float | None
    loss_pct: float | None
    mos: float | None
    recent: tuple[str, ...] = ()
    """The last ten minutes, a word for each ten seconds (``quality_recent``)."""

    @property
    def is_bad(self) -> bool:
        """Whether this side is in trouble."""
        return self.gone or self.grade in WEAK


@dataclass(frozen=True, slots=True)
class TroubledSession:
    """One session. ``stepped_down``: the line took picture or voice from it."""

    session: SessionId
    mode: Mode
    stepped_down: bool
    began_at: datetime | None
    sides: tuple[SideNow, ...]

    @property
    def counselor(self) -> UserId | None:
        """Whose login opens the counselor's place."""
        return next((side.user for side in self.sides if side.role is Role.COUNSELOR), None)

    @property
    def badness(self) -> int:
        """How bad it is, to put the worst first."""
        return max(10 if side.gone else 0 if side.grade is None else ORDER[side.grade] for side in self.sides)


def in_trouble(lives: Iterable[Live], *, now_s: float) -> list[TroubledSession]:
    """List the live sessions in trouble, the worst first; those in which nobody was yet are none."""
    found = []
    for live in lives:
        sides = tuple(_side(live, place, now_s) for place in live.call.places)
        stepped_down = _stepped_down(live)
        if any(side.is_bad for side in sides) or stepped_down:
            found.append(
                TroubledSession(live.id, live.call.mode.mode, stepped_down, live.call.started_at, sides)
            )
    return sorted(found, key=lambda one: (-one.badness, one.session))


def _side(live: Live, place: Place, now_s: float) -> SideNow:
    meter = live.meters[place.id]
    gone = live.call.presence(place.id) is Presence.GONE
    grade = meter.grade if place.is_kept else None
    cause = meter.breaks.cause if gone or grade is Grade.LOST else meter.line.cause
    told = cause is not None and (gone or grade not in (None, Grade.GOOD))
    return SideNow(
        participant=place.id,
        role=Role(place.role),
        name=place.name,
        user=place.user,
        gone=gone,
        grade=grade,
        cause=Blame(cause.direction.value, cause.kind.value) if told and cause is not None else None,
        rtt_ms=meter.rtt_ms(now_s),
        loss_pct=meter.line.ways.loss_pct,
        mos=meter.mos,
        recent=recent(meter.line.ring, meter.line.limits),
    )


def _stepped_down(live: Live) -> bool:
    mode = live.call.mode
    if mode.mode is not Mode.VIDEO:
        return mode.reason is Reason.NETWORK
    # A picture that a browser alone finds too large is smaller too; that brings nobody to a list of troubles.
    return any(
        advice.picture is not Picture.FULL and advice.blame is not None for advice in live.advice.values()
    )
