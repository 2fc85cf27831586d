"""Tables of the way to a counselor: walk-ins, talks, open desks, and with whom a client will not talk.

Only this package names them. What may never happen stands here as indexes, so that the database refuses
it whatever the order of clicks, losses and restarts: a client has one open walk-in and one open talk, a
counselor one offer and one open talk.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import JSON, ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from core.db import Base, UtcDateTime

_OPEN: Final = text("ended_at IS NULL")
_OFFERED: Final = text("offered_to IS NOT NULL")


class WalkinRow(Base):
    """One client's wish to talk now. ``state`` is `waiting`, `offered`, `talking` or `ended`.

    ``seen_at`` is when the client's page last showed a sign of life; ``passed`` names counselors who let
    their turn go by; ``reasons`` are triage's.
    """

    __tablename__ = "walkins"
    __table_args__ = (
        Index("ux_walkins_client_open", "client_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index(
            "ux_walkins_offered_to",
            "offered_to",
            unique=True,
            sqlite_where=_OFFERED,
            postgresql_where=_OFFERED,
        ),
        Index("ix_walkins_state_asked_at", "state", "asked_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    state: Mapped[str] = mapped_column(String(12))
    language: Mapped[str] = mapped_column(String(8))
    topic: Mapped[str] = mapped_column(String(40))
    medium: Mapped[str] = mapped_column(String(12))
    alone: Mapped[str] = mapped_column(String(8))
    adult: Mapped[bool | None]
    risk: Mapped[str] = mapped_column(String(8))
    suitability: Mapped[str] = mapped_column(String(12))
    reasons: Mapped[list[str]] = mapped_column(JSON)
    region: Mapped[str | None] = mapped_column(String(80))
    prefers_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    waits_for_preferred: Mapped[bool]
    passed: Mapped[list[str]] = mapped_column(JSON)
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    offered_to: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="SET NULL"))
    offered_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    ended_why: Mapped[str | None] = mapped_column(String(16))


class TalkRow(Base):
    """One client with one counselor. ``session_id`` is the session they meet in; null in person."""

    __tablename__ = "talks"
    __table_args__ = (
        Index("ux_talks_client_open", "client_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN),
        Index(
            "ux_talks_counselor_open", "counselor_id", unique=True, sqlite_where=_OPEN, postgresql_where=_OPEN
        ),
        Index("ix_talks_counselor_id_begun_at", "counselor_id", "begun_at"),
        Index("ix_talks_client_id_begun_at", "client_id", "begun_at"),
    )

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    walkin_id: Mapped[str | None] = mapped_column(ForeignKey("walkins.id", ondelete="SET NULL"), index=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    session_id: Mapped[str | None] = mapped_column(String(32), unique=True)
    medium: Mapped[str] = mapped_column(String(12))
    reasons: Mapped[list[str]] = mapped_column(JSON)
    shares_history: Mapped[bool]
    begun_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class DeskRow(Base):
    """A counselor who takes people now. ``seen_at`` is the desk page's last sign of life."""

    __tablename__ = "desks"

    counselor_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    open_since: Mapped[datetime | None] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)


class ExclusionRow(Base):
    """With whom a client will not talk: a counselor, or a group that counselors may belong to.

    ``recused`` is the other way round: this counselor will not talk with this client.
    """

    __tablename__ = "exclusions"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    counselor_id: Mapped[str | None] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    group: Mapped[str | None] = mapped_column("group_name", String(80))
    recused: Mapped[bool]
    at: Mapped[datetime] = mapped_column(UtcDateTime)
