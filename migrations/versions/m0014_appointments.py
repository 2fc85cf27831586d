"""Appointments, and hours that differ."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "appointments",
        sa.Column("id", sa.String(32), primary_key=True),
        _person("client_id"),
        _person("counselor_id"),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("medium", sa.String(12), nullable=False),
        sa.Column("topic", sa.String(40), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("place", sa.String(300), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("ends_at", UtcDateTime(), nullable=False),
        sa.Column("booked_at", UtcDateTime(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("moves", sa.Integer(), nullable=False),
        sa.Column("day_told_at", UtcDateTime(), nullable=True),
        sa.Column("soon_told_at", UtcDateTime(), nullable=True),
        sa.Column("talk_id", sa.String(32), sa.ForeignKey("talks.id", ondelete="SET NULL"), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(12), nullable=True),
        sa.Column("words", sa.LargeBinary(), nullable=True),
    )
    for columns in (
        ["state", "starts_at"],
        ["client_id", "starts_at"],
        ["counselor_id", "starts_at"],
        ["talk_id"],
        ["ended_at"],
    ):
        op.create_index(f"ix_appointments_{'_'.join(columns)}", "appointments", columns)
    op.create_table(
        "appointment_times",
        _person("user_id", primary_key=True),
        sa.Column("at", UtcDateTime(), primary_key=True),
        sa.Column(
            "appointment_id",
            sa.String(32),
            sa.ForeignKey("appointments.id", ondelete="CASCADE"),
            nullable=False,
        ),
    )
    op.create_index("ix_appointment_times_appointment_id", "appointment_times", ["appointment_id"])
    op.create_table(
        "practice_days",
        _person("counselor_id", primary_key=True),
        sa.Column("on_date", sa.Date(), primary_key=True),
        sa.Column("spans", sa.JSON(), nullable=False),
    )
    op.create_table(
        "practice_places",
        _person("counselor_id", primary_key=True),
        sa.Column("place", sa.String(300), nullable=False),
    )


def downgrade() -> None:
    for table in ("practice_places", "practice_days", "appointment_times", "appointments"):
        op.drop_table(table)


def _person(name: str, *, primary_key: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey("users.id", ondelete="CASCADE")
    return sa.Column(name, sa.String(32), key, primary_key=primary_key, nullable=False)
