"""Comments at moments of a recording: by a supervisor who may watch it, answered by its counselor.

    both consents stand                supervisors of it and the counselor read them; edited by their author
    one of them is gone (``hidden``)   their author alone reads them, for ``KEPT``; then they are destroyed
    the media is destroyed             destroyed with it

They are sealed under the client's key, for they may repeat what the client said.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission
from core.errors import InvalidInput, InvalidState, NotFound
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from recordings.review_tables import ReviewCommentRow
from recordings.reviews import Recording
from recordings.states import State
from recordings.tables import RecordingRow

MAX_CHARS: Final = 2_000
MOST: Final = 500
KEPT: Final = timedelta(days=30)


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment. ``answer`` is None while there is none."""

    id: str
    author: UserId
    at_ms: int
    text: str
    written_at: datetime
    edited_at: datetime | None
    answer: str | None
    answered_at: datetime | None


@dataclass(frozen=True, slots=True)
class Hidden:
    """A comment that its author alone still reads. ``until`` is when it is destroyed."""

    recording: str
    client: UserId
    comment: Comment
    until: datetime


class Comments:
    """Keeps comments of recordings. Holds the audit, and with it the keys they are sealed with."""

    def __init__(self, audit: Audit) -> None:
        self._audit = audit

    async def add(
        self, db: AsyncSession, grant: Grant, *, recording: Recording, at_ms: int, text: str, now: datetime
    ) -> str:
        """Write a comment; gives its id. Raises ``InvalidInput`` for no words, or for no such moment."""
        grant.require(Permission.REVIEW_RECORDINGS, recording.client, now, object_id=recording.id)
        said = _fit(text)
        if not 0 <= at_ms <= recording.duration_ms:
            raise InvalidInput("The recording has no such moment.")
        held = select(ReviewCommentRow.id).where(ReviewCommentRow.recording_id == recording.id)
        if len((await db.scalars(held.limit(MOST))).all()) >= MOST:
            raise InvalidState("There are as many comments as a recording takes.")
        comment = new_id("c")
        key = await self._key(db, recording)
        db.add(
            ReviewCommentRow(
                id=comment,
                recording_id=recording.id,
                author_id=grant.person,
                at_ms=at_ms,
                text=seal(key, said.encode("utf-8", "replace"), about=_about(comment, "text")),
                written_at=now,
                edited_at=None,
                answer=None,
                answered_at=None,
                hidden_at=None,
            )
        )
        await db.flush()
        await self._written_down(db, "review:comment", recording, grant.person, now)
        return comment

    async def edit(
        self,
        db: AsyncSession,
        *,
        recording: Recording,
        comment: str,
        author: Person,
        text: str,
        now: datetime,
    ) -> None:
        """Put other words in the place of one's own. Raises ``NotFound`` for anybody else's."""
        row, said = await self._own(db, recording, comment, author), _fit(text)
        key = await self._key(db, recording)
        row.text = seal(key, said.encode("utf-8", "replace"), about=_about(row.id, "text"))
        row.edited_at = now
        await db.flush()
        await self._written_down(db, "review:comment", recording, author.id, now)

    async def remove(
        self, db: AsyncSession, *, recording: Recording, comment: str, author: Person, now: datetime
    ) -> None:
        """Delete a comment of one's own, with its answer. Raises ``NotFound`` for anybody else's."""
        row = await self._own(db, recording, comment, author)
        await db.delete(row)
        await db.flush()
        await self._written_down(db, "review:uncomment", recording, author.id, now)

    async def answer(
        self,
        db: AsyncSession,
        *,
        recording: Recording,
        comment: str,
        counselor: Person,
        text: str,
        now: datetime,
    ) -> None:
        """Have the counselor answer, or put other words in the place of the answer; its author is told.

        Raises ``NotFound`` for who is not the counselor, and while comments are hidden from them.
        """
        row = await self._row(db, recording, comment)
        if recording.counselor != counselor.id or row.hidden_at is not None:
            raise NotFound("There is no such comment.")
        said, first = _fit(text), row.answered_at is None
        key = await self._key(db, recording)
        row.answer = seal(key, said.encode("utf-8", "replace"), about=_about(row.id, "answer"))
        row.answered_at = now
        await db.flush()
        if first:
            await notices.post_all(
                db, users=[UserId(row.author_id)], kind="review_answered", once=True, now=now
            )
        await self._written_down(db, "review:answer", recording, counselor.id, now)

    async def listed(self, db: AsyncSession, *, recording: Recording) -> list[Comment]:
        """List comments in the order of the recording, for who may read them now."""
        asked = select(ReviewCommentRow).where(ReviewCommentRow.recording_id == recording.id)
        rows = (await db.scalars(asked.order_by(ReviewCommentRow.at_ms, ReviewCommentRow.written_at))).all()
        if not rows:
            return []
        key = await self._key(db, recording)
        return [_opened(row, key) for row in rows]

    async def hidden_of(self, db: AsyncSession, *, author: UserId) -> list[Hidden]:
        """List somebody's own comments that nobody else reads any more, those first that go first."""
        found = await db.execute(
            select(ReviewCommentRow, RecordingRow.client_user)
            .join(RecordingRow, RecordingRow.id == ReviewCommentRow.recording_id)
            .where(ReviewCommentRow.author_id == author, ReviewCommentRow.hidden_at.is_not(None))
            .order_by(ReviewCommentRow.hidden_at, ReviewCommentRow.recording_id, ReviewCommentRow.at_ms)
        )
        rows = [(row, UserId(client)) for row, client in found if client is not None]
        keys = await self._audit.subjects.keys_of(db, subjects=sorted({client for _, client in rows}))
        return [
            Hidden(row.recording_id, client, _opened(row, key), row.hidden_at + KEPT)
            for row, client in rows
            if (key := keys.get(client)) is not None and row.hidden_at is not None
        ]

    async def _own(
        self, db: AsyncSession, recording: Recording, comment: str, author: Person
    ) -> ReviewCommentRow:
        row = await self._row(db, recording, comment)
        if row.author_id != author.id:
            raise NotFound("There is no such comment.")
        return row

    async def _row(self, db: AsyncSession, recording: Recording, comment: str) -> ReviewCommentRow:
        row = await db.get(ReviewCommentRow, comment, populate_existing=True)
        if row is None or row.recording_id != recording.id:
            raise NotFound("There is no such comment.")
        return row

    async def _key(self, db: AsyncSession, recording: Recording) -> bytes:
        if recording.client is None:
            raise NotFound("There is no such recording.")
        return await self._audit.subjects.key_of(db, subject=recording.client)

    async def _written_down(
        self, db: AsyncSession, tag: str, recording: Recording, actor: UserId, now: datetime
    ) -> None:
        await self._audit.append(
            db, tag=tag, actor=actor, subject=recording.client, object_id=recording.id, now=now
        )


