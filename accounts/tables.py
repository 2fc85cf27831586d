"""Tables of accounts: API keys, people, their roles and logins, forms sent. Only this package names them."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime


class ApiKeyRow(Base):
    """One API key. Its secret is derived from the master key and stored nowhere."""

    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserRow(Base):
    """One person. A client's name is made up; ``adult`` is what a client said, null for staff.

    ``erase_at`` is when a person who asked to be erased will be; from the asking on, nobody else sees them.
    """

    __tablename__ = "users"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    name: Mapped[str] = mapped_column(String(100), index=True)
    language: Mapped[str] = mapped_column(String(8))
    adult: Mapped[bool | None]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    erase_at: Mapped[datetime | None] = mapped_column(UtcDateTime, index=True)
    disabled_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class UserRoleRow(Base):
    """One role of one person."""

    __tablename__ = "user_roles"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True, index=True)


class LoginRow(Base):
    """One browser that a person logged in with. Its token is kept as SHA-256 only.

    ``device`` is a short description in plain words (``Chrome, Android``), no address and no fingerprint.
    """

    __tablename__ = "logins"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    stage: Mapped[str] = mapped_column(String(16))
    device: Mapped[str] = mapped_column(String(60))
    own_phone: Mapped[bool]
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    idle_until: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class SubmissionRow(Base):
    """One form that was sent and done, by its one-time number, so that it is done once."""

    __tablename__ = "submissions"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    location: Mapped[str] = mapped_column(String(300))
