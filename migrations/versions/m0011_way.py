"""The way to a counselor: walk-ins, talks, open desks, with whom a client will not talk."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

OPEN = sa.text("ended_at IS NULL")
OFFERED = sa.text("offered_to IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "walkins",
        sa.Column("id", sa.String(32), primary_key=True),
        _person("client_id", "CASCADE"),
        sa.Column("state", sa.String(12), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("topic", sa.String(40), nullable=False),
        sa.Column("medium", sa.String(12), nullable=False),
        sa.Column("alone", sa.String(8), nullable=False),
        sa.Column("adult", sa.Boolean(), nullable=True),
        sa.Column("risk", sa.String(8), nullable=False),
        sa.Column("suitability", sa.String(12), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("region", sa.String(80), nullable=True),
        _person("prefers_id", "SET NULL", nullable=True),
        sa.Column("waits_for_preferred", sa.Boolean(), nullable=False),
        sa.Column("passed", sa.JSON(), nullable=False),
        sa.Column("asked_at", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        _person("offered_to", "SET NULL", nullable=True),
        sa.Column("offered_at", UtcDateTime(), nullable=True),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_why", sa.String(16), nullable=True),
    )
    op.create_index("ix_walkins_client_id", "walkins", ["client_id"])
    op.create_index("ix_walkins_state_asked_at", "walkins", ["state", "asked_at"])
    _one("ux_walkins_client_open", "walkins", "client_id", OPEN)
    _one("ux_walkins_offered_to", "walkins", "offered_to", OFFERED)
    op.create_table(
        "talks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column(
            "walkin_id", sa.String(32), sa.ForeignKey("walkins.id", ondelete="SET NULL"), nullable=True
        ),
        _person("client_id", "CASCADE"),
        _person("counselor_id", "CASCADE"),
        sa.Column("session_id", sa.String(32), nullable=True, unique=True),
        sa.Column("medium", sa.String(12), nullable=False),
        sa.Column("reasons", sa.JSON(), nullable=False),
        sa.Column("shares_history", sa.Boolean(), nullable=False),
        sa.Column("begun_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
    )
    op.create_index("ix_talks_walkin_id", "talks", ["walkin_id"])
    op.create_index("ix_talks_counselor_id_begun_at", "talks", ["counselor_id", "begun_at"])
    op.create_index("ix_talks_client_id_begun_at", "talks", ["client_id", "begun_at"])
    _one("ux_talks_client_open", "talks", "client_id", OPEN)
    _one("ux_talks_counselor_open", "talks", "counselor_id", OPEN)
    op.create_table(
        "desks",
        sa.Column(
            "counselor_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("open_since", UtcDateTime(), nullable=True),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
    )
    op.create_table(
        "exclusions",
        sa.Column("id", sa.String(32), primary_key=True),
        _person("client_id", "CASCADE"),
        _person("counselor_id", "CASCADE", nullable=True),
        sa.Column("group_name", sa.String(80), nullable=True),
        sa.Column("recused", sa.Boolean(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_exclusions_client_id", "exclusions", ["client_id"])
    op.create_index("ix_exclusions_counselor_id", "exclusions", ["counselor_id"])


def downgrade() -> None:
    for table in ("exclusions", "desks", "talks", "walkins"):
        op.drop_table(table)


def _person(name: str, ondelete: str, *, nullable: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.String(32), sa.ForeignKey("users.id", ondelete=ondelete), nullable=nullable)


def _one(name: str, table: str, column: str, where: sa.TextClause) -> None:
    """Allow one row of this column among those that the condition holds for."""
    op.create_index(name, table, [column], unique=True, sqlite_where=where, postgresql_where=where)
