"""More of each line in less room, and what stays of a session's quality when the rows are gone."""

from __future__ import annotations

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.types import TypeEngine

from core.db import UtcDateTime

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

_COUNT = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_OPEN = sa.text("state != 'ended'")
_NOT_SUMMED = sa.text("state = 'ended' AND summed_at IS NULL")

_TENTHS: dict[str, TypeEngine[Any]] = {
    "rtt_ms": sa.Integer(),
    "loss_up_pct": sa.SmallInteger(),
    "loss_down_pct": sa.SmallInteger(),
    "jitter_ms": sa.Integer(),
}
_NEW: dict[str, TypeEngine[Any]] = {
    "grade": sa.String(8),
    "mos": sa.SmallInteger(),
    "buffer_ms": sa.Integer(),
    "concealed_pct": sa.SmallInteger(),
    "silent_ms": sa.Integer(),
    "ws_rtt_ms": sa.Integer(),
    "available_kbps": sa.Integer(),
    "freezes": sa.SmallInteger(),
    "fps": sa.SmallInteger(),
    "height": sa.SmallInteger(),
    "network": sa.String(8),
}
_PLACES = sa.table("participants", sa.column("id"), sa.column("session_id"))
_SAMPLES = sa.table(
    "quality_samples",
    sa.column("participant_id"),
    sa.column("session_id"),
    *[sa.column(name, sa.Double()) for name in _TENTHS],
)


def upgrade() -> None:
    op.add_column("sessions", sa.Column("summed_at", UtcDateTime(), nullable=True))
    for column, which in (("places_until", _OPEN), ("ended_at", _NOT_SUMMED)):
        op.create_index(
            f"ix_sessions_{column}", "sessions", [column], sqlite_where=which, postgresql_where=which
        )
    op.drop_index("ix_session_events_session_id_at", "session_events")
    for column in ("session_id", "participant_id"):
        op.create_index(f"ix_session_events_{column}", "session_events", [column])
    _in_tenths()
    op.create_table(
        "session_quality",
        sa.Column(
            "participant_id",
            sa.String(32),
            sa.ForeignKey("participants.id", ondelete="CASCADE"),
            primary_key=True,
        ),
        sa.Column(
            "session_id", sa.String(32), sa.ForeignKey("sessions.id", ondelete="CASCADE"), nullable=False
        ),
        sa.Column("role", sa.String(16), nullable=False),
        sa.Column("hour", UtcDateTime(), nullable=False),
        sa.Column("medium", sa.String(16), nullable=False),
        sa.Column("network", sa.String(8), nullable=True),
        sa.Column(
            "counselor_id", sa.String(32), sa.ForeignKey("users.id", ondelete="SET NULL"), nullable=True
        ),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("mos_p50", sa.SmallInteger(), nullable=True),
        sa.Column("rtt_p50_ms", sa.Integer(), nullable=True),
        sa.Column("rtt_p95_ms", sa.Integer(), nullable=True),
        sa.Column("loss_p50_pct", sa.SmallInteger(), nullable=True),
        sa.Column("loss_p95_pct", sa.SmallInteger(), nullable=True),
        sa.Column("interruptions", sa.Integer(), nullable=False),
        sa.Column("gaps_ms", sa.Integer(), nullable=False),
        sa.Column("longest_gap_ms", sa.Integer(), nullable=False),
        sa.Column("causes", sa.JSON(), nullable=False),
        sa.Column("steps_down", sa.Integer(), nullable=False),
        sa.Column("bytes", _COUNT, nullable=False),
        sa.Column("ended_why", sa.String(16), nullable=False),
    )
    for column in ("session_id", "hour", "counselor_id"):
        op.create_index(f"ix_session_quality_{column}", "session_quality", [column])


def _in_tenths() -> None:
    """Keep numbers as whole tenths, and leave out the session, which the place knows."""
    op.execute(_SAMPLES.update().values({name: sa.func.round(_SAMPLES.c[name] * 10) for name in _TENTHS}))
    with op.batch_alter_table("quality_samples") as table:
        table.drop_index("ix_quality_samples_session_id_at")
        table.drop_column("session_id")
        for column, type_ in _TENTHS.items():
            table.alter_column(column, type_=type_, existing_type=sa.Double())
        table.alter_column("ip_version", type_=sa.SmallInteger(), existing_type=sa.Integer())
        for column, type_ in _NEW.items():
            table.add_column(sa.Column(column, type_, nullable=True))
        table.create_index("ix_quality_samples_participant_id", ["participant_id"])


def downgrade() -> None:
    op.drop_table("session_quality")
    with op.batch_alter_table("quality_samples") as table:
        table.drop_index("ix_quality_samples_participant_id")
        for column in _NEW:
            table.drop_column(column)
        for column, type_ in _TENTHS.items():
            table.alter_column(column, type_=sa.Double(), existing_type=type_)
        table.alter_column("ip_version", type_=sa.Integer(), existing_type=sa.SmallInteger())
        table.add_column(sa.Column("session_id", sa.String(32), nullable=True))
    session = sa.select(_PLACES.c.session_id).where(_PLACES.c.id == _SAMPLES.c.participant_id)
    numbers = {name: _SAMPLES.c[name] / 10 for name in _TENTHS}
    op.execute(_SAMPLES.update().values({"session_id": session.scalar_subquery(), **numbers}))
    with op.batch_alter_table("quality_samples") as table:
        table.alter_column("session_id", nullable=False, existing_type=sa.String(32))
        table.create_foreign_key(None, "sessions", ["session_id"], ["id"], ondelete="CASCADE")
        table.create_index("ix_quality_samples_session_id_at", ["session_id", "at"])
    for column in ("participant_id", "session_id"):
        op.drop_index(f"ix_session_events_{column}", "session_events")
    op.create_index("ix_session_events_session_id_at", "session_events", ["session_id", "at"])
    for column in ("ended_at", "places_until"):
        op.drop_index(f"ix_sessions_{column}", "sessions")
    op.drop_column("sessions", "summed_at")
