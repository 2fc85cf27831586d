"""Erasing a person: at once for everybody's eyes, for good after 72 hours, in this order.

    asked ── 72 h ──> due: tombstone on the disk, then in one transaction every package's rows, the row in
      │               the audit, the person's key, the person; then a signed checkpoint
      └── cancelled

Until it is due the person can take it back; then nobody can. A crash anywhere leaves either all of the
rows or none, and in the first case the next minute does it again. Before a server serves, ``apply`` does it
to all whose tombstone is there and who are in the database again, as they are after a backup was restored.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import delete, func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from accounts import grants, logins, people
from accounts.audit import Audit
from accounts.people import Person
from accounts.subjects import KeyGone
from accounts.tables import UserRow
from accounts.tombstones import Tombstones
from accounts.trust_tables import SubjectKeyRow
from core.db import Database
from core.errors import InvalidState
from core.ids import UserId

logger = logging.getLogger(__name__)

WAIT: Final = timedelta(hours=72)
LATE: Final = timedelta(hours=1)
AT_ONCE: Final = 500


class Eraser(Protocol):
    """Deletes what one package keeps about a person, or cuts its link to them.

    It may be called for somebody who was erased before, and must not fail then.
    """

    async def __call__(self, db: AsyncSession, *, user: UserId, now: datetime) -> None:
        """Erase; the caller commits."""
        ...


class Erasure:
    """Erases people from one service. Every package registers its eraser (``web/erasers.py``)."""

    def __init__(self, audit: Audit, tombstones: Tombstones[UserId], erasers: Sequence[Eraser] = ()) -> None:
        self._audit = audit
        self._tombstones = tombstones
        self._erasers: list[Eraser] = [grants.erase, *erasers]

    def register(self, eraser: Eraser) -> None:
        """Add what erases the rows of one package; they are asked in the order of registering."""
        self._erasers.append(eraser)

    async def ask(self, db: AsyncSession, *, person: Person, login: str | None, now: datetime) -> datetime:
        """Take a person's wish to be erased; gives when it is due. All their logins but ``login`` end.

        Asked again, the first time stands.
        """
        if person.erase_at is not None:
            return person.erase_at
        due = now + WAIT
        await people.leave(db, user=person.id, at=due)
        await logins.end_all(db, user=person.id, but=login)
        await self._audit.append(db, tag="erasure:ask", actor=person.id, subject=person.id, now=now)
        return due

    async def cancel(self, db: AsyncSession, *, person: Person, now: datetime) -> None:
        """Take the wish back. Raises ``InvalidState`` when it is due already."""
        taken = await db.scalar(
            update(UserRow)
            .where(UserRow.id == person.id, UserRow.erase_at > now)
            .values(erase_at=None)
            .returning(UserRow.id)
        )
        if taken is None:
            current = await people.find(db, user=person.id)
            if current is not None and current.erase_at is None:
                return
            raise InvalidState("It is too late to take this back.")
        await self._audit.append(db, tag="erasure:cancel", actor=person.id, subject=person.id, now=now)

    async def due(self, db: AsyncSession, *, now: datetime, skip: int = 0) -> list[UserId]:
        """List those who are to be erased now, the longest due first; without the first ``skip``."""
        users = await db.scalars(
            select(UserRow.id)
            .where(UserRow.erase_at <= now)
            .order_by(UserRow.erase_at, UserRow.id)
            .offset(skip)
            .limit(AT_ONCE)
        )
        return [UserId(user) for user in users]

    async def carry_out(self, db: AsyncSession, *, user: UserId, now: datetime) -> bool:
        """Erase one who is due, and say whether there was anybody; the caller commits at once."""
        await self._audit.hold(db)
        # Takes the row, so that of two processes one waits and then finds nobody.
        taken = await db.scalar(
            update(UserRow)
            .where(UserRow.id == user, UserRow.erase_at <= now)
            .values(erase_at=UserRow.erase_at)
            .returning(UserRow.id)
        )
        if taken is None:
            return False
        await asyncio.to_thread(self._tombstones.add, user, now)
        await self._erase(db, user, now)
        return True

    async def apply(self, sessions: async_sessionmaker[AsyncSession], *, now: datetime) -> int:
        """Erase again all who have a tombstone and are in the database; gives how many.

        To be called before anything is served. Raises ``ConfigError`` when the tombstones cannot be read.
        """
        users = await asyncio.to_thread(self._tombstones.read)
        erased = 0
        for start in range(0, len(users), AT_ONCE):
            async with sessions.begin() as db:
                back = await _still_there(db, users[start : start + AT_ONCE])
                for user in back:
                    await self._erase(db, user, now)
            erased += len(back)
        if erased:
            logger.warning("erasure.applied_again", extra={"count": erased})
        return erased

    async def _erase(self, db: AsyncSession, user: UserId, now: datetime) -> None:
        if db.get_bind().dialect.name == "sqlite":
            # What is deleted on this connection is written over with zeros, not only left to be reused.
            await db.execute(text("PRAGMA secure_delete=ON"))
        # Erasers take rows of every package; whoever decides on one of those holds the audit first.
        await self._audit.hold(db)
        for eraser in self._erasers:
            await eraser(db, user=user, now=now)
        try:
            await self._audit.append(db, tag="erasure:done", actor=None, subject=user, now=now)
        except KeyGone:
            await self._audit.append(
                db, tag="erasure:done", actor=None, subject=None, object_id=user, now=now
            )
        await self._audit.subjects.forget(db, subject=user)
        await db.execute(delete(UserRow).where(UserRow.id == user))


async def overdue(db: AsyncSession, *, now: datetime) -> int:
    """Count those who should have been erased an hour ago: the job each minute does not get it done."""
    asked = select(func.count()).select_from(UserRow).where(UserRow.erase_at <= now - LATE)
    return await db.scalar(asked) or 0


async def settle(database: Database) -> None:
    """Bring what was erased out of SQLite's journal too; PostgreSQL's vacuum does it by itself."""
    if database.engine.dialect.name == "sqlite":
        async with database.engine.connect() as connection:
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))


async def _still_there(db: AsyncSession, users: Sequence[UserId]) -> list[UserId]:
    """Say which of these have a row or a key; in a database that was not restored, none."""
    rows = set(await db.scalars(select(UserRow.id).where(UserRow.id.in_(users))))
    rows |= set(
        await db.scalars(
            select(SubjectKeyRow.user_id).where(
                SubjectKeyRow.user_id.in_(users), SubjectKeyRow.wrapped.is_not(None)
            )
        )
    )
    return [user for user in users if user in rows]
