"""The register of counselors: entries, decisions, proofs, signatures, supervisors."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "counselors",
        sa.Column("user_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("submitted_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("warned_days", sa.Integer(), nullable=True),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("licence_number", sa.String(80), nullable=False),
        sa.Column("issuing_body", sa.String(120), nullable=False),
        sa.Column("licence_region", sa.String(80), nullable=False),
        sa.Column("valid_until", sa.Date(), nullable=True),
        sa.Column("degree", sa.String(20), nullable=False),
        sa.Column("background_checked_on", sa.Date(), nullable=True),
        sa.Column("shown_name", sa.String(80), nullable=False, index=True),
        sa.Column("title", sa.String(80), nullable=False),
        sa.Column("about", sa.Text(), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("topics", sa.JSON(), nullable=False),
        sa.Column("media", sa.JSON(), nullable=False),
        sa.Column("minors", sa.Boolean(), nullable=False),
        sa.Column("capacity", sa.Integer(), nullable=False),
        sa.Column("reply_hours", sa.Integer(), nullable=False),
        sa.Column("recusals", sa.JSON(), nullable=False),
        sa.Column("hours", sa.JSON(), nullable=False),
        sa.Column("away_from", sa.Date(), nullable=True),
        sa.Column("away_until", sa.Date(), nullable=True),
    )
    op.create_index(op.f("ix_counselors_state_submitted_at"), "counselors", ["state", "submitted_at"])
    op.create_index(op.f("ix_counselors_state_valid_until"), "counselors", ["state", "valid_until"])
    op.create_table(
        "counselor_decisions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "user_id",
            sa.String(32),
            sa.ForeignKey("counselors.user_id", ondelete="CASCADE"),
            nullable=False,
        ),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column(
            "decided_by",
            sa.String(32),
            sa.ForeignKey("users.id", ondelete="SET NULL"),
            nullable=True,
            index=True,
        ),
        sa.Column("decided_on", sa.Date(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index(op.f("ix_counselor_decisions_user_id_at"), "counselor_decisions", ["user_id", "at"])
    op.create_table(
        "proof_files",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "user_id",
            sa.String(32),
            sa.ForeignKey("counselors.user_id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("content_type", sa.String(40), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("file", sa.String(64), nullable=False, unique=True),
        sa.Column("added_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "ethics_signatures",
        sa.Column("user_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("signed_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "supervisions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "supervisor_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column(
            "counselor_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("from_day", sa.Date(), nullable=False),
        sa.Column("until_day", sa.Date(), nullable=True),
        sa.Column(
            "assigned_by",
            sa.String(32),
            sa.ForeignKey("users.id", ondelete="SET NULL"),
            nullable=True,
            index=True,
        ),
        sa.Column("assigned_at", UtcDateTime(), nullable=False),
    )
    op.create_index(
        op.f("ix_supervisions_supervisor_id_until_day"), "supervisions", ["supervisor_id", "until_day"]
    )
    op.create_index(
        op.f("ix_supervisions_counselor_id_until_day"), "supervisions", ["counselor_id", "until_day"]
    )


def downgrade() -> None:
    for table in ("supervisions", "ethics_signatures", "proof_files", "counselor_decisions", "counselors"):
        op.drop_table(table)
