"""Verifying the audit: from the first row to the last, and against checkpoints from outside.

What each check catches and what it cannot is in docs/audit.md. The first thing that is broken is told; what
stands behind it proves nothing any more.
"""

from __future__ import annotations

import enum
from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Final

from sqlalchemy import Row, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import chain
from accounts.audit import Audit
from accounts.checkpoints import Checkpoint, Signer
from accounts.trust_tables import AuditCheckRow, AuditHeadRow, AuditRow
from core.errors import TeduhError
from core.ids import UserId, new_id
from core.sealing import SealBroken, unseal

CHUNK: Final = 5_000

_Row = Row[int, datetime, str, str | None, str | None, str | None, bytes, bytes, bytes]


class Problem(enum.StrEnum):
    """What can be broken. Each has a sentence for the operator, and one in the catalogues."""

    NO_HEAD = "no-head"
    MISSING = "missing"
    CUT = "cut"
    SURPLUS = "surplus"
    UNREADABLE = "unreadable"
    LINK = "link"
    END = "end"
    SEAL = "seal"
    DETAIL = "detail"
    KEY = "key"
    SIGNATURE = "signature"
    BEYOND = "beyond"
    OTHER_PAST = "other-past"


SENTENCES: Final = {
    Problem.NO_HEAD: "The end of the chain is not written down any more.",
    Problem.MISSING: "Row {row} is missing.",
    Problem.CUT: "Rows are missing from row {row} on: the chain says that it is longer.",
    Problem.SURPLUS: "Row {row} stands behind the end of the chain.",
    Problem.UNREADABLE: "Row {row}, or one soon after it, cannot be read at all.",
    Problem.LINK: "Row {row} was changed, moved or put in: it does not follow from the row before it.",
    Problem.END: "Row {row} is the last, and not the one that the chain says it ends with.",
    Problem.SEAL: "Row {row} was written anew, or its details were changed: they do not open there.",
    Problem.DETAIL: "The details of row {row} are not those that it was made with.",
    Problem.KEY: "The key to the details of row {row} is gone or changed, and that person was not erased.",
    Problem.SIGNATURE: "The checkpoint of {at} was not signed by this service, or it was changed.",
    Problem.BEYOND: (
        "Rows are missing from row {row} on: the checkpoint of {at} knew more. The end was cut off, or an "
        "older backup was restored."
    ),
    Problem.OTHER_PAST: (
        "From row {row} on the chain is another than the one that the checkpoint of {at} was made of: it was "
        "written anew, or went two ways."
    ),
}


