"""Complaints ("Laporkan"): to an officer outside the counseling line, and to nobody else.

Text and evidence are sealed: under the key of the person where we know who it is, else under one of the
complaint's own. The officer opens them by a grant; no other role has the permission. The audit's rows about
a complaint name no person, for admins read them. Whoever holds the receipt code reads the answer; it is
shown once and kept as a keyed hash.

    filed ── opened by the officer ── answered ── closed
      └─────────── due after the promised days; late is counted and told once to the officers
"""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.audit import Audit
from accounts.codes import Codes, is_code, normal
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission, Role
from accounts.subjects import KeyGone
from core.derive import derive
from core.errors import Forbidden, InvalidState, NotFound
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from counseling.duty_tables import ComplaintRow, EvidenceRow

PURPOSE: Final = "complaint receipt"
RECEIPT_CHARS: Final = 16  # 80 bits
MAX_TEXT_CHARS: Final = 10_000
MAX_FILES: Final = 3


class Topic(enum.StrEnum):
    """What it is about, in the complainer's own choice."""

    COUNSELOR = "counselor"
    BOUNDARY = "boundary"
    PRIVACY = "privacy"
    SERVICE = "service"
    OTHER = "other"


class Unanswered(enum.StrEnum):
    """Why one is closed without an answer: chosen, for admins read the audit."""

    JUNK = "junk"
    TWICE = "twice"
    ELSEWHERE = "elsewhere"


class State(enum.StrEnum):
    """How far it has come."""

    FILED = "filed"
    OPENED = "opened"
    ANSWERED = "answered"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class Complaint:
    """What stands on the outside of a complaint. ``known``: we know whose it is; who, nobody is told."""

    id: str
    topic: Topic
    language: str
    known: bool
    filed_at: datetime
    due_at: datetime
    opened_at: datetime | None
    answered_at: datetime | None
    closed_at: datetime | None
    erased: bool
    files: int = 0

    @property
    def state(self) -> State:
        """How far it has come."""
        if self.closed_at is not None:
            return State.CLOSED
        if self.answered_at is not None:
            return State.ANSWERED
        return State.FILED if self.opened_at is None else State.OPENED

    def is_late(self, now: datetime) -> bool:
        """Whether the promised time passed without an answer, or the answer came after it."""
        return (self.answered_at or self.closed_at or now) > self.due_at


