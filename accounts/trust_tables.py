"""Tables of trust: the audit and its head, the keys of its subjects, grants. Only this package names them.

None of them refers to ``users``: what is said here outlives a person, as an opaque id.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, Index, Integer, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

COUNT = BigInteger().with_variant(Integer(), "sqlite")


class SubjectKeyRow(Base):
    """The key of one person, wrapped by a key from the master key; null once the person was forgotten."""

    __tablename__ = "subject_keys"

    user_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    wrapped: Mapped[bytes | None] = mapped_column(LargeBinary)


class AuditRow(Base):
    """One thing that happened. Rows are only ever added; triggers of the database refuse the rest.

    ``sealed`` holds a random nonce and the details, sealed under the subject's key; ``commitment`` and
    ``hash`` are as ``accounts/chain.py`` says. ``actor`` is null for the service itself, ``subject`` for
    what concerns nobody in particular.
    """

    __tablename__ = "audit_rows"
    __table_args__ = (
        Index("ix_audit_rows_tag_seq", "tag", "seq"),
        Index("ix_audit_rows_actor_seq", "actor", "seq"),
        Index("ix_audit_rows_subject_seq", "subject", "seq"),
    )

    seq: Mapped[int] = mapped_column(COUNT, primary_key=True, autoincrement=False)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    tag: Mapped[str] = mapped_column(String(60))
    actor: Mapped[str | None] = mapped_column(String(32))
    subject: Mapped[str | None] = mapped_column(String(32))
    object_id: Mapped[str | None] = mapped_column(String(64))
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    commitment: Mapped[bytes] = mapped_column(LargeBinary)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditHeadRow(Base):
    """The end of the chain: how many rows there are, and the hash of the last. There is one such row."""

    __tablename__ = "audit_head"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    count: Mapped[int] = mapped_column(COUNT)
    hash: Mapped[bytes] = mapped_column(LargeBinary)


class AuditCheckRow(Base):
    """One verification of the whole chain. ``problem`` is null when it held, else a word for what broke."""

    __tablename__ = "audit_checks"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    count: Mapped[int] = mapped_column(COUNT)
    checkpoints: Mapped[int]
    problem: Mapped[str | None] = mapped_column(String(20))
    row: Mapped[int | None] = mapped_column(COUNT)


class GrantRow(Base):
    """One grant. Its purpose stands sealed in the audit row ``audit_seq``."""

    __tablename__ = "grants"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    person_id: Mapped[str] = mapped_column(String(32), index=True)
    permission: Mapped[str] = mapped_column(String(40))
    subject_id: Mapped[str | None] = mapped_column(String(32), index=True)
    object_id: Mapped[str | None] = mapped_column(String(64))
    audit_seq: Mapped[int] = mapped_column(COUNT)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
