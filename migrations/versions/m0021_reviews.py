"""Reviews: who released, opened and watched a recording, what was said of it, what was exported."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

_COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "review_releases",
        _of("recording_id", "recordings", "CASCADE", key=True),
        _of("counselor_id", "users", "CASCADE"),
        sa.Column("released_at", UtcDateTime(), nullable=False),
        sa.Column("taken_back_at", UtcDateTime(), nullable=True),
    )
    _index("review_releases", "counselor_id")
    op.create_table(
        "review_openings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("grant_id", sa.String(32), nullable=False, unique=True),
        _of("recording_id", "recordings", "CASCADE"),
        _of("viewer_id", "users", "SET NULL", nullable=True),
        sa.Column("purpose", sa.LargeBinary(), nullable=False),
        sa.Column("given_at", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("played_at", UtcDateTime(), nullable=True),
    )
    _index("review_openings", "recording_id")
    _index("review_openings", "viewer_id")
    op.create_table(
        "recording_views",
        sa.Column("id", sa.String(32), primary_key=True),
        _of("opening_id", "review_openings", "CASCADE"),
        sa.Column("from_ms", sa.Integer(), nullable=False),
        sa.Column("to_ms", sa.Integer(), nullable=False),
        sa.Column("began_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("audited_at", UtcDateTime(), nullable=True),
    )
    _index("recording_views", "opening_id")
    _index("recording_views", "audited_at", "changed_at")
    _comments_and_reviews()
    op.create_table(
        "recording_exports",
        sa.Column("id", sa.String(32), primary_key=True),
        _of("recording_id", "recordings", "CASCADE"),
        _of("asker_id", "users", "SET NULL", nullable=True),
        _of("decider_id", "users", "SET NULL", nullable=True),
        sa.Column("recipient", sa.String(100), nullable=False),
        sa.Column("told", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("decided_at", UtcDateTime(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("size_bytes", _COUNT, nullable=True),
    )
    for column in ("recording_id", "asker_id", "decider_id", "state"):
        _index("recording_exports", column)


def _comments_and_reviews() -> None:
    op.create_table(
        "review_comments",
        sa.Column("id", sa.String(32), primary_key=True),
        _of("recording_id", "recordings", "CASCADE"),
        _of("author_id", "users", "CASCADE"),
        sa.Column("at_ms", sa.Integer(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("written_at", UtcDateTime(), nullable=False),
        sa.Column("edited_at", UtcDateTime(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("hidden_at", UtcDateTime(), nullable=True),
    )
    _index("review_comments", "recording_id", "at_ms")
    _index("review_comments", "author_id")
    _index("review_comments", "hidden_at")
    op.create_table(
        "recording_reviews",
        sa.Column("id", sa.String(32), primary_key=True),
        _of("recording_id", "recordings", "CASCADE"),
        _of("reviewer_id", "users", "SET NULL", nullable=True),
        _of("counselor_id", "users", "CASCADE"),
        sa.Column("rubric", sa.Integer(), nullable=False),
        sa.Column("scores", sa.JSON(), nullable=False),
        sa.Column("words", sa.LargeBinary(), nullable=False),
        sa.Column("saved_at", UtcDateTime(), nullable=False),
        sa.Column("submitted_at", UtcDateTime(), nullable=True),
        sa.UniqueConstraint("recording_id", "reviewer_id"),
    )
    _index("recording_reviews", "reviewer_id")
    _index("recording_reviews", "counselor_id")


def downgrade() -> None:
    for table in (
        "recording_exports",
        "recording_reviews",
        "review_comments",
        "recording_views",
        "review_openings",
        "review_releases",
    ):
        op.drop_table(table)


def _of(name: str, table: str, ondelete: str, *, nullable: bool = False, key: bool = False) -> sa.Column[str]:
    foreign = sa.ForeignKey(f"{table}.id", ondelete=ondelete)
    return sa.Column(name, sa.String(32), foreign, nullable=nullable, primary_key=key)


def _index(table: str, *columns: str) -> None:
    op.create_index(f"ix_{table}_{'_'.join(columns)}", table, list(columns))
