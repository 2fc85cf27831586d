"""A key for each person. What is kept sealed about somebody is sealed under theirs.

Dropping the key forgets at once, for ever and in every backup made from then on whatever was sealed under
it. Keys are stored wrapped by one that is derived from the master key; an older backup of the database
holds an older state of this table, which is why tombstones (``accounts/tombstones.py``) are applied to
whatever was restored.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.trust_tables import SubjectKeyRow
from core.derive import KEY_BYTES, derive
from core.errors import NotFound
from core.ids import UserId
from core.sealing import seal, unseal

AT_ONCE: Final = 500


class KeyGone(NotFound):
    """The person was forgotten: what was sealed under their key cannot be read, nor anything be added."""

    code = "key_gone"


class Subjects:
    """The keys of all people. Holds the key that wraps them and no other."""

    def __init__(self, master: bytes) -> None:
        self._wrapping = derive(master, "subject keys")

    async def key_of(self, db: AsyncSession, *, subject: UserId) -> bytes:
        """Give a person's key of 32 bytes, made when there is none. Raises ``KeyGone``."""
        row = await self._row(db, subject)
        if row is None:
            made = self._wrap(subject, os.urandom(KEY_BYTES))
            await _insert(db, subject, made)
            # Of two at once the first one's key stays.
            row = await self._row(db, subject)
        if row is None or row[0] is None:
            raise KeyGone("This person was forgotten.")
        return self._unwrap(subject, row[0])

    async def keys_of(self, db: AsyncSession, *, subjects: Sequence[UserId]) -> Mapping[UserId, bytes | None]:
        """Give the keys there are; None for a forgotten person, no entry where there never was a key."""
        found: dict[UserId, bytes | None] = {}
        for start in range(0, len(subjects), AT_ONCE):
            rows = await db.execute(
                select(SubjectKeyRow.user_id, SubjectKeyRow.wrapped).where(
                    SubjectKeyRow.user_id.in_(subjects[start : start + AT_ONCE])
                )
            )
            for user, wrapped in rows:
                subject = UserId(user)
                found[subject] = None if wrapped is None else self._unwrap(subject, wrapped)
        return found

    async def forget(self, db: AsyncSession, *, subject: UserId) -> None:
        """Drop a person's key for ever. Done again, it changes nothing."""
        await _insert(db, subject, None)
        await db.execute(update(SubjectKeyRow).where(SubjectKeyRow.user_id == subject).values(wrapped=None))

    async def _row(self, db: AsyncSession, subject: UserId) -> tuple[bytes | None] | None:
        found = await db.execute(select(SubjectKeyRow.wrapped).where(SubjectKeyRow.user_id == subject))
        row = found.one_or_none()
        return None if row is None else (row[0],)

    def _wrap(self, subject: UserId, key: bytes) -> bytes:
        return seal(self._wrapping, key, about=_about(subject))

    def _unwrap(self, subject: UserId, wrapped: bytes) -> bytes:
        return unseal(self._wrapping, wrapped, about=_about(subject))


async def _insert(db: AsyncSession, subject: UserId, wrapped: bytes | None) -> None:
    """Add the row unless there is one; of two at once, one waits here for the other."""
    insert = postgresql.insert if db.get_bind().dialect.name == "postgresql" else sqlite.insert
    await db.execute(insert(SubjectKeyRow).values(user_id=subject, wrapped=wrapped).on_conflict_do_nothing())


def _about(subject: UserId) -> str:
    return f"subject_keys:{subject}:wrapped"
