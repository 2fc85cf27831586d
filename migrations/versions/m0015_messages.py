"""Sealed threads of messages."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

WAITING = sa.text("taken_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "threads",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("client_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column(
            "counselor_id", sa.String(32), sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True
        ),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("topic", sa.String(40), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("taken_at", UtcDateTime(), nullable=True),
        sa.Column("last_at", UtcDateTime(), nullable=False),
        sa.Column("last_number", sa.Integer(), nullable=False),
        sa.Column("client_read", sa.Integer(), nullable=False),
        sa.Column("counselor_read", sa.Integer(), nullable=False),
        sa.Column("owed_since", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
        sa.Column("late_told_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_threads_client_id_last_at", "threads", ["client_id", "last_at"])
    op.create_index("ix_threads_counselor_id_last_at", "threads", ["counselor_id", "last_at"])
    op.create_index("ix_threads_due_at", "threads", ["due_at"])
    op.create_index(
        "ux_threads_client_waiting",
        "threads",
        ["client_id"],
        unique=True,
        sqlite_where=WAITING,
        postgresql_where=WAITING,
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "thread_id", sa.String(32), sa.ForeignKey("threads.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("by_client", sa.Boolean(), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("owed_since", UtcDateTime(), nullable=True),
        sa.Column("due_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ux_messages_thread_id_number", "messages", ["thread_id", "number"], unique=True)


def downgrade() -> None:
    for table in ("messages", "threads"):
        op.drop_table(table)