@dataclass(frozen=True, slots=True)
class Evidence:
    """One file, without its content."""

    id: str
    kind: str
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Inside:
    """What is sealed. ``text`` is None once the person was erased."""

    text: str | None
    answer: str | None
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that was cleaned already."""

    kind: str
    content: bytes


def outside_the_line(person: Person) -> bool:
    """Whether somebody may take complaints: an officer who is nothing else here."""
    return person.roles == {Role.OFFICER}


class Complaints:
    """Files and opens complaints. Holds the key from which those of nobody known are derived."""

    def __init__(self, master: bytes, codes: Codes, audit: Audit) -> None:
        self._key = derive(master, "complaints")
        self._codes = codes
        self._audit = audit

    def receipt_for(self, once: str) -> str:
        """Make the receipt code that belongs to a form's one-time number: sent twice, it is one code."""
        return self._codes.make(PURPOSE, once, RECEIPT_CHARS)

    async def file(
        self,
        db: AsyncSession,
        *,
        receipt: str,
        user: UserId | None,
        language: str,
        topic: Topic,
        text: str,
        files: Sequence[NewFile] = (),
        days: int,
        now: datetime,
    ) -> Complaint:
        """File a complaint, to be answered within so many days; the officers are told that there is one."""
        if len(files) > MAX_FILES:
            raise InvalidState("These are more files than a complaint holds.")
        row = ComplaintRow(
            id=new_id("c"),
            receipt_hash=self._codes.hash(PURPOSE, receipt),
            user_id=user,
            language=language,
            topic=topic.value,
            text=None,
            answer=None,
            filed_at=now,
            due_at=now + timedelta(days=days),
            opened_at=None,
            answered_at=None,
            closed_at=None,
            late_told_at=None,
        )
        key = await self._key_of(db, row)
        row.text = seal(key, text.encode("utf-8", "replace"), about=_about(row.id, "text"))
        db.add(row)
        await db.flush()
        for one in files:
            await _keep(db, key, row.id, one, now)
        officers = [one.id for one in await people.with_role(db, role=Role.OFFICER)]
        await notices.post_all(db, users=officers, kind="complaint_new", once=True, now=now)
        await self._written_down(db, "complaint:file", row.id, None, now)
        return outside(row, len(files))

    async def add_file(self, db: AsyncSession, *, complaint: str, file: NewFile, now: datetime) -> None:
        """Add a file for whoever holds the receipt. Raises ``InvalidState`` when it is closed or full."""
        row = await self._row(db, complaint)
        count = await db.scalar(
            select(func.count()).select_from(EvidenceRow).where(EvidenceRow.complaint_id == complaint)
        )
        if row.closed_at is not None or row.text is None or (count or 0) >= MAX_FILES:
            raise InvalidState("This complaint takes no more files.")
        await _keep(db, await self._key_of(db, row), complaint, file, now)
        await self._written_down(db, "complaint:add", complaint, None, now)

    async def by_receipt(self, db: AsyncSession, *, typed: str) -> tuple[Complaint, Inside] | None:
        """Open a complaint for whoever holds its receipt code; None for a code that is none of ours."""
        text = normal(typed)
        if not is_code(text, RECEIPT_CHARS):
            return None
        row = (
            await db.scalars(
                select(ComplaintRow).where(ComplaintRow.receipt_hash == self._codes.hash(PURPOSE, text))
            )
        ).one_or_none()
        return None if row is None else (outside(row), await self._inside(db, row))

    async def own(self, db: AsyncSession, *, user: UserId) -> list[tuple[Complaint, Inside]]:
        """Open a person's own complaints for that person, the newest first."""
        rows = await db.scalars(
            select(ComplaintRow).where(ComplaintRow.user_id == user).order_by(ComplaintRow.filed_at.desc())
        )
        return [(outside(row), await self._inside(db, row)) for row in rows]

    async def open(
        self, db: AsyncSession, grant: Grant, *, complaint: str, now: datetime
    ) -> tuple[Complaint, Inside]:
        """Open a complaint for the officer; the first time is noted. Raises ``NotFound``, ``Forbidden``."""
        grant.require(Permission.HANDLE_COMPLAINTS, None, now, object_id=complaint)
        row = await self._row(db, complaint)
        if row.opened_at is None:
            row.opened_at = now
            await db.flush()
        return outside(row), await self._inside(db, row)

    async def file_of(
        self, db: AsyncSession, grant: Grant, *, complaint: str, evidence: str, now: datetime
    ) -> NewFile:
        """Open one file of a complaint for the officer. Raises ``NotFound``, ``Forbidden``."""
        grant.require(Permission.HANDLE_COMPLAINTS, None, now, object_id=complaint)
        row = await db.get(EvidenceRow, evidence)
        if row is None or row.complaint_id != complaint:
            raise NotFound("There is no such file.")
        key = await self._key_of(db, await self._row(db, complaint))
        await self._written_down(db, "complaint:evidence", complaint, grant.person, now)
        return NewFile(row.kind, unseal(key, row.content, about=_about(row.id, "content")))

    async def answer(
        self, db: AsyncSession, grant: Grant, *, complaint: str, text: str, officer: Person, now: datetime
    ) -> None:
        """Write the answer, or a better one until it is closed. Whoever we know is told that it is there."""
        _check_officer(officer)
        grant.require(Permission.HANDLE_COMPLAINTS, None, now, object_id=complaint)
        row = await self._row(db, complaint)
        if row.closed_at is not None or row.text is None:
            raise InvalidState("This complaint is closed.")
        key = await self._key_of(db, row)
        row.answer = seal(key, text.encode("utf-8", "replace"), about=_about(row.id, "answer"))
        row.answered_at = row.answered_at or now
        await db.flush()
        if row.user_id is not None:
            await notices.post(db, user=UserId(row.user_id), kind="complaint_answered", now=now)
        await self._written_down(db, "complaint:answer", row.id, officer.id, now)

    async def close(self, db: AsyncSession, *, complaint: str, officer: Person, now: datetime) -> None:
        """Close what was answered, or whose text is gone. Raises ``InvalidState``."""
        _check_officer(officer)
        row = await self._row(db, complaint)
        if row.answered_at is None and row.text is not None:
            raise InvalidState("A complaint is answered before it is closed, or a reason is given.")
        row.closed_at = row.closed_at or now
        await db.flush()
        await self._written_down(db, "complaint:close", row.id, officer.id, now)

    async def close_unanswered(
        self,
        db: AsyncSession,
        grant: Grant,
        *,
        complaint: str,
        reason: Unanswered,
        officer: Person,
        now: datetime,
    ) -> None:
        """Close what was read and needs no answer. Raises ``InvalidState`` for what has one or is closed."""
        _check_officer(officer)
        grant.require(Permission.HANDLE_COMPLAINTS, None, now, object_id=complaint)
        row = await self._row(db, complaint)
        if row.answered_at is not None or row.closed_at is not None:
            raise InvalidState("This complaint has an answer, or is closed.")
        row.closed_at = now
        await db.flush()
        await self._audit.append(
            db,
            tag="complaint:dismiss",
            actor=officer.id,
            subject=None,
            object_id=row.id,
            detail={"reason": reason.value},
            now=now,
        )

    async def _inside(self, db: AsyncSession, row: ComplaintRow) -> Inside:
        if row.text is None:
            return Inside(None, None, ())
        try:
            key = await self._key_of(db, row)
        except KeyGone:
            return Inside(None, None, ())
        text = unseal(key, row.text, about=_about(row.id, "text")).decode()
        answer = None
        if row.answer is not None:
            answer = unseal(key, row.answer, about=_about(row.id, "answer")).decode()
        found = await db.execute(
            select(EvidenceRow.id, EvidenceRow.kind, EvidenceRow.size_bytes)
            .where(EvidenceRow.complaint_id == row.id)
            .order_by(EvidenceRow.at, EvidenceRow.id)
        )
        return Inside(text, answer, tuple(Evidence(*one) for one in found))

    async def _key_of(self, db: AsyncSession, row: ComplaintRow) -> bytes:
        if row.user_id is None:
            return derive(self._key, row.id)
        return await self._audit.subjects.key_of(db, subject=UserId(row.user_id))

    async def _row(self, db: AsyncSession, complaint: str) -> ComplaintRow:
        row = await db.get(ComplaintRow, complaint, populate_existing=True)
        if row is None:
            raise NotFound("There is no such complaint.")
        return row

    async def _written_down(
        self, db: AsyncSession, tag: str, complaint: str, actor: UserId | None, now: datetime
    ) -> None:
        """Write the audit's row: what was done by whom of the staff, and never about whom."""
        await self._audit.append(db, tag=tag, actor=actor, subject=None, object_id=complaint, now=now)


