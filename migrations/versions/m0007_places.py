"""Places that a person's own login opens."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("participants") as table:
        table.add_column(sa.Column("user_id", sa.String(32), nullable=True))
        table.create_foreign_key(None, "users", ["user_id"], ["id"], ondelete="SET NULL")
        table.create_index("ix_participants_user_id", ["user_id"])


def downgrade() -> None:
    with op.batch_alter_table("participants") as table:
        table.drop_index("ix_participants_user_id")
        table.drop_constraint("fk_participants_user_id_users", type_="foreignkey")
        table.drop_column("user_id")
