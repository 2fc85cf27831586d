"""The quality record of a session: its samples and events, as they are read again."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import ParticipantId, SessionId
from signaling.records import QualitySample
from signaling.tables import EventRow, ParticipantRow, QualityRow

LATE: Final = timedelta(seconds=10)
"""What is told only when its cause is known is dated so far behind what was told meanwhile, at most."""


@dataclass(frozen=True, slots=True)
class SessionEvent:
    """One thing that happened; ``participant_id`` is None when it happened to the session."""

    at: datetime
    participant_id: ParticipantId | None
    kind: str
    detail: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class QualityRecord:
    """Everything known of a session's connections, in the order in which it happened."""

    samples: tuple[QualitySample, ...]
    events: tuple[SessionEvent, ...]


@dataclass(frozen=True, slots=True)
class Carried:
    """What was kept last of one side: when, and how many bytes it had sent and been sent by then."""

    at: datetime
    up: int
    down: int


async def carried(
    db: AsyncSession, *, participants: Collection[ParticipantId]
) -> dict[ParticipantId, Carried]:
    """Say what each of these has carried as far as it was kept; without those unknown."""
    last = select(func.max(QualityRow.id)).where(QualityRow.participant_id.in_(participants))
    rows = await db.execute(
        select(QualityRow.participant_id, QualityRow.at, QualityRow.bytes_up, QualityRow.bytes_down).where(
            QualityRow.id.in_(last.group_by(QualityRow.participant_id))
        )
    )
    return {ParticipantId(participant): Carried(at, up, down) for participant, at, up, down in rows}


async def read(db: AsyncSession, *, session_id: SessionId) -> QualityRecord:
    """Read everything known of a session's connections."""
    places = select(ParticipantRow.id).where(ParticipantRow.session_id == session_id)
    samples = await db.scalars(
        select(QualityRow).where(QualityRow.participant_id.in_(places)).order_by(QualityRow.id)
    )
    events = await db.scalars(select(EventRow).where(EventRow.session_id == session_id).order_by(EventRow.id))
    return QualityRecord(
        tuple(
            QualitySample(**{name: getattr(row, name) for name in QualitySample.__slots__})
            for row in as_it_happened(samples)
        ),
        tuple(
            SessionEvent(
                row.at,
                None if row.participant_id is None else ParticipantId(row.participant_id),
                row.kind,
                row.detail,
            )
            for row in as_it_happened(events)
        ),
    )


_Row = TypeVar("_Row", QualityRow, EventRow)


def as_it_happened(written: Iterable[_Row]) -> list[_Row]:
    """Put rows, given as they were written, in the order of their times; a clock put back begins anew."""
    newest, turns = datetime.min.replace(tzinfo=UTC), 0
    found: list[tuple[int, _Row]] = []
    for row in written:
        turned = newest - row.at > LATE
        turns += turned
        newest = row.at if turned else max(newest, row.at)
        found.append((turns, row))
    return [row for _, row in sorted(found, key=lambda one: (one[0], one[1].at))]
