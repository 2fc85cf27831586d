"""Sessions remember who or what moved them to their mode."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("sessions", sa.Column("mode_reason", sa.String(8), nullable=True))


def downgrade() -> None:
    op.drop_column("sessions", "mode_reason")
