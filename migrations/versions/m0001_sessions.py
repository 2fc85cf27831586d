"""API keys, sessions, their places, and what happened in them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", sa.String(100), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
    )
    op.create_table(
        "sessions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("owner", sa.String(32), sa.ForeignKey("api_keys.id"), nullable=True),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("recording", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=True),
        sa.Column("max_minutes", sa.Integer(), nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("ends_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_reason", sa.String(200), nullable=True),
        sa.Column("places_until", UtcDateTime(), nullable=False),
    )
    op.create_index(op.f("ix_sessions_owner"), "sessions", ["owner"])
    op.create_table(
        "participants",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "session_id", sa.String(32), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("seat", sa.String(64), nullable=True),
        sa.Column("code_hash", sa.String(64), nullable=False, unique=True),
    )
    op.create_index(op.f("ix_participants_session_id"), "participants", ["session_id"])
    op.create_table(
        "session_events",
        sa.Column("id", _COUNT, primary_key=True, autoincrement=True),
        sa.Column(
            "session_id", sa.String(32), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("participant_id", sa.String(32), sa.ForeignKey("participants.id", ondelete="CASCADE")),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
    )
    op.create_index(op.f("ix_session_events_session_id_at"), "session_events", ["session_id", "at"])
    op.create_table(
        "quality_samples",
        sa.Column("id", _COUNT, primary_key=True, autoincrement=True),
        sa.Column(
            "session_id", sa.String(32), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column(
            "participant_id",
            sa.String(32),
            sa.ForeignKey("participants.id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("rtt_ms", sa.Double(), nullable=True),
        sa.Column("loss_up_pct", sa.Double(), nullable=True),
        sa.Column("loss_down_pct", sa.Double(), nullable=True),
        sa.Column("jitter_ms", sa.Double(), nullable=True),
        sa.Column("bytes_up", _COUNT, nullable=False),
        sa.Column("bytes_down", _COUNT, nullable=False),
        sa.Column("transport", sa.String(8), nullable=True),
        sa.Column("ip_version", sa.Integer(), nullable=True),
    )
    op.create_index(op.f("ix_quality_samples_session_id_at"), "quality_samples", ["session_id", "at"])


def downgrade() -> None:
    for table in ("quality_samples", "session_events", "participants", "sessions", "api_keys"):
        op.drop_table(table)
