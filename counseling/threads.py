"""Messages: a sealed thread between a client and a counselor, or the desk while no counselor is known.

    opened by the client, to the desk ── waits ── taken by one fitting counselor ─┐
    opened by the client or a counselor who know each other ──────────────────────┴─ taken ── left

A client has one waiting thread at most. Until it is taken nobody reads it; then it is that counselor's, and
nobody else's even when that counselor has gone (left): history moves only with the client's consent. All
texts are sealed under the client's key. What a client writes is owed an answer by the promise that was
shown; ``counseling/replies.py`` makes it, ``counseling/thread_lists.py`` measures it. Reading is in
``counseling/thread_reading.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Permission
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from core.ids import UserId, new_id
from core.sealing import seal
from counseling.message_tables import MessageRow, ThreadRow
from counseling.replies import nearer
from counseling.way_tables import TalkRow

MAX_TEXT_CHARS: Final = 4_000
KNOWN_FOR: Final = timedelta(days=365)
"""So long after a talk its two people may still open a thread."""


class Taken(InvalidState):
    """Another counselor took this message first."""

    code = "taken"


@dataclass(frozen=True, slots=True)
class Thread:
    """One thread from outside. ``counselor`` None: it waits (``taken_at`` is None), or they have gone."""

    id: str
    client: UserId
    counselor: UserId | None
    language: str
    topic: str
    opened_at: datetime
    taken_at: datetime | None
    last_at: datetime
    owed_since: datetime | None
    due_at: datetime | None

    @property
    def waits(self) -> bool:
        """Whether it waits at the desk."""
        return self.taken_at is None

    @property
    def left(self) -> bool:
        """Whether its counselor has gone: it can be read by the client, and nobody answers in it."""
        return self.taken_at is not None and self.counselor is None


async def find(db: AsyncSession, *, thread: str) -> Thread:
    """Look a thread up. Raises ``NotFound``."""
    row = await db.get(ThreadRow, thread, populate_existing=True)
    if row is None:
        raise NotFound("There is no such thread.")
    return thread_of(row)


async def known(db: AsyncSession, *, client: UserId, now: datetime) -> list[UserId]:
    """List the counselors a client may write to by name: of talks and threads, the last one first."""
    talked = await db.execute(
        select(TalkRow.counselor_id, TalkRow.begun_at).where(
            TalkRow.client_id == client, TalkRow.begun_at > now - KNOWN_FOR
        )
    )
    wrote = await db.execute(
        select(ThreadRow.counselor_id, ThreadRow.last_at).where(
            ThreadRow.client_id == client, ThreadRow.counselor_id.is_not(None)
        )
    )
    latest: dict[UserId, datetime] = {}
    for counselor, at in (*talked, *wrote):
        user = UserId(counselor)
        latest[user] = max(at, latest.get(user, at))
    return sorted(latest, key=lambda user: latest[user], reverse=True)


async def leave(
    db: AsyncSession,
    audit: Audit,
    *,
    client: Person,
    language: str,
    topic: str,
    text: str,
    due_at: datetime,
    now: datetime,
) -> Thread:
    """Leave a message at the desk; one that still waits there is gone on with."""
    await people.hold(db, users=[client.id])
    waiting = select(ThreadRow).where(ThreadRow.client_id == client.id, ThreadRow.taken_at.is_(None))
    row = (await db.scalars(waiting.with_for_update())).one_or_none()
    if row is None:
        row = await _open(
            db, audit, client=client.id, counselor=None, by=client, language=language, topic=topic, now=now
        )
    await _append(db, audit, row, by=client, text=text, due_at=due_at, now=now)
    return thread_of(row)


async def write_to(
    db: AsyncSession,
    audit: Audit,
    *,
    client: Person,
    counselor: UserId,
    text: str,
    due_at: datetime | None,
    now: datetime,
) -> Thread:
    """Write to a counselor whom the client knows, in the thread they have. Raises ``NotFound``."""
    if counselor not in await known(db, client=client.id, now=now):
        raise NotFound("There is no such counselor.")
    row = await _between(db, audit, client=client.id, counselor=counselor, by=client, now=now)
    await _append(db, audit, row, by=client, text=text, due_at=due_at, now=now)
    return thread_of(row)


async def begin(
    db: AsyncSession, audit: Audit, *, counselor: Person, client: UserId, text: str, now: datetime
) -> Thread:
    """Write as a counselor to a client with whom there was a talk. Raises ``NotFound``."""
    person = await people.find(db, user=client)
    if person is None or person.is_leaving or counselor.id not in await known(db, client=client, now=now):
        raise NotFound("There is no such client.")
    row = await _between(db, audit, client=client, counselor=counselor.id, by=counselor, now=now)
    await _append(db, audit, row, by=counselor, text=text, due_at=None, now=now)
    return thread_of(row)


async def reply(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    thread: str,
    text: str,
    due_at: datetime | None,
    now: datetime,
) -> Thread:
    """Go on in a thread, as its client or as its counselor; ``due_at`` is what a client is promised.

    Raises ``NotFound`` for anybody else, ``InvalidState`` where nobody would read it.
    """
    row = await _own(db, person, thread)
    if row.taken_at is not None and row.counselor_id is None:
        raise InvalidState("The counselor of this thread has gone.")
    await _append(db, audit, row, by=person, text=text, due_at=due_at, now=now)
    return thread_of(row)


async def take(
    db: AsyncSession, audit: Audit, *, counselor: Person, thread: str, due_at: datetime | None, now: datetime
) -> Thread:
    """Take a waiting thread over; the first counselor has it. The caller has asked whether they fit.

    ``due_at`` is this counselor's own promise from now on. Raises ``Taken``, ``NotFound``.
    """
    if not counselor.may(Permission.READ_MESSAGES):
        raise Forbidden("Messages are taken by counselors.")
    done = await db.scalar(
        update(ThreadRow)
        .where(ThreadRow.id == thread, ThreadRow.taken_at.is_(None))
        .values(counselor_id=counselor.id, taken_at=now)
        .returning(ThreadRow.id)
        .execution_options(synchronize_session=False)
    )
    row = await db.get(ThreadRow, thread, populate_existing=True)
    if row is None:
        raise NotFound("There is no such thread.")
    if done is None and row.counselor_id != counselor.id:
        raise Taken("Another counselor took this message first.")
    if done is not None:
        row.due_at = nearer(row.due_at, due_at)
        await db.flush()
        client = UserId(row.client_id)
        await audit.append(
            db, tag="thread:take", actor=counselor.id, subject=client, object_id=row.id, now=now
        )
    return thread_of(row)


def fit_text(text: str) -> str:
    """Take a text as typed. Raises ``InvalidInput`` when it says nothing or too much."""
    told = text.replace("\r\n", "\n").strip()
    if not 0 < len(told) <= MAX_TEXT_CHARS:
        raise InvalidInput("A message has 1 to 4,000 characters.")
    return told


def thread_of(row: ThreadRow) -> Thread:
    """Give what stands on the outside of a row."""
    return Thread(
        row.id,
        UserId(row.client_id),
        None if row.counselor_id is None else UserId(row.counselor_id),
        row.language,
        row.topic,
        row.opened_at,
        row.taken_at,
        row.last_at,
        row.owed_since,
        row.due_at,
    )


async def _between(
    db: AsyncSession, audit: Audit, *, client: UserId, counselor: UserId, by: Person, now: datetime
) -> ThreadRow:
    """Give the last thread of two people, or open one. Of two at once, one waits here for the other."""
    await people.hold(db, users=[client])
    theirs = (
        select(ThreadRow)
        .where(ThreadRow.client_id == client, ThreadRow.counselor_id == counselor)
        .order_by(ThreadRow.last_at.desc(), ThreadRow.id)
        .limit(1)
    )
    row = (await db.scalars(theirs.with_for_update())).one_or_none()
    if row is not None:
        return row
    return await _open(
        db, audit, client=client, counselor=counselor, by=by, language=by.language, topic="other", now=now
    )


async def _open(
    db: AsyncSession,
    audit: Audit,
    *,
    client: UserId,
    counselor: UserId | None,
    by: Person,
    language: str,
    topic: str,
    now: datetime,
) -> ThreadRow:
    row = ThreadRow(
        id=new_id("l"),
        client_id=client,
        counselor_id=counselor,
        language=language,
        topic=topic,
        opened_at=now,
        taken_at=None if counselor is None else now,
        last_at=now,
        last_number=0,
        client_read=0,
        counselor_read=0,
        owed_since=None,
        due_at=None,
        late_told_at=None,
    )
    db.add(row)
    await db.flush()
    await audit.append(db, tag="thread:open", actor=by.id, subject=client, object_id=row.id, now=now)
    return row


async def _own(db: AsyncSession, person: Person, thread: str) -> ThreadRow:
    """Give a thread's row to one of its two people, held until the commit. Raises ``NotFound``."""
    wanted = select(ThreadRow).where(ThreadRow.id == thread)
    row = (await db.scalars(wanted.with_for_update().execution_options(populate_existing=True))).one_or_none()
    if row is None or person.id not in {row.client_id, row.counselor_id}:
        raise NotFound("There is no such thread.")
    client = await people.find(db, user=UserId(row.client_id))
    if client is None or (client.is_leaving and person.id != client.id):
        raise NotFound("There is no such thread.")
    return row


