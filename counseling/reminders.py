"""Reminders of appointments: a day before, and an hour before; each once, to both, without content."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from core.ids import UserId
from counseling.appointment_states import State
from counseling.appointment_tables import AppointmentRow

DAY: Final = timedelta(hours=24)
SOON: Final = timedelta(hours=1)
FRESH: Final = timedelta(hours=6)
"""Whoever booked or moved it less than this before the day's reminder knows of it still."""


async def remind(db: AsyncSession, *, now: datetime) -> int:
    """Tell both of what begins within an hour, and within a day; gives how many appointments it was."""
    soon = await _due(db, before=SOON, now=now)
    day = [one for one in await _due(db, before=DAY, now=now) if not one.fresh]
    for found, kind in ((soon, "appointment_soon"), (day, "appointment_tomorrow")):
        for one in found:
            await notices.post(db, user=one.client, kind=kind, now=now)
        counselors = sorted({one.counselor for one in found})
        await notices.post_all(db, users=counselors, kind=kind, once=True, now=now)
    return len(soon) + len(day)


@dataclass(frozen=True, slots=True)
class _Due:
    """Whom to remind. ``fresh``: they booked or moved it so lately that the day's reminder is none."""

    client: UserId
    counselor: UserId
    fresh: bool


async def _due(db: AsyncSession, *, before: timedelta, now: datetime) -> list[_Due]:
    """Take what is to be reminded of now."""
    row = AppointmentRow
    told = row.soon_told_at if before is SOON else row.day_told_at
    # Who is reminded of the next hour needs to hear nothing of the next day.
    values = {"day_told_at": func.coalesce(row.day_told_at, now)} | (
        {"soon_told_at": now} if before is SOON else {}
    )
    rows = await db.execute(
        update(row)
        .where(
            row.state == State.BOOKED.value,
            told.is_(None),
            row.starts_at > now,
            row.starts_at <= now + before,
        )
        .values(values)
        .returning(row.client_id, row.counselor_id, row.starts_at, row.changed_at)
        .execution_options(synchronize_session=False)
    )
    return [
        _Due(UserId(client), UserId(counselor), changed > at - DAY - FRESH)
        for client, counselor, at, changed in rows
    ]
