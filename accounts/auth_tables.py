"""Tables of how people prove who they are. No code and no password stands in them as it is typed."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, LargeBinary, String
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

MOST_LOGIN_CHARS = 40
MOST_LABEL_CHARS = 60


class RecoveryCodeRow(Base):
    """A client's recovery code: the keyed hash of its look-up part, Argon2id of its secret part."""

    __tablename__ = "recovery_codes"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    lookup_hash: Mapped[str] = mapped_column(String(64), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TryRow(Base):
    """How often something was tried lately; ``id`` is a keyed hash of what was tried."""

    __tablename__ = "tries"

    id: Mapped[str] = mapped_column(String(64), primary_key=True)
    count: Mapped[int]
    began_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class PasswordRow(Base):
    """With which name and password a staff member logs in. ``login_key`` is the name without case."""

    __tablename__ = "passwords"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    login: Mapped[str] = mapped_column(String(MOST_LOGIN_CHARS))
    login_key: Mapped[str] = mapped_column(String(MOST_LOGIN_CHARS), unique=True)
    hash: Mapped[str] = mapped_column(String(200))
    changed_at: Mapped[datetime] = mapped_column(UtcDateTime)


class TotpRow(Base):
    """A staff member's TOTP secret, sealed; it was confirmed with a code before it was kept.

    ``last_step`` is the newest 30-second step whose code was used; that one and older ones are refused.
    """

    __tablename__ = "totps"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    secret: Mapped[bytes] = mapped_column(LargeBinary)
    last_step: Mapped[int] = mapped_column(BigInteger)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class BackupCodeRow(Base):
    """One backup code, as a keyed hash; it is deleted when it is used."""

    __tablename__ = "backup_codes"

    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)


class PasskeyRow(Base):
    """One passkey: its public half, and how often it says it was used (WebAuthn Level 3, 6.1.1)."""

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    credential_id: Mapped[str] = mapped_column(String(1400), unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    label: Mapped[str] = mapped_column(String(MOST_LABEL_CHARS))
    created_at: Mapped[datetime] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class ChallengeRow(Base):
    """What a passkey is asked to sign for one login; taken once, and gone with the login."""

    __tablename__ = "challenges"

    login_id: Mapped[str] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"), primary_key=True)
    purpose: Mapped[str] = mapped_column(String(16), primary_key=True)
    challenge: Mapped[bytes] = mapped_column(LargeBinary)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)


class InvitationRow(Base):
    """A one-time invitation to the staff; its code is kept as a keyed hash."""

    __tablename__ = "invitations"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    code_hash: Mapped[str] = mapped_column(String(64), unique=True)
    roles: Mapped[str] = mapped_column(String(100))
    note: Mapped[str] = mapped_column(String(MOST_LABEL_CHARS))
    invited_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    created_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    revoked_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    used_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)


class LoginSeenRow(Base):
    """Up to when one browser has acknowledged the person's other, newer logins."""

    __tablename__ = "logins_seen"

    login_id: Mapped[str] = mapped_column(ForeignKey("logins.id", ondelete="CASCADE"), primary_key=True)
    until: Mapped[datetime] = mapped_column(UtcDateTime)
