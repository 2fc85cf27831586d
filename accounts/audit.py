"""The audit: every change, and every look at what is somebody's, in a chain that only ever grows.

``append`` belongs into the transaction that does the thing, and at its end: from there to the commit it
holds the head of the chain, so that appenders wait for one another and no two rows follow the same one.
How rows hang together is in ``accounts/chain.py``; who checks it, in ``accounts/verifying.py``.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Select, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import chain
from accounts.chain import Detail
from accounts.roles import Permission
from accounts.subjects import Subjects
from accounts.trust_tables import AuditHeadRow, AuditRow
from core.derive import derive
from core.errors import NotFound
from core.ids import UserId
from core.sealing import seal, unseal

if TYPE_CHECKING:
    from accounts.grants import Grant

HEAD: Final = 1
PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. ``detail`` is None where it was not opened, or cannot be any more."""

    seq: int
    at: datetime
    tag: str
    actor: UserId | None
    subject: UserId | None
    object_id: str | None
    detail: Mapping[str, str | int | bool] | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """Which rows to list; None leaves a thing open. ``person`` did it or was concerned by it."""

    tag: str | None = None
    person: UserId | None = None
    since: datetime | None = None
    until: datetime | None = None
    """Not itself in it."""


class Audit:
    """The chain of one service. Holds the keys that details are sealed with."""

    def __init__(self, master: bytes) -> None:
        self.subjects = Subjects(master)
        self._own_key = derive(master, "audit details")

    async def append(
        self,
        db: AsyncSession,
        *,
        tag: str,
        actor: UserId | None,
        subject: UserId | None,
        object_id: str | None = None,
        detail: Detail | None = None,
        now: datetime,
    ) -> int:
        """Add a row and give its number. ``tag`` is ``noun:verb``; ``actor`` None is the service itself.

        Raises ``KeyGone`` when the subject was forgotten.
        """
        chain.check_tag(tag)
        text = chain.encode_detail(detail)
        key = await self._key(db, subject)
        seq, before = (
            await db.execute(
                update(AuditHeadRow)
                .where(AuditHeadRow.id == HEAD)
                .values(count=AuditHeadRow.count + 1)
                .returning(AuditHeadRow.count, AuditHeadRow.hash)
                .execution_options(synchronize_session=False)
            )
        ).one()
        fields = chain.encode_fields(seq, now, tag=tag, actor=actor, subject=subject, object_id=object_id)
        nonce = os.urandom(chain.NONCE_BYTES)
        commitment = chain.commit(nonce, text)
        hashed = chain.link(before, fields, commitment)
        await db.execute(
            insert(AuditRow).values(
                seq=seq,
                at=now,
                tag=tag,
                actor=actor,
                subject=subject,
                object_id=object_id,
                sealed=seal(key, nonce + text, about=chain.about(before, fields)),
                commitment=commitment,
                hash=hashed,
            )
        )
        await db.execute(
            update(AuditHeadRow)
            .where(AuditHeadRow.id == HEAD)
            .values(hash=hashed)
            .execution_options(synchronize_session=False)
        )
        return int(seq)

    async def own(
        self,
        db: AsyncSession,
        *,
        person: UserId,
        others_only: bool = False,
        before: int | None = None,
        limit: int = PAGE,
    ) -> list[Entry]:
        """List what concerns a person, for that person, the newest first, with details."""
        wanted = _page(select(AuditRow).where(AuditRow.subject == person), before, limit)
        if others_only:
            wanted = wanted.where(or_(AuditRow.actor.is_(None), AuditRow.actor != person))
        rows = (await db.scalars(wanted)).all()
        if not rows:
            return []
        key = (await self.subjects.keys_of(db, subjects=[person])).get(person)
        return [await self._opened(db, row, key) for row in rows]

    async def matching(
        self, db: AsyncSession, *, wanted: Filter, before: int | None = None, limit: int = PAGE
    ) -> list[Entry]:
        """List rows, the newest first, without details: those take a grant."""
        chosen = select(AuditRow)
        if wanted.tag is not None:
            chosen = chosen.where(AuditRow.tag == wanted.tag)
        if wanted.person is not None:
            chosen = chosen.where(or_(AuditRow.actor == wanted.person, AuditRow.subject == wanted.person))
        if wanted.since is not None:
            chosen = chosen.where(AuditRow.at >= wanted.since)
        if wanted.until is not None:
            chosen = chosen.where(AuditRow.at < wanted.until)
        return [_entry(row) for row in await db.scalars(_page(chosen, before, limit))]

    async def find(self, db: AsyncSession, *, seq: int) -> Entry:
        """Look a row up, without its details. Raises ``NotFound``."""
        row = await db.get(AuditRow, seq)
        if row is None:
            raise NotFound("There is no such row.")
        return _entry(row)

    async def opened(
        self, db: AsyncSession, grant: Grant, *, entries: Sequence[Entry], now: datetime
    ) -> list[Entry]:
        """Open the details of rows about the person that a grant is for; the others stay as they are."""
        grant.require(Permission.SEE_AUDIT, grant.subject, now)
        return [
            await self.reopen(db, entry) if entry.subject == grant.subject else entry for entry in entries
        ]

    async def reopen(self, db: AsyncSession, entry: Entry) -> Entry:
        """Read a row's details for a part of this package that knows why."""
        row = await db.get(AuditRow, entry.seq)
        if row is None:
            raise NotFound("There is no such row.")
        key: bytes | None = self._own_key
        if entry.subject is not None:
            key = (await self.subjects.keys_of(db, subjects=[entry.subject])).get(entry.subject)
        return await self._opened(db, row, key)

    def key_for(self, subject: UserId | None, keys: Mapping[UserId, bytes | None]) -> bytes | None:
        """Choose the key of a row's details; None when it is gone."""
        return self._own_key if subject is None else keys.get(subject)

    async def _key(self, db: AsyncSession, subject: UserId | None) -> bytes:
        return self._own_key if subject is None else await self.subjects.key_of(db, subject=subject)

    async def _opened(self, db: AsyncSession, row: AuditRow, key: bytes | None) -> Entry:
        """Open a row's details. Raises ``SealBroken`` when they are not what was sealed."""
        entry = _entry(row)
        if key is None:
            return entry
        before = chain.GENESIS
        if row.seq > 1:
            before = (await db.execute(select(AuditRow.hash).where(AuditRow.seq == row.seq - 1))).scalar_one()
        fields = chain.encode_fields(
            row.seq, row.at, tag=row.tag, actor=row.actor, subject=row.subject, object_id=row.object_id
        )
        plain = unseal(key, row.sealed, about=chain.about(before, fields))
        return replace(entry, detail=chain.decode_detail(plain[chain.NONCE_BYTES :]))


def _page(chosen: Select[Any], before: int | None, limit: int) -> Select[Any]:
    if before is not None:
        chosen = chosen.where(AuditRow.seq < before)
    return chosen.order_by(AuditRow.seq.desc()).limit(limit)


def _entry(row: AuditRow) -> Entry:
    return Entry(
        row.seq,
        row.at,
        row.tag,
        None if row.actor is None else UserId(row.actor),
        None if row.subject is None else UserId(row.subject),
        row.object_id,
    )
