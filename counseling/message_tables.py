"""Tables of messages: threads between one client and one counselor, and the texts in them.

Only this package names them. Texts are sealed under the client's key, whoever wrote them, so that erasing
the client erases them everywhere.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ForeignKey, Index, LargeBinary, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_WAITING: Final = text("taken_at IS NULL")


class ThreadRow(Base):
    """One thread. Not taken, it waits at the service's desk; taken and without a counselor, they have gone.

    ``client_read`` and ``counselor_read`` are the last numbers that each of them has seen; ``owed_since`` is
    when the client wrote the first message that has no answer yet, ``due_at`` when one was promised.
    """

    __tablename__ = "threads"
    __table_args__ = (
        Index(
            "ux_threads_client_waiting",
            "client_id",
            unique=True,
            sqlite_where=_WAITING,
            postgresql_where=_WAITING,
        ),
        Index("ix_threads_client_id_last_at", "client_id", "last_at"),
        Index("ix_threads_counselor_id_last_at", "counselor_id", "last_at"),
        Index("ix_threads_due_at", "due_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    counselor_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    language: Mapped[str] = mapped_column(String(8))
    topic: Mapped[str] = mapped_column(String(40))
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    taken_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    last_at: Mapped[datetime] = mapped_column(UtcDateTime)
    last_number: Mapped[int]
    client_read: Mapped[int]
    counselor_read: Mapped[int]
    owed_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    late_told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class MessageRow(Base):
    """One message, the ``number``-th of its thread. ``text`` is sealed.

    Of a counselor's answer ``owed_since`` and ``due_at`` say what it answered and what was promised.
    """

    __tablename__ = "messages"
    __table_args__ = (Index("ux_messages_thread_id_number", "thread_id", "number", unique=True),)

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    thread_id: Mapped[str] = mapped_column(ForeignKey("threads.id", ondelete="CASCADE"))
    number: Mapped[int]
    by_client: Mapped[bool]
    text: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    owed_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    due_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
