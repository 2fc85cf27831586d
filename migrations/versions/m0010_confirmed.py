"""Addresses that were confirmed: who gave one before gives it again, and opens the letter."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("contacts") as table:
        table.add_column(sa.Column("confirm_hash", sa.String(64), nullable=True))
        table.add_column(sa.Column("confirmed_at", UtcDateTime(), nullable=True))
        table.add_column(sa.Column("letter_at", UtcDateTime(), nullable=True))
    op.create_index("ix_contacts_confirm_hash", "contacts", ["confirm_hash"], unique=True)


def downgrade() -> None:
    op.drop_index("ix_contacts_confirm_hash", "contacts")
    with op.batch_alter_table("contacts") as table:
        for name in ("letter_at", "confirmed_at", "confirm_hash"):
            table.drop_column(name)
