"""Tables of preparation: what a client says before a session for its worst moment, and who opened it.

Only this package names them.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class PreparationRow(Base):
    """What one client prepared for one walk-in or one appointment, and gone soon after it.

    ``contact`` is sealed under the client's key: where they are, whom to call, a number for this session.
    ``on_drop`` is `call`, `write` or `nothing`; ``recording`` is the answer, null where there is none.
    """

    __tablename__ = "preparations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    walkin_id: Mapped[str | None] = mapped_column(ForeignKey("walkins.id", ondelete="CASCADE"), unique=True)
    appointment_id: Mapped[str | None] = mapped_column(
        ForeignKey("appointments.id", ondelete="CASCADE"), unique=True
    )
    on_drop: Mapped[str] = mapped_column(String(8))
    recording: Mapped[bool | None]
    contact: Mapped[bytes | None] = mapped_column(LargeBinary)
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ContactOpeningRow(Base):
    """One breaking of the glass. ``reason`` and ``untold_why`` are sealed under the client's key.

    ``preparation_id`` says what was opened, also when that is gone. ``seen_at`` is when the second person
    read of it, ``told_at`` when the client was told.
    """

    __tablename__ = "contact_openings"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    preparation_id: Mapped[str] = mapped_column(String(32))
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    opener_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    second_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    reason: Mapped[bytes] = mapped_column(LargeBinary)
    untold_why: Mapped[bytes | None] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
