"""Lists of complaints from outside, page by page, and how the promise to answer is kept.

A page begins after a ``Place``, not at a number: what is filed or closed meanwhile moves nothing, and junk,
however much, hides no complaint.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Boolean, Select, func, literal, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.roles import Role
from core.db import UtcDateTime
from counseling.complaints import Complaint, outside
from counseling.duty_tables import ComplaintRow, EvidenceRow

PAGE: Final = 50
MEASURED: Final = timedelta(days=365)


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a list one complaint stands: ``at`` is when it is due, or was closed."""

    answered: bool
    at: datetime
    id: str


@dataclass(frozen=True, slots=True)
class Listed:
    """One page. ``after`` is where the next one begins; None at the end."""

    complaints: Sequence[Complaint]
    after: Place | None


@dataclass(frozen=True, slots=True)
class Measure:
    """How the promise was kept in the last year. ``median_hours`` is None before the first answer."""

    answered: int
    in_time: int
    waiting: int
    late: int
    median_hours: float | None


async def waiting(db: AsyncSession, *, after: Place | None = None, limit: int = PAGE) -> Listed:
    """List the outside of those that are not closed: without an answer first, the soonest due before."""
    answered = ComplaintRow.answered_at.is_not(None)
    wanted = select(ComplaintRow).where(ComplaintRow.closed_at.is_(None))
    if after is not None:
        here = tuple_(literal(after.answered, Boolean), literal(after.at, UtcDateTime), literal(after.id))
        wanted = wanted.where(tuple_(answered, ComplaintRow.due_at, ComplaintRow.id) > here)
    return await _page(db, wanted.order_by(answered, ComplaintRow.due_at, ComplaintRow.id), limit)


async def closed(db: AsyncSession, *, after: Place | None = None, limit: int = PAGE) -> Listed:
    """List the outside of those that are closed, the last first."""
    wanted = select(ComplaintRow).where(ComplaintRow.closed_at.is_not(None))
    if after is not None:
        here = tuple_(literal(after.at, UtcDateTime), literal(after.id))
        wanted = wanted.where(tuple_(ComplaintRow.closed_at, ComplaintRow.id) < here)
    return await _page(db, wanted.order_by(ComplaintRow.closed_at.desc(), ComplaintRow.id.desc()), limit)


async def _page(db: AsyncSession, wanted: Select[ComplaintRow], limit: int) -> Listed:
    rows = (await db.scalars(wanted.limit(limit + 1))).all()
    shown = rows[:limit]
    counted = await db.execute(
        select(EvidenceRow.complaint_id, func.count())
        .where(EvidenceRow.complaint_id.in_([row.id for row in shown]))
        .group_by(EvidenceRow.complaint_id)
    )
    files = dict(counted.all())
    after = None
    if len(rows) > limit:
        last = shown[-1]
        after = Place(last.answered_at is not None, last.closed_at or last.due_at, last.id)
    return Listed([outside(row, files.get(row.id, 0)) for row in shown], after)


async def measure(db: AsyncSession, *, now: datetime) -> Measure:
    """Measure how the promise was kept."""
    rows = (
        await db.execute(
            select(ComplaintRow.filed_at, ComplaintRow.due_at, ComplaintRow.answered_at).where(
                ComplaintRow.filed_at > now - MEASURED, ComplaintRow.answered_at.is_not(None)
            )
        )
    ).all()
    open_ones = (
        await db.execute(
            select(ComplaintRow.due_at).where(
                ComplaintRow.answered_at.is_(None), ComplaintRow.closed_at.is_(None)
            )
        )
    ).all()
    answers = [(filed, due, answered) for filed, due, answered in rows if answered is not None]
    hours = [(answered - filed).total_seconds() / 3600 for filed, _, answered in answers]
    return Measure(
        answered=len(answers),
        in_time=sum(answered <= due for _, due, answered in answers),
        waiting=len(open_ones),
        late=sum(due < now for (due,) in open_ones),
        median_hours=statistics.median(hours) if hours else None,
    )


async def tell_late(db: AsyncSession, *, now: datetime) -> int:
    """Tell the officers, once for each, of complaints whose time has passed; gives how many."""
    late = list(
        await db.scalars(
            update(ComplaintRow)
            .where(
                ComplaintRow.answered_at.is_(None),
                ComplaintRow.closed_at.is_(None),
                ComplaintRow.due_at < now,
                ComplaintRow.late_told_at.is_(None),
            )
            .values(late_told_at=now)
            .returning(ComplaintRow.id)
            .execution_options(synchronize_session=False)
        )
    )
    if late:
        officers = [one.id for one in await people.with_role(db, role=Role.OFFICER)]
        await notices.post_all(
            db, users=officers, kind="complaint_late", places={"count": str(len(late))}, now=now
        )
    return len(late)
