"""What Alembic runs: always on a connection that ``migrations.run`` opened."""

from __future__ import annotations

from alembic import context

import migrations.tables  # noqa: F401  # all of them must be known
from core.db import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
)
with context.begin_transaction():
    context.run_migrations()
