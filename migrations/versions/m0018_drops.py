"""The risk flag of a talk, and alarms when the line of such a talk breaks."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

_OPEN = sa.text("ended_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "risk_flags",
        sa.Column("talk_id", sa.String(32), sa.ForeignKey("talks.id", ondelete="CASCADE"), primary_key=True),
        sa.Column("stands", sa.Boolean(), nullable=False),
        _of("put_by", "users", "SET NULL", nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_risk_flags_put_by", "risk_flags", ["put_by"])
    op.create_table(
        "drops",
        sa.Column("id", sa.String(32), primary_key=True),
        _of("talk_id", "talks", "CASCADE"),
        _of("client_id", "users", "CASCADE"),
        _of("counselor_id", "users", "CASCADE"),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("broke_at", UtcDateTime(), nullable=False),
        sa.Column("kept_until", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        _of("duty_id", "users", "SET NULL", nullable=True),
        sa.Column("phoned_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
    )
    for column in ("client_id", "counselor_id", "duty_id", "ended_at"):
        op.create_index(f"ix_drops_{column}", "drops", [column])
    op.create_index(
        "ux_drops_talk_open",
        "drops",
        ["talk_id"],
        unique=True,
        sqlite_where=_OPEN,
        postgresql_where=_OPEN,
    )


def downgrade() -> None:
    for table in ("drops", "risk_flags"):
        op.drop_table(table)


def _of(name: str, table: str, ondelete: str, *, nullable: bool = False) -> sa.Column[str]:
    key = sa.ForeignKey(f"{table}.id", ondelete=ondelete)
    return sa.Column(name, sa.String(32), key, nullable=nullable)
