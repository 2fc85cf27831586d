"""Tables of dropped lines: the risk flag of a talk, and the alarm when the line of such a talk breaks.

Only this package names them.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_OPEN: Final = text("ended_at IS NULL")


class RiskFlagRow(Base):
    """What the counselor last said of the risk in a talk; without a row the triage's word stands."""

    __tablename__ = "risk_flags"

    talk_id: Mapped[str] = mapped_column(ForeignKey("talks.id", ondelete="CASCADE"), primary_key=True)
    stands: Mapped[bool]
    put_by: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    at: Mapped[datetime] = mapped_column(UtcDateTime)


class DropRow(Base):
    """One break of a client's line while a risk flag stood. A talk has one open.

    ``state`` is `calling`, `seen`, `back`, `quick` or `done`; ``kept_until`` is how long the place is kept,
    null while it is taken; ``duty_id`` is who was called besides when the counselor did not see it.
    """

    __tablename__ = "drops"
    __table_args__ = (
        Index("ux_drops_talk_open", "talk_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index("ix_drops_ended_at", "ended_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    talk_id: Mapped[str] = mapped_column(ForeignKey("talks.id", ondelete="CASCADE"))
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(8))
    broke_at: Mapped[datetime] = mapped_column(UtcDateTime)
    kept_until: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    duty_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"), index=True)
    phoned_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
