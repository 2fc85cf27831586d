"""Proofs that recordings were destroyed; when finishing a side was tried last."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "recording_proofs",
        sa.Column("recording_id", sa.String(32), primary_key=True),
        sa.Column("why", sa.String(32), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("key_at", UtcDateTime(), nullable=True),
        sa.Column("backups_until", UtcDateTime(), nullable=True),
        sa.Column("media_at", UtcDateTime(), nullable=True),
        sa.Column("files", sa.Integer(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("tried_at", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.String(200), nullable=True),
    )
    op.create_index(
        op.f("ix_recording_proofs_asked_at"),
        "recording_proofs",
        ["asked_at"],
        sqlite_where=sa.text("media_at IS NULL"),
        postgresql_where=sa.text("media_at IS NULL"),
    )
    op.add_column("recording_sides", sa.Column("tried_at", UtcDateTime(), nullable=True))


def downgrade() -> None:
    op.drop_column("recording_sides", "tried_at")
    op.drop_table("recording_proofs")