class ChainBroken(TeduhError):
    """The chain does not hold."""

    code = "chain_broken"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found. ``problem`` None: it holds. ``row`` is the first one that is concerned."""

    at: datetime
    count: int
    head: bytes
    closed: int
    """Rows whose details nobody can open any more, as their person was erased."""
    checkpoints: int
    problem: Problem | None = None
    row: int | None = None
    checkpoint_at: str | None = None

    @property
    def sentence(self) -> str:
        """Say it in plain words."""
        if self.problem is not None:
            return SENTENCES[self.problem].format(row=self.row, at=self.checkpoint_at)
        held = [f"rows: {self.count}"]
        if self.checkpoints:
            held.append(f"checkpoints that agree: {self.checkpoints}")
        if self.closed:
            held.append(f"rows whose details are gone with people who were erased: {self.closed}")
        return f"The chain holds; {'; '.join(held)}."


class _Found(Exception):
    """What is broken, on its way to the verdict; it never leaves this file."""

    def __init__(self, problem: Problem, row: int | None = None, at: str | None = None) -> None:
        super().__init__(problem)
        self.problem, self.row, self.at = problem, row, at


@dataclass(slots=True)
class _Walk:
    """One way through the chain."""

    audit: Audit
    erased: frozenset[UserId]
    wanted: frozenset[int]
    head: bytes = chain.GENESIS
    count: int = 0
    seq: int = 0
    closed: int = 0
    heads: dict[int, bytes] = field(default_factory=dict)
    keys: dict[UserId, bytes | None] = field(default_factory=dict)

    async def through(self, db: AsyncSession) -> None:
        """Check every row. Raises ``_Found`` at the first that is broken."""
        # In one statement, so that it is one moment.
        last = select(func.max(AuditRow.seq)).scalar_subquery()
        end = (await db.execute(select(AuditHeadRow.count, AuditHeadRow.hash, last))).one_or_none()
        if end is None:
            raise _Found(Problem.NO_HEAD)
        self.count, head, newest = end
        async for rows in _chunks(db, self.count):
            await self._fetch_keys(db, rows)
            for row in rows:
                self._step(row)
        if self.seq < self.count:
            raise _Found(Problem.CUT, self.seq + 1)
        if newest is not None and newest > self.count:
            raise _Found(Problem.SURPLUS, self.count + 1)
        if self.head != head:
            raise _Found(Problem.END, self.count)

    async def _fetch_keys(self, db: AsyncSession, rows: Sequence[_Row]) -> None:
        subjects = {UserId(row.subject): None for row in rows if row.subject is not None}
        new = [one for one in subjects if one not in self.keys]
        self.keys |= dict.fromkeys(new)
        try:
            self.keys |= await self.audit.subjects.keys_of(db, subjects=new)
        except SealBroken:
            for one in new:
                try:
                    self.keys |= await self.audit.subjects.keys_of(db, subjects=[one])
                except SealBroken:
                    first = next(row.seq for row in rows if row.subject == one)
                    raise _Found(Problem.KEY, first) from None

    def _step(self, row: _Row) -> None:
        # Unpacked at once: a name looked up in a row costs as much as a hash.
        seq, at, tag, actor, subject, object_id, sealed, commitment, hashed = row
        if seq != self.seq + 1:
            raise _Found(Problem.MISSING, self.seq + 1)
        fields = chain.encode_fields(seq, at, tag=tag, actor=actor, subject=subject, object_id=object_id)
        if chain.link(self.head, fields, commitment) != hashed:
            raise _Found(Problem.LINK, seq)
        person = None if subject is None else UserId(subject)
        key = self.audit.key_for(person, self.keys)
        if key is not None:
            try:
                plain = unseal(key, sealed, about=chain.about(self.head, fields))
            except SealBroken:
                raise _Found(Problem.SEAL, seq) from None
            if chain.commit(plain[: chain.NONCE_BYTES], plain[chain.NONCE_BYTES :]) != commitment:
                raise _Found(Problem.DETAIL, seq)
        elif person in self.erased:
            self.closed += 1
        else:
            raise _Found(Problem.KEY, seq)
        self.seq, self.head = seq, hashed
        if seq in self.wanted:
            self.heads[seq] = hashed


async def verify(
    db: AsyncSession,
    audit: Audit,
    *,
    erased: Collection[UserId],
    checkpoints: Sequence[Checkpoint] = (),
    signer: Signer,
    now: datetime,
) -> Verdict:
    """Go through the whole chain, and compare it with each checkpoint. Rows added meanwhile are left out.

    ``erased`` are those with a tombstone: nobody else's key may be gone.
    """
    ordered = sorted(checkpoints, key=lambda one: one.count)
    walk = _Walk(audit, frozenset(erased), frozenset(one.count for one in ordered))
    walk.heads[0] = chain.GENESIS
    found: _Found | None = None
    try:
        _check_signatures(ordered, signer)
        await walk.through(db)
        _compare(ordered, walk)
    except _Found as error:
        found = error
    verdict = Verdict(now, walk.count, walk.head, walk.closed, len(ordered))
    if found is None:
        return verdict
    return replace(verdict, problem=found.problem, row=found.row, checkpoint_at=found.at)


def _check_signatures(ordered: Sequence[Checkpoint], signer: Signer) -> None:
    for one in ordered:
        if not signer.is_own(one):
            raise _Found(Problem.SIGNATURE, at=one.at)


def _compare(ordered: Sequence[Checkpoint], walk: _Walk) -> None:
    agreed = 0
    for one in ordered:
        if one.count > walk.count:
            raise _Found(Problem.BEYOND, walk.count + 1, one.at)
        if walk.heads[one.count] != one.head:
            raise _Found(Problem.OTHER_PAST, agreed + 1, one.at)
        agreed = one.count


async def _chunks(db: AsyncSession, count: int) -> AsyncIterator[Sequence[_Row]]:
    """Read the rows up to ``count`` in their order, some thousand at a time."""
    columns = select(
        AuditRow.seq,
        AuditRow.at,
        AuditRow.tag,
        AuditRow.actor,
        AuditRow.subject,
        AuditRow.object_id,
        AuditRow.sealed,
        AuditRow.commitment,
        AuditRow.hash,
    )
    last = 0
    while last < count:
        try:
            rows = (
                await db.execute(
                    columns.where(AuditRow.seq > last, AuditRow.seq <= count)
                    .order_by(AuditRow.seq)
                    .limit(CHUNK)
                )
            ).all()
        except (TypeError, ValueError):
            raise _Found(Problem.UNREADABLE, last + 1) from None
        if not rows:
            return
        yield rows
        last = rows[-1].seq


async def note(db: AsyncSession, *, verdict: Verdict) -> None:
    """Keep what a verification found, for the page of the audit."""
    await db.execute(
        insert(AuditCheckRow).values(
            id=new_id("v"),
            at=verdict.at,
            count=verdict.count,
            checkpoints=verdict.checkpoints,
            problem=verdict.problem,
            row=verdict.row,
        )
    )


async def last_verdict(db: AsyncSession) -> Verdict | None:
    """Say what the last verification found; None when there was none."""
    row = (await db.scalars(select(AuditCheckRow).order_by(AuditCheckRow.at.desc()).limit(1))).one_or_none()
    if row is None:
        return None
    problem = None if row.problem is None else Problem(row.problem)
    return Verdict(row.at, row.count, b"", 0, row.checkpoints, problem, row.row)
