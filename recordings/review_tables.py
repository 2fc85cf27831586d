"""Tables of reviews: who released, opened and watched a recording, what was said of it, what was exported.

Words about what is heard in a recording are sealed under the client's key, words about the counselor's work
under the counselor's. Only this package names these tables.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_ID = String(32)
_COUNT = BigInteger().with_variant(Integer, "sqlite")


class ReviewReleaseRow(Base):
    """The counselor's consent that a supervisor may open one recording. It can be taken back."""

    __tablename__ = "review_releases"

    recording_id: Mapped[str] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    released_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_back_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ReviewOpeningRow(Base):
    """One grant to open a recording; the row stays, so that both participants can read of it.

    ``purpose`` is sealed under the client's key. ``played_at`` is when the first of it was sent; null: opened
    and never played. ``sent_bytes`` is how much was sent in all, what was sent twice counted twice.
    """

    __tablename__ = "review_openings"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    grant_id: Mapped[str] = mapped_column(_ID, unique=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), index=True)
    viewer_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    purpose: Mapped[bytes] = mapped_column(LargeBinary)
    given_at: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    played_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent_bytes: Mapped[int] = mapped_column(_COUNT, default=0, server_default="0")


class RecordingViewRow(Base):
    """One stretch that was watched, on the recording's timeline. ``audited_at`` is null while it may grow."""

    __tablename__ = "recording_views"
    __table_args__ = (Index("ix_recording_views_audited_at_changed_at", "audited_at", "changed_at"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    opening_id: Mapped[str] = mapped_column(ForeignKey("review_openings.id", ondelete="CASCADE"), index=True)
    from_ms: Mapped[int]
    to_ms: Mapped[int]
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    audited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ReviewCommentRow(Base):
    """What a supervisor says at one moment of a recording, and what the counselor answers; both sealed.

    ``hidden_at`` is when one of the consents was found to be gone: from then on its author alone reads it,
    for 30 days.
    """

    __tablename__ = "review_comments"
    __table_args__ = (Index("ix_review_comments_recording_id_at_ms", "recording_id", "at_ms"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    author_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    at_ms: Mapped[int]
    text: Mapped[bytes] = mapped_column(LargeBinary)
    written_at: Mapped[datetime] = mapped_column(UtcDateTime)
    edited_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    hidden_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)


class RecordingReviewRow(Base):
    """A supervisor's review: a score for each question of the rubric, and words to the counselor.

    It is about the counselor's work and outlives the recording. ``words`` are sealed under the counselor's
    key. ``submitted_at`` null is a draft that its reviewer alone sees; what is submitted does not change.
    """

    __tablename__ = "recording_reviews"
    __table_args__ = (UniqueConstraint("recording_id", "reviewer_id"),)

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"))
    reviewer_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    rubric: Mapped[int]
    scores: Mapped[dict[str, Any]] = mapped_column(JSON)
    words: Mapped[bytes] = mapped_column(LargeBinary)
    saved_at: Mapped[datetime] = mapped_column(UtcDateTime)
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class RecordingExportRow(Base):
    """One wish to take a recording out, sealed to the age key ``recipient``; ``state`` is of ``exports``.

    ``told`` holds for whom it is and what for, sealed under the client's key. ``file`` is its name in the
    data directory while there is one.
    """

    __tablename__ = "recording_exports"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), index=True)
    asker_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    decider_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    recipient: Mapped[str] = mapped_column(String(100))
    told: Mapped[bytes] = mapped_column(LargeBinary)
    state: Mapped[str] = mapped_column(String(12), index=True)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    decided_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    size_bytes: Mapped[int | None] = mapped_column(_COUNT)
