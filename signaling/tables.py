"""The tables of signaling: sessions, their places, and what happened in them. No chat text."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_ID = String(32)
_COUNT = BigInteger().with_variant(Integer, "sqlite")

# The words of an index must stand in a query as they are, or SQLite does not use it.
NOT_ENDED = text("state != 'ended'")


class SessionRow(Base):
    """One counseling session. ``owner`` is the API key that made it, or null for our own."""

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    owner: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"), index=True)
    mode: Mapped[str] = mapped_column(String(16))
    recording: Mapped[str] = mapped_column(String(16))
    state: Mapped[str] = mapped_column(String(16))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    starts_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    max_minutes: Mapped[int | None]
    started_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_reason: Mapped[str | None] = mapped_column(String(200))
    places_until: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index(None, "ends_at", sqlite_where=NOT_ENDED, postgresql_where=NOT_ENDED),)


class ParticipantRow(Base):
    """One person's place in one session. Codes and seats are kept as SHA-256 only.

    ``user_id`` is whose login opens it too; null for a place that only its code opens.
    """

    __tablename__ = "participants"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    position: Mapped[int]
    role: Mapped[str] = mapped_column(String(16))
    name: Mapped[str] = mapped_column(String(100))
    state: Mapped[str] = mapped_column(String(16))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seat: Mapped[str | None] = mapped_column(String(64))
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)


class EventRow(Base):
    """One thing that happened to a session or to one side of it."""

    __tablename__ = "session_events"

    id: Mapped[int] = mapped_column(_COUNT, primary_key=True, autoincrement=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    participant_id: Mapped[str | None] = mapped_column(ForeignKey("participants.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(40))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)

    __table_args__ = (Index(None, "session_id", "at"),)


class QualityRow(Base):
    """What one side's connection was like over the last ten seconds."""

    __tablename__ = "quality_samples"

    id: Mapped[int] = mapped_column(_COUNT, primary_key=True, autoincrement=True)
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    participant_id: Mapped[str] = mapped_column(ForeignKey("participants.id", ondelete="CASCADE"))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    rtt_ms: Mapped[float | None]
    loss_up_pct: Mapped[float | None]
    loss_down_pct: Mapped[float | None]
    jitter_ms: Mapped[float | None]
    bytes_up: Mapped[int] = mapped_column(_COUNT)
    bytes_down: Mapped[int] = mapped_column(_COUNT)
    transport: Mapped[str | None] = mapped_column(String(8))
    ip_version: Mapped[int | None]

    __table_args__ = (Index(None, "session_id", "at"),)
