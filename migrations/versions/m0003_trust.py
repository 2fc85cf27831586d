"""Audit, the keys of its subjects, grants and erasures."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

# A second fence below the chain: the program only ever adds rows, and the database holds it to that.
_FENCES = {
    "sqlite": (
        """CREATE TRIGGER audit_rows_no_update BEFORE UPDATE ON audit_rows
           BEGIN SELECT RAISE(ABORT, 'audit rows are only ever added'); END""",
        """CREATE TRIGGER audit_rows_no_delete BEFORE DELETE ON audit_rows
           BEGIN SELECT RAISE(ABORT, 'audit rows are only ever added'); END""",
        """CREATE TRIGGER audit_head_no_delete BEFORE DELETE ON audit_head
           BEGIN SELECT RAISE(ABORT, 'the head of the audit only ever grows'); END""",
        """CREATE TRIGGER audit_head_grows BEFORE UPDATE ON audit_head WHEN NEW.count < OLD.count
           BEGIN SELECT RAISE(ABORT, 'the head of the audit only ever grows'); END""",
    ),
    "postgresql": (
        """CREATE FUNCTION audit_refuse() RETURNS trigger LANGUAGE plpgsql AS
           $$ BEGIN RAISE EXCEPTION 'audit rows are only ever added'; END $$""",
        """CREATE TRIGGER audit_rows_fence BEFORE UPDATE OR DELETE ON audit_rows
           FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
        """CREATE TRIGGER audit_rows_truncate BEFORE TRUNCATE ON audit_rows
           FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
        """CREATE TRIGGER audit_head_fence BEFORE DELETE ON audit_head
           FOR EACH ROW EXECUTE FUNCTION audit_refuse()""",
        """CREATE TRIGGER audit_head_truncate BEFORE TRUNCATE ON audit_head
           FOR EACH STATEMENT EXECUTE FUNCTION audit_refuse()""",
        """CREATE TRIGGER audit_head_grows BEFORE UPDATE ON audit_head FOR EACH ROW
           WHEN (NEW.count < OLD.count) EXECUTE FUNCTION audit_refuse()""",
    ),
}


def upgrade() -> None:
    op.create_table(
        "subject_keys",
        sa.Column("user_id", sa.String(32), primary_key=True),
        sa.Column("wrapped", sa.LargeBinary(), nullable=True),
    )
    op.create_table(
        "audit_rows",
        sa.Column("seq", _COUNT, primary_key=True, autoincrement=False),
        sa.Column("at", UtcDateTime(), nullable=False, index=True),
        sa.Column("tag", sa.String(60), nullable=False),
        sa.Column("actor", sa.String(32), nullable=True),
        sa.Column("subject", sa.String(32), nullable=True),
        sa.Column("object_id", sa.String(64), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=False),
        sa.Column("commitment", sa.LargeBinary(), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
    )
    for column in ("tag", "actor", "subject"):
        op.create_index(f"ix_audit_rows_{column}_seq", "audit_rows", [column, "seq"])
    head = op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("count", _COUNT, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
    )
    op.bulk_insert(head, [{"id": 1, "count": 0, "hash": bytes(32)}])
    op.create_table(
        "audit_checks",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("at", UtcDateTime(), nullable=False, index=True),
        sa.Column("count", _COUNT, nullable=False),
        sa.Column("checkpoints", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(20), nullable=True),
        sa.Column("row", _COUNT, nullable=True),
    )
    op.create_table(
        "grants",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("person_id", sa.String(32), nullable=False, index=True),
        sa.Column("permission", sa.String(40), nullable=False),
        sa.Column("subject_id", sa.String(32), nullable=True, index=True),
        sa.Column("object_id", sa.String(64), nullable=True),
        sa.Column("audit_seq", _COUNT, nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=False, index=True),
    )
    for statement in _FENCES[op.get_bind().dialect.name]:
        op.execute(statement)


def downgrade() -> None:
    for table in ("grants", "audit_checks", "audit_head", "audit_rows", "subject_keys"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION audit_refuse()")
