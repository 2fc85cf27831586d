"""How people prove who they are: recovery codes, passwords, second factors, invitations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from core.db import UtcDateTime

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def _person(
    name: str = "user_id",
    *,
    ondelete: str = "CASCADE",
    primary_key: bool = False,
    nullable: bool = False,
    index: bool = False,
) -> sa.Column[str]:
    reference = sa.ForeignKey("users.id", ondelete=ondelete)
    return sa.Column(name, sa.String(32), reference, primary_key=primary_key, nullable=nullable, index=index)


def _login() -> sa.Column[str]:
    return sa.Column(
        "login_id", sa.String(32), sa.ForeignKey("logins.id", ondelete="CASCADE"), primary_key=True
    )


def _time(name: str, *, nullable: bool = False, index: bool = False) -> sa.Column[sa.DateTime]:
    return sa.Column(name, UtcDateTime(), nullable=nullable, index=index)


def upgrade() -> None:
    op.create_index("ix_users_name", "users", ["name"])
    op.create_table(
        "recovery_codes",
        _person(primary_key=True),
        sa.Column("lookup_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("secret_hash", sa.String(200), nullable=False),
        _time("created_at"),
    )
    op.create_table(
        "tries",
        sa.Column("id", sa.String(64), primary_key=True),
        sa.Column("count", sa.Integer(), nullable=False),
        _time("began_at"),
        _time("last_at", index=True),
    )
    op.create_table(
        "passwords",
        _person(primary_key=True),
        sa.Column("login", sa.String(40), nullable=False),
        sa.Column("login_key", sa.String(40), nullable=False, unique=True),
        sa.Column("hash", sa.String(200), nullable=False),
        _time("changed_at"),
    )
    op.create_table(
        "totps",
        _person(primary_key=True),
        sa.Column("secret", sa.LargeBinary(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), nullable=False),
        _time("created_at"),
    )
    op.create_table(
        "backup_codes",
        _person(primary_key=True),
        sa.Column("code_hash", sa.String(64), primary_key=True),
        _time("created_at"),
    )
    op.create_table(
        "passkeys",
        sa.Column("id", sa.String(32), primary_key=True),
        _person(nullable=False, index=True),
        sa.Column("credential_id", sa.String(1400), nullable=False, unique=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("label", sa.String(60), nullable=False),
        _time("created_at"),
        _time("used_at", nullable=True),
    )
    op.create_table(
        "challenges",
        _login(),
        sa.Column("purpose", sa.String(16), primary_key=True),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        _time("expires_at"),
    )
    op.create_table(
        "invitations",
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("code_hash", sa.String(64), nullable=False, unique=True),
        sa.Column("roles", sa.String(100), nullable=False),
        sa.Column("note", sa.String(60), nullable=False),
        _person("invited_by", ondelete="SET NULL", nullable=True, index=True),
        _time("created_at", index=True),
        _time("expires_at"),
        _time("revoked_at", nullable=True),
        _time("used_at", nullable=True),
        _person("used_by", ondelete="SET NULL", nullable=True, index=True),
    )
    op.create_table("logins_seen", _login(), _time("until"))


def downgrade() -> None:
    op.drop_index("ix_users_name", "users")
    for table in (
        "logins_seen",
        "invitations",
        "challenges",
        "passkeys",
        "backup_codes",
        "totps",
        "passwords",
        "tries",
        "recovery_codes",
    ):
        op.drop_table(table)
