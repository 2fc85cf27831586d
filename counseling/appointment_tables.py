"""Tables of appointments, and of what differs from a counselor's weekly hours. Only this package names them.

That nobody is in two appointments at once stands here: an appointment takes every five minutes of its time
for both people (``appointment_times``), and nobody has the same five minutes twice.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, Date, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class AppointmentRow(Base):
    """One appointment. ``sequence`` counts its changes, for calendars; ``moves`` those by the client.

    ``zone`` is the one that the client last read it in; ``words`` are what the counselor wrote on cancelling,
    sealed under the client's key. ``day_told_at`` and ``soon_told_at`` are when both were reminded.
    """

    __tablename__ = "appointments"
    __table_args__ = (
        Index("ix_appointments_state_starts_at", "state", "starts_at"),
        Index("ix_appointments_client_id_starts_at", "client_id", "starts_at"),
        Index("ix_appointments_counselor_id_starts_at", "counselor_id", "starts_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    state: Mapped[str] = mapped_column(String(12))
    medium: Mapped[str] = mapped_column(String(12))
    topic: Mapped[str] = mapped_column(String(40))
    language: Mapped[str] = mapped_column(String(8))
    place: Mapped[str] = mapped_column(String(300))
    zone: Mapped[str] = mapped_column(String(64))
    starts_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ends_at: Mapped[datetime] = mapped_column(UtcDateTime)
    booked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    sequence: Mapped[int]
    moves: Mapped[int]
    day_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    soon_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    talk_id: Mapped[str | None] = mapped_column(ForeignKey("talks.id", ondelete="SET NULL"), index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    ended_by: Mapped[str | None] = mapped_column(String(12))
    words: Mapped[bytes | None] = mapped_column(LargeBinary)


class AppointmentTimeRow(Base):
    """Five minutes of somebody's time that an appointment has; a counselor's rest after it among them."""

    __tablename__ = "appointment_times"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, primary_key=True)
    appointment_id: Mapped[str] = mapped_column(ForeignKey("appointments.id", ondelete="CASCADE"), index=True)


class PracticeDayRow(Base):
    """One day on which a counselor's hours differ: (from, until) in minutes; none is a day off."""

    __tablename__ = "practice_days"

    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    on_date: Mapped[date] = mapped_column(Date, primary_key=True)
    spans: Mapped[list[list[int]]] = mapped_column(JSON)


class PracticePlaceRow(Base):
    """Where a counselor meets people in person."""

    __tablename__ = "practice_places"

    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    place: Mapped[str] = mapped_column(String(300))
