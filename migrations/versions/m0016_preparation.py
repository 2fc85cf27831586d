"""What is prepared before a session, and who opened it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "preparations",
        sa.Column("id", sa.String(32), primary_key=True),
        _of("client_id", "users", "CASCADE"),
        _of("walkin_id", "walkins", "CASCADE", nullable=True, unique=True),
        _of("appointment_id", "appointments", "CASCADE", nullable=True, unique=True),
        sa.Column("on_drop", sa.String(8), nullable=False),
        sa.Column("recording", sa.Boolean(), nullable=True),
        sa.Column("contact", sa.LargeBinary(), nullable=True),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_preparations_client_id", "preparations", ["client_id"])
    op.create_table(
        "contact_openings",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("preparation_id", sa.String(32), nullable=False),
        _of("client_id", "users", "CASCADE"),
        _of("opener_id", "users", "SET NULL", nullable=True),
        _of("second_id", "users", "SET NULL", nullable=True),
        sa.Column("reason", sa.LargeBinary(), nullable=False),
        sa.Column("untold_why", sa.LargeBinary(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=True),
        sa.Column("told_at", UtcDateTime(), nullable=True),
    )
    for column in ("client_id", "opener_id", "second_id", "at"):
        op.create_index(f"ix_contact_openings_{column}", "contact_openings", [column])


def downgrade() -> None:
    for table in ("contact_openings", "preparations"):
        op.drop_table(table)


def _of(
    name: str, table: str, ondelete: str, *, nullable: bool = False, unique: bool = False
) -> sa.Column[str]:
    key = sa.ForeignKey(f"{table}.id", ondelete=ondelete)
    return sa.Column(name, sa.String(32), key, nullable=nullable, unique=unique)
