"""Openings of recordings count what was sent."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("review_openings", sa.Column("sent_bytes", COUNT, nullable=False, server_default="0"))


def downgrade() -> None:
    op.drop_column("review_openings", "sent_bytes")
