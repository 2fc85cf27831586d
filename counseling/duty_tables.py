"""Tables of duties: the roster, crisis lines, complaints, incidents, decisions about minors.

Only this package names them. Hours and minutes are those of the service's own time zone.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import JSON, Date, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class RosterHourRow(Base):
    """Who is on duty in one hour of every week. Weekday 0 is Monday."""

    __tablename__ = "roster_hours"

    weekday: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    deputy_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class RosterExceptionRow(Base):
    """Who is on duty in one hour of one date instead; null is nobody."""

    __tablename__ = "roster_exceptions"

    on_date: Mapped[date] = mapped_column(Date, primary_key=True)
    hour: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    person_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    deputy_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))


class CrisisLineRow(Base):
    """One crisis line. ``days`` is seven signs from Monday, 1 or 0; open all day: both minutes are 0.

    ``told_at`` is when the admins were last told that it was not checked for too long.
    """

    __tablename__ = "crisis_lines"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    position: Mapped[int]
    name: Mapped[str] = mapped_column(String(80))
    numbers: Mapped[list[str]] = mapped_column(JSON)
    about_id: Mapped[str] = mapped_column(String(200))
    about_en: Mapped[str] = mapped_column(String(200))
    days: Mapped[str] = mapped_column(String(7))
    opens_minute: Mapped[int]
    closes_minute: Mapped[int]
    languages: Mapped[list[str]] = mapped_column(JSON)
    owner: Mapped[str] = mapped_column(String(80))
    source: Mapped[str] = mapped_column(String(300))
    checked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    checked_by: Mapped[str | None] = mapped_column(String(32))
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)
    violence: Mapped[bool] = mapped_column(default=False)
    """Whether it helps against violence at home."""


class CrisisSignoffRow(Base):
    """A clinician's word that the crisis page's texts, as this SHA-256 names them, may stand."""

    __tablename__ = "crisis_signoffs"

    digest: Mapped[str] = mapped_column(String(64), primary_key=True)
    clinician: Mapped[str] = mapped_column(String(120))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    recorded_by: Mapped[str] = mapped_column(String(32))


class ComplaintRow(Base):
    """One complaint. ``text`` and ``answer`` are sealed; null once the person was erased.

    ``user_id`` is null for somebody who did not say who they are, and after erasing.
    """

    __tablename__ = "complaints"
    __table_args__ = (Index("ix_complaints_closed_at_due_at", "closed_at", "due_at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    receipt_hash: Mapped[str] = mapped_column(String(64), unique=True)
    user_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    language: Mapped[str] = mapped_column(String(8))
    topic: Mapped[str] = mapped_column(String(20))
    text: Mapped[bytes | None] = mapped_column(LargeBinary)
    answer: Mapped[bytes | None] = mapped_column(LargeBinary)
    filed_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    opened_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    late_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class EvidenceRow(Base):
    """One file that came with a complaint, cleaned and sealed; ``kind`` is its real type."""

    __tablename__ = "complaint_evidence"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    complaint_id: Mapped[str] = mapped_column(ForeignKey("complaints.id", ondelete="CASCADE"), index=True)
    kind: Mapped[str] = mapped_column(String(60))
    content: Mapped[bytes] = mapped_column(LargeBinary)
    size_bytes: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class IncidentRow(Base):
    """One incident. ``known_at`` starts the clock of 72 hours; ``what_*`` is told to those affected."""

    __tablename__ = "incidents"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    what_id: Mapped[str] = mapped_column(Text)
    what_en: Mapped[str] = mapped_column(Text)
    since: Mapped[datetime] = mapped_column(UtcDateTime)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
    known_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    reported_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class IncidentNoteRow(Base):
    """One line in an incident's log; ``author_id`` is null when it came from the command line."""

    __tablename__ = "incident_notes"
    __table_args__ = (Index("ix_incident_notes_incident_id_at", "incident_id", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    incident_id: Mapped[str] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"))
    author_id: Mapped[str | None] = mapped_column(String(32))
    text: Mapped[str] = mapped_column(Text)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class IncidentPersonRow(Base):
    """Somebody whom an incident affects, and when the inbox got the notice."""

    __tablename__ = "incident_people"

    incident_id: Mapped[str] = mapped_column(ForeignKey("incidents.id", ondelete="CASCADE"), primary_key=True)
    user_id: Mapped[str] = mapped_column(
        ForeignKey("users.id", ondelete="CASCADE"), primary_key=True, index=True
    )
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MinorDecisionRow(Base):
    """A named person's decision about a client under 18. The reason is sealed under the client's key."""

    __tablename__ = "minor_decisions"
    __table_args__ = (Index("ix_minor_decisions_user_id_at", "user_id", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    decider: Mapped[str] = mapped_column(String(120))
    recorded_by: Mapped[str] = mapped_column(String(32))
    reason: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
