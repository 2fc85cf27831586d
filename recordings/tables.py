"""Tables of recordings: what exists, what each side is, who agreed, and when it was off the record.

No picture, no voice and no key is in them: media lies sealed in files, wrapped keys in a database of their
own (``recordings/vault.py``). Only this package names these tables.

A session may be deleted while a recording of it exists: its ``session_id`` is then null, which is the sign
for the upkeep to destroy it.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import BigInteger, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_ID = String(32)
_COUNT = BigInteger().with_variant(Integer, "sqlite")
_SIDE = String(16)

# The words of an index must stand in a query as they are, or SQLite does not use it.
LIVE = text("state = 'recording'")
NOT_DESTROYED = text("state != 'destroyed'")
BEING_DESTROYED = text("media_at IS NULL")


class RecordingRow(Base):
    """One recording: of one session, from both consents to their end. Of a session there may be several.

    ``reason`` is why it ended (``states.Ending``). ``open_from`` is when a supervisor may first open it,
    ``expires_at`` when it is destroyed at the latest. ``closed_at`` is when the counselor withdrew: nobody
    opens it any more. ``held_at`` is when the client asked to keep it for a complaint: then it is not
    destroyed by ``expires_at``. ``backups_until`` is when the last copy of its key in a backup is gone.
    """

    __tablename__ = "recordings"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    session_id: Mapped[str | None] = mapped_column(ForeignKey("sessions.id", ondelete="SET NULL"), index=True)
    state: Mapped[str] = mapped_column(String(16))
    reason: Mapped[str | None] = mapped_column(String(32))
    client_user: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    counselor_user: Mapped[str | None] = mapped_column(
        ForeignKey("users.id", ondelete="SET NULL"), index=True
    )
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    open_from: Mapped[datetime | None] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime)
    closed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    held_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    destroyed_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    backups_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (
        Index(
            "ux_recordings_session_live",
            "session_id",
            unique=True,
            sqlite_where=LIVE,
            postgresql_where=LIVE,
        ),
        Index(None, "expires_at", sqlite_where=NOT_DESTROYED, postgresql_where=NOT_DESTROYED),
    )


class RecordingSideRow(Base):
    """One side of a recording. ``records``, ``head`` and ``bytes`` are of the live log, as far as is on disk.

    ``head`` is the SHA-256 of the last record, ``final_sha256`` of the finished file (both hex); ``until_ms``
    and ``duration_ms`` are on the recording's timeline. ``problem`` is what is wrong, in one of our words
    (of a stored side ``moving.NOT_COMPLETE`` alone); ``tries`` counts how often finishing failed, the last
    time at ``tried_at``.
    """

    __tablename__ = "recording_sides"

    recording_id: Mapped[str] = mapped_column(
        ForeignKey("recordings.id", ondelete="CASCADE"), primary_key=True
    )
    side: Mapped[str] = mapped_column(_SIDE, primary_key=True)
    participant_id: Mapped[str] = mapped_column(_ID)
    state: Mapped[str] = mapped_column(String(16))
    records: Mapped[int]
    head: Mapped[str | None] = mapped_column(String(64))
    bytes: Mapped[int] = mapped_column(_COUNT)
    until_ms: Mapped[int]
    object_name: Mapped[str | None] = mapped_column(String(200))
    final_bytes: Mapped[int | None] = mapped_column(_COUNT)
    final_sha256: Mapped[str | None] = mapped_column(String(64))
    duration_ms: Mapped[int | None]
    codec: Mapped[str | None] = mapped_column(String(32))
    tries: Mapped[int]
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(String(200))


class RecordingAgreementRow(Base):
    """One line of the ledger: one side agreed, or took it back, with this text. Only ever added to.

    ``id`` names the row's receipt. ``user`` is whose login it was; null where only a code opened the place.
    ``why`` says how it came (``consent_steps.Why``). It has no foreign key: it outlives session and account.
    """

    __tablename__ = "recording_agreements"

    number: Mapped[int] = mapped_column(_COUNT, primary_key=True, autoincrement=True)
    id: Mapped[str] = mapped_column(_ID, unique=True)
    session_id: Mapped[str] = mapped_column(_ID, index=True)
    participant_id: Mapped[str] = mapped_column(_ID)
    user: Mapped[str | None] = mapped_column(_ID, index=True)
    side: Mapped[str] = mapped_column(_SIDE)
    granted: Mapped[bool]
    version: Mapped[int]
    locale: Mapped[str] = mapped_column(String(8))
    sha256: Mapped[str] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    why: Mapped[str] = mapped_column(String(32))


class RecordingPauseRow(Base):
    """A time off the record, on the recording's timeline; ``to_ms`` is null while it lasts."""

    __tablename__ = "recording_pauses"

    id: Mapped[int] = mapped_column(_COUNT, primary_key=True, autoincrement=True)
    recording_id: Mapped[str] = mapped_column(ForeignKey("recordings.id", ondelete="CASCADE"), index=True)
    by: Mapped[str] = mapped_column(_SIDE)
    from_ms: Mapped[int]
    to_ms: Mapped[int | None]


class RecordingRequestRow(Base):
    """That somebody was asked in the room. Once in a session is all; who said no is written nowhere."""

    __tablename__ = "recording_requests"

    session_id: Mapped[str] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"), primary_key=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class RecordingProofRow(Base):
    """That a recording is being destroyed, and was: it names no person and no content, and outlives all else.

    ``key_at`` is when the key was destroyed: nothing opens it from then on but a backup of the key, and the
    last of those is gone at ``backups_until``. ``media_at`` is when the last file was deleted, ``files`` how
    many there were, with all versions. ``tries`` counts what failed since, and ``problem`` names it.
    """

    __tablename__ = "recording_proofs"

    recording_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    why: Mapped[str] = mapped_column(String(32))
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    key_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    backups_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    media_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    files: Mapped[int]
    tries: Mapped[int]
    tried_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    problem: Mapped[str | None] = mapped_column(String(200))

    __table_args__ = (
        Index(None, "asked_at", sqlite_where=BEING_DESTROYED, postgresql_where=BEING_DESTROYED),
    )
