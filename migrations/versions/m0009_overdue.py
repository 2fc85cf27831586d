"""Finding the sessions whose time ran out, among those that have not ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    open_ = sa.text("state != 'ended'")
    op.create_index(
        "ix_sessions_ends_at", "sessions", ["ends_at"], sqlite_where=open_, postgresql_where=open_
    )


def downgrade() -> None:
    op.drop_index("ix_sessions_ends_at", "sessions")
