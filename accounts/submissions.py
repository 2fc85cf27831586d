"""Forms that were sent: each carries a one-time number, and is done once however often it is sent."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import delete, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.tables import SubmissionRow

KEPT = timedelta(hours=24)


async def begin(db: AsyncSession, *, number: str, now: datetime) -> None:
    """Take a form's number within the transaction that does what the form asks.

    Raises ``sqlalchemy.exc.IntegrityError`` when it was taken before; of two at once, one waits here for
    the other.
    """
    await db.execute(insert(SubmissionRow).values(id=number, at=now, location=""))


async def finish(db: AsyncSession, *, number: str, location: str) -> None:
    """Keep where the form led to."""
    await db.execute(update(SubmissionRow).where(SubmissionRow.id == number).values(location=location))


async def led_to(db: AsyncSession, *, number: str) -> str | None:
    """Say where a form led that was done before; None when it was not."""
    row = await db.get(SubmissionRow, number)
    return None if row is None else row.location


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Forget what is older than a day."""
    await db.execute(delete(SubmissionRow).where(SubmissionRow.at < now - KEPT))
