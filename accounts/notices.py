"""Notices: the inbox of each person. A notice is a kind and what is filled in; nobody writes a text here.

The words are in the catalogues (``notice.<kind>.title`` and ``.text``), so everybody reads them in their own
language, also when it changes later. A place whose name ends in ``@id`` or ``@en`` is for that language
alone. Whoever gave an e-mail address gets a letter that says no more than that something is in the inbox.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, or_, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.notice_tables import ContactRow, NoticeRow
from core.ids import UserId, new_id

KIND: Final = re.compile(r"[a-z][a-z_]{1,39}")
PAGE: Final = 50
AT_ONCE: Final = 500
LETTER_EVERY: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Notice:
    """One notice. ``read_at`` is None for a new one."""

    id: str
    kind: str
    places: Mapping[str, str]
    at: datetime
    read_at: datetime | None

    def said(self, language: str) -> dict[str, str]:
        """Give what is filled into the text in one language."""
        general = {name: text for name, text in self.places.items() if "@" not in name}
        own = {
            name.partition("@")[0]: text
            for name, text in self.places.items()
            if name.partition("@")[2] == language
        }
        return general | own


async def post(
    db: AsyncSession, *, user: UserId, kind: str, places: Mapping[str, str] | None = None, now: datetime
) -> None:
    """Put a notice into somebody's inbox."""
    await post_all(db, users=[user], kind=kind, places=places, now=now)


async def post_all(
    db: AsyncSession,
    *,
    users: Iterable[UserId],
    kind: str,
    places: Mapping[str, str] | None = None,
    once: bool = False,
    letter: bool = True,
    now: datetime,
) -> None:
    """Put the same notice into several inboxes; ``once`` leaves out who has not read one of this kind.

    Without ``letter`` no e-mail says that it is there: whoever posts it writes by themselves.
    """
    if not KIND.fullmatch(kind):
        raise ValueError("a kind of notice is a word")
    listed = list(users)
    if once:
        unread = select(NoticeRow.user_id).where(NoticeRow.kind == kind, NoticeRow.read_at.is_(None))
        told = set(await db.scalars(unread.where(NoticeRow.user_id.in_(listed))))
        listed = [user for user in listed if user not in told]
    for start in range(0, len(listed), AT_ONCE):
        some = listed[start : start + AT_ONCE]
        confirmed = select(ContactRow.user_id).where(ContactRow.confirmed_at.is_not(None))
        mailed = set(await db.scalars(confirmed.where(ContactRow.user_id.in_(some))))
        rows = [
            {
                "id": new_id("n"),
                "user_id": user,
                "kind": kind,
                "places": dict(places or {}),
                "at": now,
                "read_at": None,
                "mail_due": letter and user in mailed,
            }
            for user in some
        ]
        await db.execute(insert(NoticeRow), rows)


async def inbox(
    db: AsyncSession, *, user: UserId, before: datetime | None = None, limit: int = PAGE
) -> list[Notice]:
    """List a person's notices, the newest first."""
    wanted = select(NoticeRow).where(NoticeRow.user_id == user)
    if before is not None:
        wanted = wanted.where(NoticeRow.at < before)
    rows = await db.scalars(wanted.order_by(NoticeRow.at.desc(), NoticeRow.id).limit(limit))
    return [Notice(row.id, row.kind, row.places, row.at, row.read_at) for row in rows]


async def unread(db: AsyncSession, *, user: UserId) -> int:
    """Count what a person has not read."""
    count = await db.scalar(
        select(func.count())
        .select_from(NoticeRow)
        .where(NoticeRow.user_id == user, NoticeRow.read_at.is_(None))
    )
    return count or 0


async def mark_read(db: AsyncSession, *, user: UserId, until: datetime, now: datetime) -> None:
    """Mark as read what came up to a moment: what the person had before them, and nothing newer."""
    await db.execute(
        update(NoticeRow)
        .where(NoticeRow.user_id == user, NoticeRow.read_at.is_(None), NoticeRow.at <= until)
        .values(read_at=now, mail_due=False)
    )


async def settle(db: AsyncSession, *, user: UserId, kinds: Sequence[str], now: datetime) -> None:
    """Mark as read all of these kinds: the person saw elsewhere what they are about."""
    await db.execute(
        update(NoticeRow)
        .where(NoticeRow.user_id == user, NoticeRow.read_at.is_(None), NoticeRow.kind.in_(kinds))
        .values(read_at=now, mail_due=False)
    )


async def owed_letters(db: AsyncSession, *, now: datetime, limit: int = AT_ONCE) -> list[UserId]:
    """List who is owed a letter that something is there: one an hour at most, to a confirmed address."""
    users = await db.scalars(
        select(NoticeRow.user_id)
        .join(ContactRow, ContactRow.user_id == NoticeRow.user_id)
        .where(
            NoticeRow.mail_due,
            ContactRow.confirmed_at.is_not(None),
            or_(ContactRow.letter_at.is_(None), ContactRow.letter_at <= now - LETTER_EVERY),
        )
        .group_by(NoticeRow.user_id)
        .limit(limit)
    )
    return [UserId(user) for user in users]


async def letters_gone(db: AsyncSession, *, users: Sequence[UserId], now: datetime) -> None:
    """Note that their letters are on the way; however many notices there were, it is one letter each."""
    await db.execute(
        update(NoticeRow).where(NoticeRow.user_id.in_(users), NoticeRow.mail_due).values(mail_due=False)
    )
    await db.execute(update(ContactRow).where(ContactRow.user_id.in_(users)).values(letter_at=now))


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Delete a person's inbox."""
    await db.execute(delete(NoticeRow).where(NoticeRow.user_id == user))
