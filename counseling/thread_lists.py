"""Lists of threads: a client's, a counselor's, those at the desk; what is unread, late, kept, and over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, and_, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.people import Person
from accounts.roles import Permission, Role
from core.ids import UserId
from counseling import replies
from counseling.message_tables import MessageRow, ThreadRow
from counseling.replies import Answered, Kept
from counseling.threads import Thread, thread_of

MEASURED: Final = timedelta(days=90)
MOST_LISTED: Final = 200
MOST_WAITING: Final = 500


@dataclass(frozen=True, slots=True)
class Listed:
    """One thread of a list, with how many messages its reader has not seen."""

    thread: Thread
    unread: int


@dataclass(frozen=True, slots=True)
class Waiting:
    """All that is shown of a message at the desk before it is taken; who wrote it stays in this package."""

    id: str
    topic: str
    language: str
    since: datetime
    client: UserId
    adult: bool


async def of_client(db: AsyncSession, *, client: UserId) -> list[Listed]:
    """List a client's threads, the latest first."""
    return await _listed(db, ThreadRow.client_id == client, by_client=True)


async def of_counselor(db: AsyncSession, *, counselor: UserId) -> list[Listed]:
    """List a counselor's threads, the latest first; not those of clients who are leaving."""
    listed = await _listed(db, ThreadRow.counselor_id == counselor, by_client=False)
    there = await _staying(db, [one.thread.client for one in listed])
    return [one for one in listed if one.thread.client in there]


async def unread(db: AsyncSession, *, user: UserId) -> int:
    """Count the messages that somebody has not seen, in all their threads."""
    counts = await _unread(db, or_(ThreadRow.client_id == user, ThreadRow.counselor_id == user), user)
    return sum(counts.values())


async def waiting(db: AsyncSession, *, thread: str | None = None) -> list[Waiting]:
    """List what waits at the desk, the longest first, or one of it; not of clients who are leaving."""
    which = ThreadRow.taken_at.is_(None)
    rows = (
        await db.scalars(
            select(ThreadRow)
            .where(which if thread is None else and_(which, ThreadRow.id == thread))
            .order_by(ThreadRow.opened_at, ThreadRow.id)
            .limit(MOST_WAITING)
        )
    ).all()
    there = await _staying(db, [UserId(row.client_id) for row in rows])
    return [
        Waiting(
            row.id,
            row.topic,
            row.language,
            row.owed_since or row.opened_at,
            UserId(row.client_id),
            bool(there[UserId(row.client_id)].adult),
        )
        for row in rows
        if row.client_id in there
    ]


async def measure(db: AsyncSession, *, counselor: UserId | None = None, now: datetime) -> Kept:
    """Say how promises were kept in the last 90 days, by one counselor or by all."""
    wanted = (
        select(MessageRow.owed_since, MessageRow.due_at, MessageRow.at)
        .join(ThreadRow, ThreadRow.id == MessageRow.thread_id)
        .where(MessageRow.owed_since.is_not(None), MessageRow.at > now - MEASURED)
    )
    if counselor is not None:
        wanted = wanted.where(ThreadRow.counselor_id == counselor)
    found = await db.execute(wanted)
    return replies.measure(Answered(since, due, at) for since, due, at in found if since is not None)


async def tell_late(db: AsyncSession, *, now: datetime) -> int:
    """Tell once of each late thread: its counselor, or the admins where none is at work to answer."""
    late = await db.execute(
        update(ThreadRow)
        .where(
            ThreadRow.due_at < now,
            ThreadRow.late_told_at.is_(None),
            or_(ThreadRow.taken_at.is_(None), ThreadRow.counselor_id.is_not(None)),
        )
        .values(late_told_at=now)
        .returning(ThreadRow.id, ThreadRow.counselor_id)
        .execution_options(synchronize_session=False)
    )
    told = [None if counselor is None else UserId(counselor) for _, counselor in late]
    there = await people.find_all(db, users=sorted({one for one in told if one is not None}))
    at_work = {one.id for one in there if one.may(Permission.READ_MESSAGES) and not one.is_leaving}
    await notices.post_all(db, users=sorted(at_work), kind="message_late", once=True, now=now)
    if not at_work.issuperset(told):
        admins = [one.id for one in await people.with_role(db, role=Role.ADMIN)]
        await notices.post_all(db, users=admins, kind="messages_untaken", once=True, now=now)
    return len(told)


async def prune(db: AsyncSession, *, days: int, now: datetime) -> int:
    """Delete the threads in which nobody wrote for so many days, with all that was said."""
    gone = await db.execute(
        delete(ThreadRow)
        .where(ThreadRow.last_at < now - timedelta(days=days))
        .returning(ThreadRow.id)
        .execution_options(synchronize_session=False)
    )
    return len(gone.all())


async def _listed(db: AsyncSession, which: ColumnElement[bool], *, by_client: bool) -> list[Listed]:
    rows: Sequence[ThreadRow] = (
        await db.scalars(
            select(ThreadRow).where(which).order_by(ThreadRow.last_at.desc(), ThreadRow.id).limit(MOST_LISTED)
        )
    ).all()
    if not rows:
        return []
    reader = UserId(rows[0].client_id if by_client else str(rows[0].counselor_id))
    counts = await _unread(db, ThreadRow.id.in_([row.id for row in rows]), reader)
    return [Listed(thread_of(row), counts.get(row.id, 0)) for row in rows]


async def _staying(db: AsyncSession, clients: Sequence[UserId]) -> dict[UserId, Person]:
    """Give those of these people who are not leaving."""
    found = await people.find_all(db, users=list(dict.fromkeys(clients)))
    return {person.id: person for person in found if not person.is_leaving}


async def _unread(db: AsyncSession, which: ColumnElement[bool], reader: UserId) -> Mapping[str, int]:
    """Count by thread what the other side wrote after what this reader has seen."""
    theirs = or_(
        and_(
            ThreadRow.client_id == reader,
            MessageRow.by_client.is_(False),
            MessageRow.number > ThreadRow.client_read,
        ),
        and_(
            ThreadRow.counselor_id == reader,
            MessageRow.by_client.is_(True),
            MessageRow.number > ThreadRow.counselor_read,
        ),
    )
    found = await db.execute(
        select(MessageRow.thread_id, func.count())
        .join(ThreadRow, ThreadRow.id == MessageRow.thread_id)
        .where(which, theirs)
        .group_by(MessageRow.thread_id)
    )
    return {str(thread): int(count) for thread, count in found}
