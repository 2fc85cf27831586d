"""Tables of notices and of the addresses they may go to. Only this package names them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import JSON, ForeignKey, Index, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class NoticeRow(Base):
    """One notice in somebody's inbox: its kind and what is filled in; the words are in the catalogues.

    ``mail_due``: a letter that says that something is here has not gone out yet.
    """

    __tablename__ = "notices"
    __table_args__ = (Index("ix_notices_user_id_at", "user_id", "at"),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(40))
    places: Mapped[dict[str, str]] = mapped_column(JSON)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    read_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    mail_due: Mapped[bool] = mapped_column(index=True)


class ContactRow(Base):
    """The e-mail address that a person gave, sealed under that person's key.

    ``confirm_hash`` is of the code in the letter that asks whether it is theirs; ``letter_at`` is when the
    last letter went out.
    """

    __tablename__ = "contacts"
    __table_args__ = (Index("ix_contacts_confirm_hash", "confirm_hash", unique=True),)

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    email: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    confirm_hash: Mapped[str | None] = mapped_column(String(64))
    confirmed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    letter_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
