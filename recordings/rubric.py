"""The rubric of a review, and reviews as supervisors save and submit them.

    (none) ── save ──> draft ── save ──> draft ── submit ──> submitted     and so it stays

Each question gets a score of ``SCORES``; ``NOT_SEEN`` says that this recording does not show it. The
questions are skills that supervisors of counselors look at everywhere: limits explained, relation,
listening, structure, goals and culture of the client, risk, boundaries, ending. A change of them is a new
``VERSION``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Permission
from core.errors import Forbidden, InvalidInput, InvalidState, Misfit
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from recordings import reviews
from recordings.review_tables import RecordingReviewRow
from recordings.reviews import Recording

VERSION: Final = 1
QUESTIONS: Final = (
    "limits", "relation", "listening", "structure", "goals", "culture", "risk", "boundaries", "ending"
)  # fmt: skip
NOT_SEEN: Final = "not_seen"
SCORES: Final = ("1", "2", "3", "4", NOT_SEEN)
"""1 needs work soon, 2 is growing, 3 is firm, 4 is a strength."""
MAX_WORDS_CHARS: Final = 5_000


@dataclass(frozen=True, slots=True)
class Review:
    """One review. ``reviewer`` is None once they are gone; ``submitted_at`` None is a draft."""

    recording: str
    reviewer: UserId | None
    scores: Mapping[str, str]
    words: str
    saved_at: datetime
    submitted_at: datetime | None


async def save(
    db: AsyncSession,
    audit: Audit,
    *,
    recording: Recording,
    person: Person,
    scores: Mapping[str, str],
    words: str,
    submit: bool,
    now: datetime,
) -> None:
    """Save a review, and submit it when it is whole; the counselor is told then.

    The caller asked ``opening.why_closed`` before. Raises ``Forbidden`` for who never played the recording,
    ``InvalidInput`` for a score that is none or is missing, ``InvalidState`` once submitted.
    """
    counselor = recording.counselor
    played = await reviews.has_played(db, recording=recording.id, viewer=person.id)
    if counselor is None or not person.may(Permission.REVIEW_RECORDINGS) or not played:
        raise Forbidden("Who reviews a recording has watched it.")
    given = {one: scores[one] for one in QUESTIONS if scores.get(one) in SCORES}
    if submit and len(given) < len(QUESTIONS):
        missing = [one for one in QUESTIONS if one not in given]
        raise InvalidInput(
            "A review answers every question.", [Misfit(f"/{one}", "missing") for one in missing]
        )
    if len(words) > MAX_WORDS_CHARS:
        raise InvalidInput("These are too many words.", [Misfit("/words", "too long")])
    key = await audit.subjects.key_of(db, subject=counselor)
    row = await db.scalar(_one(recording.id, person.id).with_for_update())
    if row is None:
        row = RecordingReviewRow(
            id=new_id("e"),
            recording_id=recording.id,
            reviewer_id=person.id,
            counselor_id=counselor,
            submitted_at=None,
        )
        db.add(row)
    elif row.submitted_at is not None:
        raise InvalidState("This review is submitted: it stays as it is.")
    row.scores, row.rubric, row.saved_at = given, VERSION, now
    row.words = seal(key, words.strip().encode("utf-8", "replace"), about=_about(row.id))
    if submit:
        row.submitted_at = now
    await db.flush()
    if submit:
        await notices.post(db, user=counselor, kind="review_submitted", now=now)
        await audit.append(
            db, tag="review:submit", actor=person.id, subject=counselor, object_id=recording.id, now=now
        )


async def find(db: AsyncSession, audit: Audit, *, recording: Recording, reviewer: UserId) -> Review | None:
    """Look up somebody's own review, draft or not."""
    row = await db.scalar(_one(recording.id, reviewer))
    return None if row is None else await _opened(db, audit, row)


async def submitted(db: AsyncSession, audit: Audit, *, counselor: UserId) -> list[Review]:
    """List what supervisors submitted about a counselor's work, for the counselor, the newest first."""
    rows = await db.scalars(
        select(RecordingReviewRow)
        .where(RecordingReviewRow.counselor_id == counselor, RecordingReviewRow.submitted_at.is_not(None))
        .order_by(RecordingReviewRow.submitted_at.desc(), RecordingReviewRow.id)
    )
    return [await _opened(db, audit, row) for row in rows]


async def by_reviewer(db: AsyncSession, *, reviewer: UserId) -> dict[str, bool]:
    """Say which recordings somebody reviewed: whether the review is submitted, by recording."""
    rows = await db.execute(
        select(RecordingReviewRow.recording_id, RecordingReviewRow.submitted_at).where(
            RecordingReviewRow.reviewer_id == reviewer
        )
    )
    return {recording: at is not None for recording, at in rows}


def _one(recording: str, reviewer: UserId) -> Select[RecordingReviewRow]:
    return select(RecordingReviewRow).where(
        RecordingReviewRow.recording_id == recording, RecordingReviewRow.reviewer_id == reviewer
    )


async def _opened(db: AsyncSession, audit: Audit, row: RecordingReviewRow) -> Review:
    key = await audit.subjects.key_of(db, subject=UserId(row.counselor_id))
    return Review(
        row.recording_id,
        None if row.reviewer_id is None else UserId(row.reviewer_id),
        dict(row.scores),
        unseal(key, row.words, about=_about(row.id)).decode(),
        row.saved_at,
        row.submitted_at,
    )


def _about(review: str) -> str:
    return f"recording_reviews:{review}:words"
