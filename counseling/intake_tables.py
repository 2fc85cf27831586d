"""Tables of the intake: what a client answered while waiting, and which translations an admin accepted.

Only this package names them.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_STANDS: Final = text("withdrawn_at IS NULL")


class IntakeAnswerRow(Base):
    """One step of one client's intake. ``sealed`` is what they answered, under their key."""

    __tablename__ = "intake_answers"

    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    step: Mapped[str] = mapped_column(String(40), primary_key=True)
    sealed: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class AcceptedTranslationRow(Base):
    """An admin's acceptance of a translation that nobody validated, as this SHA-256 names its words.

    ``vouched_by`` is who read it and says that it may be used, ``vouched_on`` when.
    """

    __tablename__ = "accepted_translations"
    __table_args__ = (
        Index(
            "ux_accepted_translations_digest_stands",
            "digest",
            unique=True,
            sqlite_where=_STANDS,
            postgresql_where=_STANDS,
        ),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    instrument: Mapped[str] = mapped_column(String(24))
    language: Mapped[str] = mapped_column(String(8))
    digest: Mapped[str] = mapped_column(String(64))
    vouched_by: Mapped[str] = mapped_column(String(120))
    vouched_on: Mapped[date]
    accepted_at: Mapped[datetime] = mapped_column(UtcDateTime)
    accepted_by: Mapped[str] = mapped_column(String(32))
    withdrawn_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    withdrawn_by: Mapped[str | None] = mapped_column(String(32))
