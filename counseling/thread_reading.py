"""Reading a thread: opened page by page for its client, by a grant for its counselor; what each has seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from core.errors import NotFound
from core.ids import UserId
from core.sealing import unseal
from counseling.message_tables import MessageRow, ThreadRow
from counseling.threads import Thread, about_text, thread_of

PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Message:
    """One message, opened. ``kept`` says of an answer whether it came as promised; None: nothing was."""

    number: int
    by_client: bool
    text: str
    at: datetime
    is_new: bool
    kept: bool | None


@dataclass(frozen=True, slots=True)
class Leaf:
    """Some messages of a thread in their order; ``older`` is what to ask for those before them."""

    messages: Sequence[Message]
    older: int | None


async def own(
    db: AsyncSession, audit: Audit, *, client: Person, thread: str, before: int | None = None
) -> tuple[Thread, Leaf]:
    """Open a thread for its client. Raises ``NotFound`` for anybody else's."""
    row = await db.get(ThreadRow, thread, populate_existing=True)
    if row is None or row.client_id != client.id:
        raise NotFound("There is no such thread.")
    return thread_of(row), await _leaf(db, audit, row, by_client=True, before=before)


async def opened(
    db: AsyncSession, grant: Grant, audit: Audit, *, thread: str, before: int | None = None, now: datetime
) -> tuple[Thread, Leaf]:
    """Open a thread for its counselor. Raises ``NotFound``, ``Forbidden``."""
    row = await db.get(ThreadRow, thread, populate_existing=True)
    if row is None or row.counselor_id != grant.person:
        raise NotFound("There is no such thread.")
    grant.require(Permission.READ_MESSAGES, UserId(row.client_id), now, object_id=thread)
    return thread_of(row), await _leaf(db, audit, row, by_client=False, before=before)


async def mark_read(db: AsyncSession, *, person: Person, thread: str, number: int) -> None:
    """Mark as read up to a message: what the person had before them, and nothing newer."""
    which = (
        (ThreadRow.client_id == person.id, ThreadRow.client_read < number, {"client_read": number})
        if person.is_client
        else (
            ThreadRow.counselor_id == person.id,
            ThreadRow.counselor_read < number,
            {"counselor_read": number},
        )
    )
    whose, earlier, values = which
    await db.execute(
        update(ThreadRow)
        .where(ThreadRow.id == thread, whose, earlier)
        .values(**values)
        .execution_options(synchronize_session=False)
    )


async def _leaf(
    db: AsyncSession, audit: Audit, row: ThreadRow, *, by_client: bool, before: int | None
) -> Leaf:
    wanted = select(MessageRow).where(MessageRow.thread_id == row.id)
    if before is not None:
        wanted = wanted.where(MessageRow.number < before)
    rows = list(await db.scalars(wanted.order_by(MessageRow.number.desc()).limit(PAGE + 1)))
    shown = rows[:PAGE][::-1]
    key = await audit.subjects.key_of(db, subject=UserId(row.client_id))
    seen = row.client_read if by_client else row.counselor_read
    return Leaf(
        [
            Message(
                one.number,
                one.by_client,
                unseal(key, one.text, about=about_text(one.id)).decode(),
                one.at,
                one.by_client is not by_client and one.number > seen,
                None if one.due_at is None else one.at <= one.due_at,
            )
            for one in shown
        ],
        shown[0].number if len(rows) > PAGE else None,
    )
