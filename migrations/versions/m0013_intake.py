"""What clients answer while they wait, and which translations of instruments an admin accepted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

STANDS = sa.text("withdrawn_at IS NULL")


def upgrade() -> None:
    op.create_table(
        "intake_answers",
        sa.Column(
            "client_id", sa.String(32), sa.ForeignKey("users.id", ondelete="CASCADE"), primary_key=True
        ),
        sa.Column("step", sa.String(40), primary_key=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    op.create_index("ix_intake_answers_at", "intake_answers", ["at"])
    op.create_table(
        "accepted_translations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("instrument", sa.String(24), nullable=False),
        sa.Column("language", sa.String(8), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("vouched_by", sa.String(120), nullable=False),
        sa.Column("vouched_on", sa.Date(), nullable=False),
        sa.Column("accepted_at", UtcDateTime(), nullable=False),
        sa.Column("accepted_by", sa.String(32), nullable=False),
        sa.Column("withdrawn_at", UtcDateTime(), nullable=True),
        sa.Column("withdrawn_by", sa.String(32), nullable=True),
    )
    op.create_index(
        "ux_accepted_translations_digest_stands",
        "accepted_translations",
        ["digest"],
        unique=True,
        sqlite_where=STANDS,
        postgresql_where=STANDS,
    )


def downgrade() -> None:
    for table in ("accepted_translations", "intake_answers"):
        op.drop_table(table)
