"""Consent texts and the consent ledger, which are only ever added to."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TABLES = ("consents", "consent_texts")


def upgrade() -> None:
    op.create_table(
        "consent_texts",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("version", sa.Integer(), primary_key=True, autoincrement=False),
        sa.Column("locale", sa.String(8), primary_key=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("changes", sa.String(500), nullable=False),
        sa.Column("material", sa.Boolean(), nullable=False),
        sa.Column("reviewed", sa.Boolean(), nullable=False),
        sa.Column("published_at", UtcDateTime(), nullable=False),
        sa.Column("published_by", sa.String(32), nullable=True),
    )
    op.create_table(
        "consents",
        sa.Column("number", _NUMBER, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("user_id", sa.String(32), nullable=False, index=True),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("given", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(8), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("page", sa.String(100), nullable=False),
        sa.ForeignKeyConstraint(
            ["kind", "version", "locale"],
            ["consent_texts.kind", "consent_texts.version", "consent_texts.locale"],
        ),
    )
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION consent_rows_stay()")


_SQLITE = [
    f"CREATE TRIGGER {table}_stay_{verb.lower()} BEFORE {verb} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table} is only ever added to'); END"
    for table in _TABLES
    for verb in ("UPDATE", "DELETE")
]
_POSTGRESQL = [
    (
        "CREATE FUNCTION consent_rows_stay() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME; END $$"
    ),
    *(
        f"CREATE TRIGGER {table}_stay BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION consent_rows_stay()"
        for table in _TABLES
    ),
]
