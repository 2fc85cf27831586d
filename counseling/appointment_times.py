"""The five minutes that appointments take: nobody has the same ones twice (``appointment_tables``)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import delete
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import insert_into
from core.errors import InvalidState
from counseling.appointment_tables import AppointmentRow, AppointmentTimeRow
from counseling.slots import STEP, Terms


class Taken(InvalidState):
    """Somebody else has this time by now, or one of the two is in another appointment."""

    code = "taken"


async def take(db: AsyncSession, *, row: AppointmentRow, terms: Terms) -> None:
    """Take the time for both. Raises ``Taken``; the transaction is to be given up then."""
    wanted = [(row.client_id, at) for at in _steps(row.starts_at, row.ends_at)]
    wanted += [(row.counselor_id, at) for at in _steps(row.starts_at, row.ends_at + terms.gap)]
    values = [{"user_id": user, "at": at, "appointment_id": row.id} for user, at in sorted(wanted)]
    made = await db.scalars(
        insert_into(db, AppointmentTimeRow)
        .values(values)
        .on_conflict_do_nothing()
        .returning(AppointmentTimeRow.at)
    )
    if len(made.all()) != len(values):
        raise Taken("This time is taken by now.")


async def free(db: AsyncSession, *, appointment: str) -> None:
    """Give the time of an appointment back."""
    await db.execute(delete(AppointmentTimeRow).where(AppointmentTimeRow.appointment_id == appointment))


def _steps(since: datetime, until: datetime) -> list[datetime]:
    """List the five minutes of a time, the first and the last one whole."""
    at = since.replace(minute=since.minute - since.minute % 5, second=0, microsecond=0)
    found = []
    while at < until:
        found.append(at)
        at += STEP
    return found
