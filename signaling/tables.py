"""The tables of signaling: sessions, their places, and what happened in them. No chat text.

Rows of time have ids that grow with it and no index on it: pruning begins with the smallest.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, ForeignKey, Index, Integer, SmallInteger, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, Fixed, UtcDateTime

_ID = String(32)
_COUNT = BigInteger().with_variant(Integer, "sqlite")
_MS = Fixed(10)
_PCT = Fixed(10, small=True)
_MOS = Fixed(100, small=True)

# The words of an index must stand in a query as they are, or SQLite does not use it.
NOT_ENDED = text("state != 'ended'")
NOT_SUMMED = text("state = 'ended' AND summed_at IS NULL")


class SessionRow(Base):
    """One counseling session. ``owner`` is the API key that made it, or null for our own.

    ``mode_reason`` is who or what moved it to its mode, null when it began so; ``summed_at`` is when its
    quality was summed up after its end.
    """

    __tablename__ = "sessions"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    owner: Mapped[str | None] = mapped_column(ForeignKey("api_keys.id"), index=True)
    mode: Mapped[str] = mapped_column(String(16))
    mode_reason: Mapped[str | None] = mapped_column(String(8))
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
    summed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index(None, "ends_at", sqlite_where=NOT_ENDED, postgresql_where=NOT_ENDED),
        Index(None, "places_until", sqlite_where=NOT_ENDED, postgresql_where=NOT_ENDED),
        Index(None, "ended_at", sqlite_where=NOT_SUMMED, postgresql_where=NOT_SUMMED),
    )


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
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    participant_id: Mapped[str | None] = mapped_column(
        ForeignKey("participants.id", ondelete="CASCADE"), index=True
    )
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    kind: Mapped[str] = mapped_column(String(40))
    detail: Mapped[dict[str, Any]] = mapped_column(JSON)


class QualityRow(Base):
    """What one side's connection was like over the last ten seconds: 720 rows for an hour of two.

    The session is the place's.
    """

    __tablename__ = "quality_samples"

    id: Mapped[int] = mapped_column(_COUNT, primary_key=True, autoincrement=True)
    participant_id: Mapped[str] = mapped_column(ForeignKey("participants.id", ondelete="CASCADE"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    grade: Mapped[str | None] = mapped_column(String(8))
    mos: Mapped[float | None] = mapped_column(_MOS)
    rtt_ms: Mapped[float | None] = mapped_column(_MS)
    loss_up_pct: Mapped[float | None] = mapped_column(_PCT)
    loss_down_pct: Mapped[float | None] = mapped_column(_PCT)
    jitter_ms: Mapped[float | None] = mapped_column(_MS)
    buffer_ms: Mapped[float | None] = mapped_column(_MS)
    concealed_pct: Mapped[float | None] = mapped_column(_PCT)
    silent_ms: Mapped[int | None]
    ws_rtt_ms: Mapped[float | None] = mapped_column(_MS)
    available_kbps: Mapped[float | None] = mapped_column(Fixed(1))
    bytes_up: Mapped[int] = mapped_column(_COUNT)
    bytes_down: Mapped[int] = mapped_column(_COUNT)
    freezes: Mapped[int | None] = mapped_column(SmallInteger)
    fps: Mapped[float | None] = mapped_column(Fixed(1, small=True))
    height: Mapped[int | None] = mapped_column(SmallInteger)
    network: Mapped[str | None] = mapped_column(String(8))
    transport: Mapped[str | None] = mapped_column(String(8))
    ip_version: Mapped[int | None] = mapped_column(SmallInteger)


class SummaryRow(Base):
    """What one side's line was like over a session that has ended: all that trends are made of. No name.

    ``hour`` is the UTC hour in which the talk began, ``medium`` what it began in; ``counselor_id`` null
    where no login opens the counselor's place. ``causes`` counts interruptions by direction and kind.
    """

    __tablename__ = "session_quality"

    participant_id: Mapped[str] = mapped_column(
        ForeignKey("participants.id", ondelete="CASCADE"), primary_key=True
    )
    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), index=True)
    role: Mapped[str] = mapped_column(String(16))
    hour: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    medium: Mapped[str] = mapped_column(String(16))
    network: Mapped[str | None] = mapped_column(String(8))
    counselor_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    minutes: Mapped[float] = mapped_column(Fixed(10))
    mos_p50: Mapped[float | None] = mapped_column(_MOS)
    rtt_p50_ms: Mapped[float | None] = mapped_column(_MS)
    rtt_p95_ms: Mapped[float | None] = mapped_column(_MS)
    loss_p50_pct: Mapped[float | None] = mapped_column(_PCT)
    loss_p95_pct: Mapped[float | None] = mapped_column(_PCT)
    interruptions: Mapped[int]
    gaps_ms: Mapped[int]
    longest_gap_ms: Mapped[int]
    causes: Mapped[dict[str, int]] = mapped_column(JSON)
    steps_down: Mapped[int]
    bytes: Mapped[int] = mapped_column(_COUNT)
    ended_why: Mapped[str] = mapped_column(String(16))
