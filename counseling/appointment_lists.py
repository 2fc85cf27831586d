"""Lists of appointments: a client's, a counselor's, what is due; and one of them looked up."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import UserId
from counseling.appointment_rows import Appointment, appointment_of, row_of
from counseling.appointment_states import OPEN, State
from counseling.appointment_tables import AppointmentRow


async def get(
    db: AsyncSession, *, appointment: str, client: UserId | None = None, counselor: UserId | None = None
) -> Appointment:
    """Look up an appointment of somebody. Raises ``NotFound``, also for one that is not theirs."""
    whose = AppointmentRow.client_id == client if client else AppointmentRow.counselor_id == counselor
    return appointment_of(await row_of(db, appointment, whose))


async def open_of_client(db: AsyncSession, *, client: UserId) -> list[Appointment]:
    """List what a client has before them, the soonest first."""
    return await _listed(db, AppointmentRow.client_id == client, _is_open())


async def ended_of_client(db: AsyncSession, *, client: UserId, since: datetime) -> list[Appointment]:
    """List what ended or was cancelled since a moment, the newest first."""
    found = await _listed(db, AppointmentRow.client_id == client, AppointmentRow.ended_at >= since)
    return sorted(found, key=lambda one: (one.ended_at or one.changed_at, one.id), reverse=True)


async def of_counselor(
    db: AsyncSession, *, counselor: UserId, since: datetime, until: datetime
) -> list[Appointment]:
    """List a counselor's appointments that begin in a time, those that ended too, the soonest first."""
    return await _listed(
        db,
        AppointmentRow.counselor_id == counselor,
        AppointmentRow.starts_at >= since,
        AppointmentRow.starts_at < until,
    )


async def open_of_counselors(
    db: AsyncSession, *, counselors: Sequence[UserId]
) -> dict[UserId, list[Appointment]]:
    """List what several counselors have before them, the soonest first; who has nothing is left out."""
    found: dict[UserId, list[Appointment]] = {}
    for one in await _listed(db, AppointmentRow.counselor_id.in_(counselors), _is_open()):
        found.setdefault(one.counselor, []).append(one)
    return found


async def booked(db: AsyncSession) -> list[Appointment]:
    """List all that has not begun, the soonest first."""
    return await _listed(db, AppointmentRow.state == State.BOOKED.value)


async def due(db: AsyncSession, *, now: datetime) -> list[Appointment]:
    """List what should begin by now and has not, the oldest first."""
    booked = AppointmentRow.state == State.BOOKED.value
    return await _listed(db, booked, AppointmentRow.starts_at <= now)


async def begun(db: AsyncSession) -> list[Appointment]:
    """List what has begun and is not over, the oldest first."""
    return await _listed(db, AppointmentRow.state == State.BEGUN.value)


async def soon(db: AsyncSession, *, now: datetime, within: timedelta) -> set[UserId]:
    """Name the counselors whose next appointment begins within a while: nobody new is sent to them."""
    found = await db.scalars(
        select(AppointmentRow.counselor_id).where(
            AppointmentRow.state == State.BOOKED.value, AppointmentRow.starts_at <= now + within
        )
    )
    return {UserId(user) for user in found}


async def _listed(db: AsyncSession, *which: ColumnElement[bool]) -> list[Appointment]:
    rows = await db.scalars(
        select(AppointmentRow)
        .where(*which)
        .order_by(AppointmentRow.starts_at, AppointmentRow.id)
        .execution_options(populate_existing=True)
    )
    return [appointment_of(row) for row in rows]


def _is_open() -> ColumnElement[bool]:
    return AppointmentRow.state.in_([state.value for state in OPEN])