async def exists(db: AsyncSession, *, complaint: str) -> None:
    """Raise ``NotFound`` unless there is this complaint."""
    if await db.scalar(select(ComplaintRow.id).where(ComplaintRow.id == complaint)) is None:
        raise NotFound("There is no such complaint.")


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:
    """Delete what a person's complaints say; that there was one, and when it was answered, stays."""
    own = select(ComplaintRow.id).where(ComplaintRow.user_id == user)
    await db.execute(delete(EvidenceRow).where(EvidenceRow.complaint_id.in_(own)))
    await db.execute(
        update(ComplaintRow)
        .where(ComplaintRow.user_id == user)
        .values(user_id=None, text=None, answer=None, closed_at=func.coalesce(ComplaintRow.closed_at, now))
        .execution_options(synchronize_session=False)
    )


async def _keep(db: AsyncSession, key: bytes, complaint: str, file: NewFile, now: datetime) -> None:
    number = new_id("e")
    content = seal(key, file.content, about=_about(number, "content"))
    size = len(file.content)
    db.add(
        EvidenceRow(
            id=number, complaint_id=complaint, kind=file.kind, content=content, size_bytes=size, at=now
        )
    )
    await db.flush()


def _check_officer(officer: Person) -> None:
    if not outside_the_line(officer):
        raise Forbidden("Complaints are for an officer outside the counseling line.")


def _about(number: str, column: str) -> str:
    table = "complaint_evidence" if column == "content" else "complaints"
    return f"{table}:{number}:{column}"


def outside(row: ComplaintRow, files: int = 0) -> Complaint:
    """Give what stands on the outside of a row."""
    return Complaint(
        row.id,
        Topic(row.topic),
        row.language,
        row.user_id is not None,
        row.filed_at,
        row.due_at,
        row.opened_at,
        row.answered_at,
        row.closed_at,
        row.text is None,
        files,
    )
