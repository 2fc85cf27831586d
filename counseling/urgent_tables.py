"""Tables of urgent calls: alarms, the steps that were done, and what is still to be sent outside.

Only this package names them. A step and a sending stand here once, so that a restart repeats none.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_OPEN: Final = text("ended_at IS NULL")
_DUE: Final = text("done_at IS NULL")


class AlarmRow(Base):
    """One urgent walk-in's call for help. ``state`` is `calling`, `told`, `answered` or `gone`.

    ``safe`` is what the client last answered to "are you safe now?"; ``told`` is what the client was told
    when nobody answered (`tell_nobody`, `tell_silence`).
    """

    __tablename__ = "alarms"
    __table_args__ = (
        Index("ux_alarms_walkin_open", "walkin_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_alarms_ended_at", "ended_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    walkin_id: Mapped[str] = mapped_column(ForeignKey("walkins.id", ondelete="CASCADE"))
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(12))
    raised_at: Mapped[datetime] = mapped_column(UtcDateTime)
    safe: Mapped[str | None] = mapped_column(String(12))
    told: Mapped[str | None] = mapped_column(String(16))
    told_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    answered_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class AlarmStepRow(Base):
    """One step that was done; ``person_id`` is null where the client was told."""

    __tablename__ = "alarm_steps"
    __table_args__ = (
        Index("ux_alarm_steps_once", "alarm_id", "kind", "turn", "person_id", unique=True),
        Index("ix_alarm_steps_person_id", "person_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    alarm_id: Mapped[str] = mapped_column(ForeignKey("alarms.id", ondelete="CASCADE"))
    kind: Mapped[str] = mapped_column(String(16))
    person_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    turn: Mapped[int]
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class AlarmSendingRow(Base):
    """One e-mail or webhook that a step asks for, until it has gone out or been given up.

    ``channel`` is `mail` or `hook`; ``sent`` says whether the other side took it, null while it is due.
    """

    __tablename__ = "alarm_sendings"
    __table_args__ = (
        Index("ix_alarm_sendings_due_at", "due_at", sqlite_where=_DUE, postgresql_where=_DUE),
        Index("ix_alarm_sendings_step_id", "step_id"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    step_id: Mapped[str] = mapped_column(ForeignKey("alarm_steps.id", ondelete="CASCADE"))
    channel: Mapped[str] = mapped_column(String(8))
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)
    tries: Mapped[int]
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    sent: Mapped[bool | None]
