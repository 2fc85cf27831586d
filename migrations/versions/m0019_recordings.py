"""Recordings: what exists, its sides, who agreed, and when it was off the record."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

_COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_LIVE = sa.text("state = 'recording'")
_NOT_DESTROYED = sa.text("state != 'destroyed'")


def upgrade() -> None:
    _recordings()
    op.create_table(
        "recording_sides",
        _of("recording_id", "recordings", "CASCADE", key=True),
        sa.Column("side", sa.String(16), primary_key=True),
        sa.Column("participant_id", sa.String(32), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("head", sa.String(64), nullable=True),
        sa.Column("bytes", _COUNT, nullable=False),
        sa.Column("until_ms", sa.Integer(), nullable=False),
        sa.Column("object_name", sa.String(200), nullable=True),
        sa.Column("final_bytes", _COUNT, nullable=True),
        sa.Column("final_sha256", sa.String(64), nullable=True),
        sa.Column("duration_ms", sa.Integer(), nullable=True),
        sa.Column("codec", sa.String(32), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("problem", sa.String(200), nullable=True),
    )
    op.create_table(
        "recording_agreements",
        sa.Column("number", _COUNT, primary_key=True, autoincrement=True),
        sa.Column("id", sa.String(32), nullable=False, unique=True),
        sa.Column("session_id", sa.String(32), nullable=False, index=True),
        sa.Column("participant_id", sa.String(32), nullable=False),
        sa.Column("user", sa.String(32), nullable=True, index=True),
        sa.Column("side", sa.String(16), nullable=False),
        sa.Column("granted", sa.Boolean(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("locale", sa.String(8), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("why", sa.String(32), nullable=False),
    )
    op.create_table(
        "recording_pauses",
        sa.Column("id", _COUNT, primary_key=True, autoincrement=True),
        _of("recording_id", "recordings", "CASCADE"),
        sa.Column("by", sa.String(16), nullable=False),
        sa.Column("from_ms", sa.Integer(), nullable=False),
        sa.Column("to_ms", sa.Integer(), nullable=True),
    )
    op.create_index("ix_recording_pauses_recording_id", "recording_pauses", ["recording_id"])
    op.create_table(
        "recording_requests",
        _of("session_id", "sessions", "CASCADE", key=True),
        sa.Column("at", UtcDateTime(), nullable=False),
    )
    for statement in _POSTGRESQL if op.get_bind().dialect.name == "postgresql" else _SQLITE:
        op.execute(statement)


def _recordings() -> None:
    op.create_table(
        "recordings",
        sa.Column("id", sa.String(32), primary_key=True),
        _of("session_id", "sessions", "SET NULL", nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("reason", sa.String(32), nullable=True),
        _of("client_user", "users", "SET NULL", nullable=True),
        _of("counselor_user", "users", "SET NULL", nullable=True),
        sa.Column("started_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("open_from", UtcDateTime(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.Column("held_at", UtcDateTime(), nullable=True),
        sa.Column("destroyed_at", UtcDateTime(), nullable=True),
        sa.Column("backups_until", UtcDateTime(), nullable=True),
    )
    for column in ("session_id", "client_user", "counselor_user"):
        op.create_index(f"ix_recordings_{column}", "recordings", [column])
    op.create_index(
        "ux_recordings_session_live",
        "recordings",
        ["session_id"],
        unique=True,
        sqlite_where=_LIVE,
        postgresql_where=_LIVE,
    )
    op.create_index(
        "ix_recordings_expires_at",
        "recordings",
        ["expires_at"],
        sqlite_where=_NOT_DESTROYED,
        postgresql_where=_NOT_DESTROYED,
    )


def downgrade() -> None:
    tables = ("requests", "pauses", "agreements", "sides")
    for table in (*(f"recording_{name}" for name in tables), "recordings"):
        op.drop_table(table)
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP FUNCTION recording_agreements_stay()")


def _of(name: str, table: str, ondelete: str, *, nullable: bool = False, key: bool = False) -> sa.Column[str]:
    foreign = sa.ForeignKey(f"{table}.id", ondelete=ondelete)
    return sa.Column(name, sa.String(32), foreign, nullable=nullable, primary_key=key)


_SQLITE = [
    f"CREATE TRIGGER recording_agreements_stay_{verb.lower()} BEFORE {verb} ON recording_agreements "
    "BEGIN SELECT RAISE(ABORT, 'recording_agreements is only ever added to'); END"
    for verb in ("UPDATE", "DELETE")
]
_POSTGRESQL = [
    (
        "CREATE FUNCTION recording_agreements_stay() RETURNS trigger LANGUAGE plpgsql AS $$ "
        "BEGIN RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME; END $$"
    ),
    (
        "CREATE TRIGGER recording_agreements_stay BEFORE UPDATE OR DELETE OR TRUNCATE "
        "ON recording_agreements FOR EACH STATEMENT EXECUTE FUNCTION recording_agreements_stay()"
    ),
]
