"""Urgent calls: alarms, their steps, what goes outside; crisis lines that help against violence."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")
DUE = sa.text("done_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "alarms",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "walkin_id", sa.String(32), sa.ForeignKey("walkins.id", ondelete="CASCADE"), nullable=False
        ),
        _person("client_id", "CASCADE", nullable=False),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("raised_at", UtcDateTime(), nullable=False),
        sa.Column("safe", sa.String(12), nullable=True),
        sa.Column("told", sa.String(16), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        _person("answered_by", "SET NULL", nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
    )
    op.create_index(
        "ux_alarms_walkin_open",
        "alarms",
        ["walkin_id"],
        unique=True,
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )
    for column in ("ended_at", "client_id", "answered_by"):
        op.create_index(f"ix_alarms_{column}", "alarms", [column])
    op.create_table(
        "alarm_steps",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("alarm_id", sa.String(32), sa.ForeignKey("alarms.id", ondelete="CASCADE"), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        _person("person_id", "CASCADE", nullable=True),
        sa.Column("turn", sa.Integer(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    once = ["alarm_id", "kind", "turn", "person_id"]
    op.create_index("ux_alarm_steps_once", "alarm_steps", once, unique=True)
    op.create_index("ix_alarm_steps_person_id", "alarm_steps", ["person_id"])
    op.create_table(
        "alarm_sendings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "step_id", sa.String(32), sa.ForeignKey("alarm_steps.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("channel", sa.String(8), nullable=False),
        sa.Column("due_at", UtcDateTime(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("sent", sa.Boolean(), nullable=True),
    )
    op.create_index(
        "ix_alarm_sendings_due_at", "alarm_sendings", ["due_at"], sqlite_where=DUE, postgresql_where=DUE
    )
    op.create_index("ix_alarm_sendings_step_id", "alarm_sendings", ["step_id"])
    with op.batch_alter_table("crisis_lines") as table:
        table.add_column(sa.Column("violence", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    with op.batch_alter_table("crisis_lines") as table:
        table.drop_column("violence")
    for table_name in ("alarm_sendings", "alarm_steps", "alarms"):
        op.drop_table(table_name)


def _person(name: str, ondelete: str, *, nullable: bool) -> sa.Column[str]:
    return sa.Column(name, sa.String(32), sa.ForeignKey("users.id", ondelete=ondelete), nullable=nullable)
