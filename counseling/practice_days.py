"""What differs from a counselor's weekly hours: days with other hours or none, and the place for visits."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.db import insert_into
from core.ids import UserId
from counseling.appointment_tables import PracticeDayRow, PracticePlaceRow
from counseling.entry import Entry
from counseling.hours import Span, Week
from counseling.slots import Hours

MAX_PLACE_CHARS = 300


async def set_day(
    db: AsyncSession, audit: Audit, *, counselor: UserId, on: date, spans: Week, now: datetime
) -> None:
    """Give a day hours of its own, instead of those it had; none is a day off."""
    packed = [[span.from_minute, span.until_minute] for span in sorted(spans)]
    row = insert_into(db, PracticeDayRow).values(counselor_id=counselor, on_date=on, spans=packed)
    changed = row.on_conflict_do_update(index_elements=["counselor_id", "on_date"], set_={"spans": packed})
    await db.execute(changed)
    await audit.append(
        db,
        tag="practice:day",
        actor=counselor,
        subject=counselor,
        detail={"date": on.isoformat(), "hours": len(packed)},
        now=now,
    )


async def drop_day(db: AsyncSession, audit: Audit, *, counselor: UserId, on: date, now: datetime) -> None:
    """Let a day be as every week again."""
    await db.execute(
        delete(PracticeDayRow).where(PracticeDayRow.counselor_id == counselor, PracticeDayRow.on_date == on)
    )
    await audit.append(
        db,
        tag="practice:day",
        actor=counselor,
        subject=counselor,
        detail={"date": on.isoformat(), "hours": "as every week"},
        now=now,
    )


async def days_of(
    db: AsyncSession, *, counselors: Sequence[UserId], since: date, until: date
) -> dict[UserId, dict[date, Week]]:
    """List the days that differ from ``since`` to ``until``, both in it; who has none is left out."""
    rows = await db.scalars(
        select(PracticeDayRow)
        .where(
            PracticeDayRow.counselor_id.in_(counselors),
            PracticeDayRow.on_date >= since,
            PracticeDayRow.on_date <= until,
        )
        .order_by(PracticeDayRow.on_date)
    )
    found: dict[UserId, dict[date, Week]] = {}
    for row in rows:
        day = tuple(Span(row.on_date.weekday(), *span) for span in row.spans)
        found.setdefault(UserId(row.counselor_id), {})[row.on_date] = day
    return found


async def hours_of(
    db: AsyncSession, *, entries: Sequence[Entry], since: date, until: date
) -> dict[UserId, Hours]:
    """Say when counselors work in a time: their week, the days that differ, and when they are away."""
    days = await days_of(db, counselors=[entry.user for entry in entries], since=since, until=until)
    return {
        entry.user: Hours(entry.hours, days.get(entry.user, {}), entry.away_from, entry.away_until)
        for entry in entries
    }


async def set_place(db: AsyncSession, audit: Audit, *, counselor: UserId, place: str, now: datetime) -> None:
    """Keep where a counselor meets people; an empty text is the service's own place again."""
    await db.execute(delete(PracticePlaceRow).where(PracticePlaceRow.counselor_id == counselor))
    if place:
        db.add(PracticePlaceRow(counselor_id=counselor, place=place))
    await db.flush()
    await audit.append(db, tag="practice:place", actor=counselor, subject=counselor, now=now)


async def places_of(db: AsyncSession, *, counselors: Sequence[UserId]) -> dict[UserId, str]:
    """Say where counselors meet people who said so."""
    rows = await db.scalars(select(PracticePlaceRow).where(PracticePlaceRow.counselor_id.in_(counselors)))
    return {UserId(row.counselor_id): row.place for row in rows}


async def prune(db: AsyncSession, *, today: date) -> None:
    """Delete days that are over."""
    await db.execute(delete(PracticeDayRow).where(PracticeDayRow.on_date < today))
