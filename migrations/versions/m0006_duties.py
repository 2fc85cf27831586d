"""The duty roster, crisis lines, complaints, incidents, decisions about minors; notices and addresses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = (
    "notices",
    "contacts",
    "roster_hours",
    "roster_exceptions",
    "crisis_lines",
    "crisis_signoffs",
    "complaints",
    "complaint_evidence",
    "incidents",
    "incident_notes",
    "incident_people",
    "minor_decisions",
)


def upgrade() -> None:
    op.create_table(
        "notices",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("user_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(40), nullable=False),
        sa.Column("places", sa.JSON(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("read_at", UtcDateTime(), nullable=True),
        sa.Column("mail_due", sa.Boolean(), nullable=False, index=True),
    )
    op.create_index(op.f("ix_notices_user_id_at"), "notices", ["user_id", "at"])
    op.create_table(
        "contacts",
        sa.Column("user_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("email", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "roster_hours",
        sa.Column("weekday", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column(
            "person_id",
            sa.String(32),
            sa.ForeignKey("users.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("deputy_id", sa.String(32), sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    )
    op.create_table(
        "roster_exceptions",
        sa.Column("on_date", sa.Date(), primary_key=True),
        sa.Column("hour", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("person_id", sa.String(32), sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
        sa.Column("deputy_id", sa.String(32), sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True),
    )
    op.create_table(
        "crisis_lines",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("numbers", sa.JSON(), nullable=False),
        sa.Column("about_id", sa.String(200), nullable=False),
        sa.Column("about_en", sa.String(200), nullable=False),
        sa.Column("days", sa.String(7), nullable=False),
        sa.Column("opens_minute", sa.Integer(), nullable=False),
        sa.Column("closes_minute", sa.Integer(), nullable=False),
        sa.Column("languages", sa.JSON(), nullable=False),
        sa.Column("owner", sa.String(80), nullable=False),
        sa.Column("source", sa.String(300), nullable=False),
        sa.Column("checked_at", UtcDateTime(), nullable=True),
        sa.Column("checked_by", sa.String(32), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "crisis_signoffs",
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("clinician", sa.String(120), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("recorded_by", sa.String(32), nullable=False),
    )
    op.create_table(
        "complaints",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("receipt_hash", sa.String(64), nullable=False, unique=True),
        sa.Column(
            "user_id",
            sa.String(32),
            sa.ForeignKey("users.id", ondelete="SET NULL"),
            nullable=True,
            index=True,
        ),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("topic", sa.String(20), nullable=False),
        sa.Column("text", sa.LargeBinary(), nullable=True),
        sa.Column("answer", sa.LargeBinary(), nullable=True),
        sa.Column("filed_at", UtcDateTime(), nullable=False, index=True),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("opened_at", UtcDateTime(), nullable=True),
        sa.Column("answered_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("late_told_at", UtcDateTime(), nullable=True),
    )
    op.create_index(op.f("ix_complaints_closed_at_due_at"), "complaints", ["closed_at", "due_at"])
    op.create_table(
        "complaint_evidence",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "complaint_id",
            sa.String(32),
            sa.ForeignKey("complaints.id", ondelete="CASCADE"),
            nullable=False,
            index=True,
        ),
        sa.Column("kind", sa.String(60), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "incidents",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("title", sa.String(200), nullable=False),
        sa.Column("what_id", sa.Text(), nullable=False),
        sa.Column("what_en", sa.Text(), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("until", UtcDateTime(), nullable=False),
        sa.Column("known_at", UtcDateTime(), nullable=False, index=True),
        sa.Column("reported_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
    )
    op.create_table(
        "incident_notes",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "incident_id", sa.String(32), sa.ForeignKey("incidents.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("author_id", sa.String(32), nullable=True),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index(op.f("ix_incident_notes_incident_id_at"), "incident_notes", ["incident_id", "at"])
    op.create_table(
        "incident_people",
        sa.Column(
            "incident_id", sa.String(32), sa.ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column(
            "user_id",
            sa.String(32),
            sa.ForeignKey("users.id", ondelete="CASCADE"),
            primary_key=True,
            index=True,
        ),
        sa.Column("told_at", UtcDateTime(), nullable=True),
    )
    op.create_table(
        "minor_decisions",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("user_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("decider", sa.String(120), nullable=False),
        sa.Column("recorded_by", sa.String(32), nullable=False),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index(op.f("ix_minor_decisions_user_id_at"), "minor_decisions", ["user_id", "at"])


def downgrade() -> None:
    for table in reversed(TABLES):
        op.drop_table(table)
