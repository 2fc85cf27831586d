"""The audit: every change, and every look at what is somebody's, in a chain that only ever grows.

``append`` belongs into the transaction that does the thing: from there to the commit it holds the head of
the chain, so that appenders wait for one another and no two rows follow the same one. Whoever changes other
rows too holds it before the first of them (``hold``): of two that take a row and the head in different orders
PostgreSQL ends one. How rows hang together is in ``accounts/chain.py``; who checks it, in
``accounts/verifying.py``.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import ColumnElement, Select, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import chain
from accounts.chain import Detail
from accounts.roles import Permission
from accounts.subjects import Subjects
from accounts.trust_tables import AuditHeadRow, AuditRow
from core.derive import derive
from core.errors import NotFound
from core.ids import UserId
from core.sealing import SealBroken, seal, unseal

if TYPE_CHECKING:
    from accounts.grants import Grant

logger = logging.getLogger(__name__)

HEAD: Final = 1
PAGE: Final = 50
OUT_OF_ORDER: Final = 1_000


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
        count, before = await self._take_head(db)
        key = await self._key(db, subject)
        seq = count + 1
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
            .values(count=seq, hash=hashed)
            .execution_options(synchronize_session=False)
        )
        return seq

    async def hold(self, db: AsyncSession) -> None:
        """Wait for other appenders now, not at the end: nobody else appends until this is committed.

        For whoever decides on what others change too and writes it down: what is read after it is still so
        at the commit. Two who hold never wait for each other in a circle, as everybody comes by here first.
        """
        await self._take_head(db)

    async def _take_head(self, db: AsyncSession) -> tuple[int, bytes]:
        """Have the end of the chain to oneself; gives how many rows there are, and the hash of the last."""
        taken = await db.execute(
            update(AuditHeadRow)
            .where(AuditHeadRow.id == HEAD)
            .values(count=AuditHeadRow.count)
            .returning(AuditHeadRow.count, AuditHeadRow.hash)
            .execution_options(synchronize_session=False)
        )
        count, before = taken.one()
        return count, before

    async def newest_at(self, db: AsyncSession) -> datetime | None:
        """Say when the last row was written; None where there is none."""
        return await db.scalar(select(AuditRow.at).order_by(AuditRow.seq.desc()).limit(1))

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
        return await self._open(db, rows, await self.subjects.keys_of(db, subjects=[person]))

    async def matching(
        self, db: AsyncSession, *, wanted: Filter, before: int | None = None, limit: int = PAGE
    ) -> list[Entry]:
        """List rows, the newest first, without details: those take a grant."""
        first, last = await _bounds(db, wanted)
        if first is None or last is None:
            return []
        upper = last if before is None else min(last, before - 1)
        found: dict[int, Entry] = {}
        # By actor and by subject apart: each has an index that gives its rows in this order.
        for whose in _whose(wanted.person):
            chosen = select(AuditRow).where(AuditRow.seq >= first, AuditRow.seq <= upper, *whose)
            if wanted.tag is not None:
                chosen = chosen.where(AuditRow.tag == wanted.tag)
            if wanted.since is not None:
                chosen = chosen.where(AuditRow.at >= wanted.since)
            if wanted.until is not None:
                chosen = chosen.where(AuditRow.at < wanted.until)
            rows = await db.scalars(chosen.order_by(AuditRow.seq.desc()).limit(limit))
            found |= {row.seq: _entry(row) for row in rows}
        return sorted(found.values(), key=lambda entry: -entry.seq)[:limit]

    async def tags(self, db: AsyncSession) -> list[str]:
        """List the tags there are, by jumping from one to the next in their index."""
        first = select(func.min(AuditRow.tag).label("tag")).cte("tags", recursive=True)
        following = select(func.min(AuditRow.tag)).where(AuditRow.tag > first.c.tag).scalar_subquery()
        every = first.union_all(select(following).where(first.c.tag.is_not(None)))
        return [tag for tag in await db.scalars(select(every.c.tag)) if tag is not None]

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
        theirs = {entry.seq for entry in entries if entry.subject == grant.subject}
        opened = {entry.seq: entry for entry in await self._reopen(db, theirs, grant.subject)}
        return [opened.get(entry.seq, entry) for entry in entries]

    async def purpose(self, db: AsyncSession, *, seq: int) -> str | None:
        """Read what a grant was given for; None when its person was forgotten."""
        entry = await self.find(db, seq=seq)
        for opened in await self._reopen(db, {seq}, entry.subject):
            return None if opened.detail is None else str(opened.detail["purpose"])
        return None

    async def _reopen(self, db: AsyncSession, seqs: set[int], subject: UserId | None) -> list[Entry]:
        rows = (await db.scalars(select(AuditRow).where(AuditRow.seq.in_(seqs)))).all()
        keys = {} if subject is None else await self.subjects.keys_of(db, subjects=[subject])
        return await self._open(db, rows, keys)

    def key_for(self, subject: UserId | None, keys: Mapping[UserId, bytes | None]) -> bytes | None:
        """Choose the key of a row's details; None when it is gone."""
        return self._own_key if subject is None else keys.get(subject)

    async def _key(self, db: AsyncSession, subject: UserId | None) -> bytes:
        return self._own_key if subject is None else await self.subjects.key_of(db, subject=subject)

    async def _open(
        self, db: AsyncSession, rows: Sequence[AuditRow], keys: Mapping[UserId, bytes | None]
    ) -> list[Entry]:
        """Open the details of rows; those that were changed stay shut and are told to the log."""
        before = {0: chain.GENESIS}
        links = select(AuditRow.seq, AuditRow.hash).where(AuditRow.seq.in_([row.seq - 1 for row in rows]))
        before |= dict((await db.execute(links)).all())
        return [self._opened(row, before[row.seq - 1], keys) for row in rows]

    def _opened(self, row: AuditRow, before: bytes, keys: Mapping[UserId, bytes | None]) -> Entry:
        entry = _entry(row)
        key = self.key_for(entry.subject, keys)
        if key is None:
            return entry
        fields = chain.encode_fields(
            row.seq, row.at, tag=row.tag, actor=row.actor, subject=row.subject, object_id=row.object_id
        )
        try:
            plain = unseal(key, row.sealed, about=chain.about(before, fields))
        except SealBroken:
            logger.error("audit.seal_broken", extra={"seq": row.seq})  # noqa: TRY400  # where it was says nothing
            return entry
        return replace(entry, detail=chain.decode_detail(plain[chain.NONCE_BYTES :]))


async def _bounds(db: AsyncSession, wanted: Filter) -> tuple[int | None, int | None]:
    """Turn times into row numbers, which follow them but for a few that were written at once."""
    first: int | None = 1
    last: int | None = (await db.execute(select(AuditHeadRow.count))).scalar_one()
    if wanted.since is not None:
        early = select(AuditRow.seq).where(AuditRow.at >= wanted.since).order_by(AuditRow.at).limit(1)
        first = await db.scalar(early)
    if wanted.until is not None:
        late = select(AuditRow.seq).where(AuditRow.at < wanted.until).order_by(AuditRow.at.desc()).limit(1)
        last = await db.scalar(late)
    return (
        None if first is None else first - OUT_OF_ORDER,
        None if last is None else last + OUT_OF_ORDER,
    )


def _whose(person: UserId | None) -> list[tuple[ColumnElement[bool], ...]]:
    if person is None:
        return [()]
    return [(AuditRow.subject == person,), (AuditRow.actor == person,)]


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