async def _append(
    db: AsyncSession,
    audit: Audit,
    row: ThreadRow,
    *,
    by: Person,
    text: str,
    due_at: datetime | None,
    now: datetime,
) -> None:
    """Add a message; what was owed is answered by it, or begins with it. The other side is told."""
    told = fit_text(text)
    client, by_client = UserId(row.client_id), by.id == row.client_id
    key = await audit.subjects.key_of(db, subject=client)
    row.last_number += 1
    message = MessageRow(
        id=new_id("m"),
        thread_id=row.id,
        number=row.last_number,
        by_client=by_client,
        text=b"",
        at=now,
        owed_since=None,
        due_at=None,
    )
    message.text = seal(key, told.encode("utf-8", "replace"), about=about_text(message.id))
    row.last_at = now
    if by_client:
        row.client_read = row.last_number
        if row.owed_since is None:
            row.owed_since, row.due_at = now, due_at
    else:
        row.counselor_read = row.last_number
        message.owed_since, message.due_at = row.owed_since, row.due_at
        row.owed_since = row.due_at = row.late_told_at = None
    db.add(message)
    await db.flush()
    if by_client and row.counselor_id is not None:
        await notices.post_all(
            db, users=[UserId(row.counselor_id)], kind="message_client", once=True, now=now
        )
    elif not by_client:
        await notices.post_all(db, users=[client], kind="message_new", once=True, now=now)
    await audit.append(db, tag="message:send", actor=by.id, subject=client, object_id=row.id, now=now)


def about_text(message: str) -> str:
    """Say what the seal of a message's text is bound to."""
    return f"messages:{message}:text"