async def commented(db: AsyncSession) -> list[str]:
    """List the recordings that somebody said something of."""
    return list(await db.scalars(select(ReviewCommentRow.recording_id).distinct()))


async def hide(db: AsyncSession, *, recordings: Collection[str], now: datetime) -> None:
    """Hide comments of recordings whose consents do not stand any more, unless they are hidden."""
    await db.execute(
        update(ReviewCommentRow)
        .where(ReviewCommentRow.recording_id.in_(recordings), ReviewCommentRow.hidden_at.is_(None))
        .values(hidden_at=now)
    )


async def show(db: AsyncSession, *, recordings: Collection[str]) -> None:
    """Show comments again, of recordings whose consents were given again in time."""
    await db.execute(
        update(ReviewCommentRow)
        .where(ReviewCommentRow.recording_id.in_(recordings), ReviewCommentRow.hidden_at.is_not(None))
        .values(hidden_at=None)
    )


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Destroy comments that were hidden for long enough, and those whose media is gone."""
    gone = select(RecordingRow.id).where(
        RecordingRow.state.in_([State.DESTROYING.value, State.DESTROYED.value])
    )
    await db.execute(delete(ReviewCommentRow).where(ReviewCommentRow.hidden_at <= now - KEPT))
    await db.execute(delete(ReviewCommentRow).where(ReviewCommentRow.recording_id.in_(gone)))


def _opened(row: ReviewCommentRow, key: bytes) -> Comment:
    return Comment(
        row.id,
        UserId(row.author_id),
        row.at_ms,
        unseal(key, row.text, about=_about(row.id, "text")).decode(),
        row.written_at,
        row.edited_at,
        None if row.answer is None else unseal(key, row.answer, about=_about(row.id, "answer")).decode(),
        row.answered_at,
    )


def _fit(text: str) -> str:
    said = text.strip()
    if not said or len(said) > MAX_CHARS:
        raise InvalidInput("A comment has 1 to 2,000 characters.")
    return said


def _about(comment: str, column: str) -> str:
    return f"review_comments:{comment}:{column}"
