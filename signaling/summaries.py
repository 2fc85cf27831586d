"""What stays of the quality of sessions that have ended: one row for each side, and when the rest goes.

All times are aware UTC and come in as ``now``; the caller commits. Trends read these rows and no others.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, delete, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import InstrumentedAttribute

from core.db import Base
from core.ids import ParticipantId, SessionId, UserId
from media.codecs import Mode
from signaling import directory, quality_record
from signaling.directory import ParticipantRecord, Role, SessionRecord
from signaling.quality_record import QualityRecord, SessionEvent
from signaling.quality_summary import SideQuality, began_in, sides_of
from signaling.tables import NOT_SUMMED, EventRow, QualityRow, SessionRow, SummaryRow

SETTLED_AFTER: Final = timedelta(seconds=30)
"""The last samples of a session are written behind its end."""
MOST_PRUNED: Final = 5_000
MOST_MS: Final = 2**31 - 1
"""The column holds no more; a gap is longer only by a clock that leapt while it was open."""
AHEAD: Final = timedelta(days=1)
QUICK_EXIT: Final = "left_quickly"
NOT_BACK: Final = frozenset({"grace_over", "socket_lost"})
COMING_AND_GOING: Final = (
    frozenset({QUICK_EXIT, "left", "entered", "socket_resumed", "path_changed"}) | NOT_BACK
)
"""Whoever left and has come in, or has a path again, is back."""


class EndedWhy(enum.StrEnum):
    """Why a session ended, as its record shows; never what somebody wrote."""

    TIME_OVER = "time_over"
    LINE = "line"
    """A side could not be reached when it ended, or did not come back."""
    QUICK = "left_quickly"
    LEFT = "left"
    """Somebody had left before it was ended."""
    ENDED = "ended"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """One side of a session that has ended. ``hour`` and ``medium`` are those in which the talk began."""

    session_id: SessionId
    participant_id: ParticipantId
    role: Role
    hour: datetime
    medium: Mode
    network: str | None
    counselor_id: UserId | None
    minutes: float
    mos_p50: float | None
    rtt_p50_ms: float | None
    rtt_p95_ms: float | None
    loss_p50_pct: float | None
    loss_p95_pct: float | None
    interruptions: int
    gaps_ms: int
    longest_gap_ms: int
    causes: Mapping[str, int]
    steps_down: int
    bytes: int
    ended_why: EndedWhy


async def pending(db: AsyncSession, *, now: datetime, most: int) -> list[SessionId]:
    """List sessions that have ended and were not summed up, those that ended first before the others."""
    found = await db.scalars(
        select(SessionRow.id)
        .where(NOT_SUMMED, SessionRow.ended_at <= now - SETTLED_AFTER)
        .order_by(SessionRow.ended_at)
        .limit(most)
    )
    return [SessionId(row) for row in found]


async def sum_up(db: AsyncSession, *, session_id: SessionId, now: datetime) -> None:
    """Keep the summary of a session that has ended, in the place of a former one."""
    session = await directory.find(db, session_id=session_id)
    if session is None:
        return
    rows = summaries_of(session, await quality_record.read(db, session_id=session_id))
    await db.execute(delete(SummaryRow).where(SummaryRow.session_id == session_id))
    if rows:
        await db.execute(insert(SummaryRow), [_columns(row) for row in rows])
    await db.execute(update(SessionRow).where(SessionRow.id == session_id).values(summed_at=now))


def summaries_of(session: SessionRecord, record: QualityRecord) -> list[Summary]:
    """Make the summary of each side; none of a session in which the two were never connected."""
    if session.started_at is None or session.ended_at is None:
        return []
    sides = sides_of(session, record, until=session.ended_at)
    why = ended_why(session, record.events, sides.values())
    medium = began_in(record.events, mode=session.mode)
    return [_summary(session, place, sides[place.id], medium, why) for place in session.participants]


def _summary(
    session: SessionRecord, place: ParticipantRecord, side: SideQuality, medium: Mode, why: EndedWhy
) -> Summary:
    began_at, ended_at = session.started_at, session.ended_at
    if began_at is None or ended_at is None:
        raise AssertionError("only asked for sessions that began and ended")
    counselors = [one.user for one in session.participants if one.role is Role.COUNSELOR]
    return Summary(
        session_id=session.id,
        participant_id=place.id,
        role=place.role,
        hour=began_at.replace(minute=0, second=0, microsecond=0),
        medium=medium,
        network=side.network,
        counselor_id=next(iter(counselors), None),
        minutes=round(max(timedelta(0), ended_at - began_at) / timedelta(minutes=1), 1),
        mos_p50=side.mos.p50 if side.mos else None,
        rtt_p50_ms=side.rtt_ms.p50 if side.rtt_ms else None,
        rtt_p95_ms=side.rtt_ms.p95 if side.rtt_ms else None,
        loss_p50_pct=side.loss_pct.p50 if side.loss_pct else None,
        loss_p95_pct=side.loss_pct.p95 if side.loss_pct else None,
        interruptions=len(side.gaps),
        gaps_ms=min(side.gaps_ms, MOST_MS),
        longest_gap_ms=min(side.longest_gap_ms, MOST_MS),
        causes=side.causes,
        steps_down=side.steps_down,
        bytes=side.bytes_up + side.bytes_down,
        ended_why=why,
    )


def ended_why(
    session: SessionRecord, events: Sequence[SessionEvent], sides: Iterable[SideQuality]
) -> EndedWhy:
    """Say why a session ended: by its clock, or else by how its sides stood at the end."""
    ended_at = session.ended_at or datetime.max.replace(tzinfo=UTC)
    if session.ends_at is not None and session.ends_at <= ended_at:
        return EndedWhy.TIME_OVER
    last = {event.participant_id: event.kind for event in events if event.kind in COMING_AND_GOING}
    if QUICK_EXIT in last.values():
        return EndedWhy.QUICK
    broken = any(side.gaps and side.gaps[-1].ended_at >= ended_at for side in sides)
    if broken or not NOT_BACK.isdisjoint(last.values()):
        return EndedWhy.LINE
    return EndedWhy.LEFT if "left" in last.values() else EndedWhy.ENDED


def _columns(row: Summary) -> dict[str, Any]:
    return {name: getattr(row, name) for name in Summary.__slots__}


async def read(db: AsyncSession, *, since: datetime, until: datetime) -> list[Summary]:
    """Read the summaries of the talks that began in these hours, in their order."""
    rows = await db.scalars(
        select(SummaryRow)
        .where(SummaryRow.hour >= since, SummaryRow.hour < until)
        .order_by(SummaryRow.hour, SummaryRow.session_id, SummaryRow.role)
    )
    return [_read(row) for row in rows]


def _read(row: SummaryRow) -> Summary:
    known = {name: getattr(row, name) for name in Summary.__slots__}
    return Summary(
        **known | {"role": Role(row.role), "medium": Mode(row.medium), "ended_why": EndedWhy(row.ended_why)}
    )


async def prune(db: AsyncSession, *, before: datetime, now: datetime, most: int = MOST_PRUNED) -> int:
    """Delete the oldest samples and events, those of before a time; say how many. At most ``most`` of each.

    They lie in the order of time, so only the oldest are looked at. What is of the future is a clock's
    mistake, and would stand in the way of all that came after it.
    """
    gone = 0
    for table in (QualityRow, EventRow):
        oldest = select(table.id, table.at).order_by(table.id).limit(most).subquery()
        past = select(oldest.c.id).where(or_(oldest.c.at < before, oldest.c.at > now + AHEAD))
        gone += await _delete(db, table, table.id, past)
    return gone


async def prune_summaries(db: AsyncSession, *, before: datetime, most: int = MOST_PRUNED) -> int:
    """Delete summaries of talks that began before a time; say how many, at most ``most``."""
    past = select(SummaryRow.participant_id).where(SummaryRow.hour < before).limit(most)
    return await _delete(db, SummaryRow, SummaryRow.participant_id, past)


async def _delete(
    db: AsyncSession, table: type[Base], key: InstrumentedAttribute[Any], which: Select[Any]
) -> int:
    """Delete what there is to delete; where there is nothing, no other writer waits for it."""
    keys = list(await db.scalars(which))
    if keys:
        await db.execute(delete(table).where(key.in_(keys)))
    return len(keys)
