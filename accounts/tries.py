"""Tries: how often a code or a name may be tried, by what is tried and not by who tries it.

A try is taken before it is looked at, in a transaction of its own, so that many at once count as many.
What does not exist is counted like what does: being refused says nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.auth_tables import TryRow
from core.db import insert_into
from core.errors import TooMany

KEPT: Final = timedelta(days=2)
MOST_KEPT: Final = 200_000


@dataclass(frozen=True, slots=True)
class Limit:
    """``freely`` tries within ``window``, and after them one each ``then`` until the window has passed."""

    freely: int
    window: timedelta
    then: timedelta


RECOVERY: Final = Limit(10, timedelta(days=1), timedelta(hours=1))
PASSWORD: Final = Limit(10, timedelta(hours=1), timedelta(minutes=5))
ADDRESS: Final = Limit(1, timedelta(hours=1), timedelta(hours=1))
FACTOR: Final = Limit(10, timedelta(days=1), timedelta(hours=1))
FACTOR_USED_UP: Final = "factor:used-up"
"""In the audit: somebody who knew a password tried the second factor too often."""


@dataclass(frozen=True, slots=True)
class Tries:
    """How often something was tried since ``began_at``."""

    count: int
    began_at: datetime
    last_at: datetime


def next_try(before: Tries, limit: Limit, now: datetime) -> Tries:
    """Count one more try. Raises ``TooMany``, and nothing is counted, when it comes too soon."""
    if before.count == 0 or now - before.began_at >= limit.window:
        return Tries(1, now, now)
    if before.count >= limit.freely:
        free_at = min(before.last_at + limit.then, before.began_at + limit.window)
        if now < free_at:
            raise TooMany("This was tried too often.", retry_after_s=(free_at - now).total_seconds())
    return Tries(before.count + 1, before.began_at, now)


async def take(db: AsyncSession, *, subject: str, limit: Limit, now: datetime) -> int:
    """Take one try of a subject (a keyed hash of 64 digits) and say which it is, counted from 1.

    Raises ``TooMany``. The caller commits.
    """
    first = insert_into(db, TryRow).values(id=subject, count=0, began_at=now, last_at=now)
    # It writes in any case, so of two at once the second waits here and reads what the first left.
    await db.execute(first.on_conflict_do_update(index_elements=["id"], set_={"id": first.excluded.id}))
    row = (
        await db.execute(select(TryRow).where(TryRow.id == subject).execution_options(populate_existing=True))
    ).scalar_one()
    after = next_try(Tries(row.count, row.began_at, row.last_at), limit, now)
    await db.execute(
        update(TryRow)
        .where(TryRow.id == subject)
        .values(count=after.count, began_at=after.began_at, last_at=after.last_at)
    )
    return after.count


async def clear(db: AsyncSession, *, subject: str) -> None:
    """Forget the tries of a subject: one of them was right."""
    await db.execute(delete(TryRow).where(TryRow.id == subject))


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Forget subjects that nobody has tried for two days, and of too many those that were tried least."""
    await db.execute(delete(TryRow).where(TryRow.last_at < now - KEPT))
    beyond = (await db.scalar(select(func.count()).select_from(TryRow)) or 0) - MOST_KEPT
    if beyond > 0:
        least = select(TryRow.id).order_by(TryRow.count, TryRow.last_at, TryRow.id).limit(beyond)
        await db.execute(delete(TryRow).where(TryRow.id.in_(least)))
