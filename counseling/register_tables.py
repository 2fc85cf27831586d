"""Tables of the register of counselors. Only this package names them."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, Date, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class CounselorRow(Base):
    """One counselor's entry. The first block is verified; the second is the counselor's own to change.

    ``hours`` is a list of (weekday, from, until) in minutes of the service's time zone; ``warned_days`` is
    the last warning before ``valid_until`` that was sent.
    """

    __tablename__ = "counselors"
    __table_args__ = (
        Index("ix_counselors_state_submitted_at", "state", "submitted_at"),
        Index("ix_counselors_state_valid_until", "state", "valid_until"),
    )

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    state: Mapped[str] = mapped_column(String(16))
    submitted_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    warned_days: Mapped[int | None]

    kind: Mapped[str] = mapped_column(String(40))
    licence_number: Mapped[str] = mapped_column(String(80))
    issuing_body: Mapped[str] = mapped_column(String(120))
    licence_region: Mapped[str] = mapped_column(String(80))
    valid_until: Mapped[date | None] = mapped_column(Date)
    degree: Mapped[str] = mapped_column(String(20))
    background_checked_on: Mapped[date | None] = mapped_column(Date)
    shown_name: Mapped[str] = mapped_column(String(80), index=True)
    title: Mapped[str] = mapped_column(String(80))

    about: Mapped[str] = mapped_column(Text)
    languages: Mapped[list[str]] = mapped_column(JSON)
    topics: Mapped[list[str]] = mapped_column(JSON)
    media: Mapped[list[str]] = mapped_column(JSON)
    minors: Mapped[bool]
    capacity: Mapped[int]
    reply_hours: Mapped[int]
    recusals: Mapped[list[str]] = mapped_column(JSON)
    hours: Mapped[list[list[int]]] = mapped_column(JSON)
    away_from: Mapped[date | None] = mapped_column(Date)
    away_until: Mapped[date | None] = mapped_column(Date)


class DecisionRow(Base):
    """One thing that happened to an entry's verification: by whom, when, with which note."""

    __tablename__ = "counselor_decisions"
    __table_args__ = (Index("ix_counselor_decisions_user_id_at", "user_id", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("counselors.user_id", ondelete="CASCADE"))
    decision: Mapped[str] = mapped_column(String(16))
    decided_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    decided_on: Mapped[date] = mapped_column(Date)
    note: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class ProofFileRow(Base):
    """One proof. The file itself lies sealed in the data directory under ``file``; its name is not kept."""

    __tablename__ = "proof_files"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("counselors.user_id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(40))
    content_type: Mapped[str] = mapped_column(String(40))
    size_bytes: Mapped[int]
    file: Mapped[str] = mapped_column(String(64), unique=True)
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)


class EthicsSignatureRow(Base):
    """One counselor's signature of one version of the code of ethics. ``digest`` is of the text they read."""

    __tablename__ = "ethics_signatures"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    version: Mapped[int] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(String(64))
    language: Mapped[str] = mapped_column(String(8))
    signed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SupervisionRow(Base):
    """One supervisor assigned to one counselor, from a day to a day; no last day is until further notice."""

    __tablename__ = "supervisions"
    __table_args__ = (
        Index("ix_supervisions_supervisor_id_until_day", "supervisor_id", "until_day"),
        Index("ix_supervisions_counselor_id_until_day", "counselor_id", "until_day"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    supervisor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    from_day: Mapped[date] = mapped_column(Date)
    until_day: Mapped[date | None] = mapped_column(Date)
    assigned_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    assigned_at: Mapped[datetime] = mapped_column(UtcDateTime)
