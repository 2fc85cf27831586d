"""What calls write down: each kind of record is one row of one statement, so many go in one step.

All times are aware UTC; the caller commits. Nothing here holds a name, an address or what was said.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, cast

from sqlalchemy import Executable, Table, bindparam, func, insert, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import ParticipantId, SessionId
from signaling.tables import EventRow, ParticipantRow, QualityRow, SessionRow
from signaling.terms import CallState

MAX_REASON_CHARS = 200

# Past the unit of work, which looks at each row by itself.
_SESSIONS = cast("Table", SessionRow.__table__)
_PLACES = cast("Table", ParticipantRow.__table__)
_EVENTS = cast("Table", EventRow.__table__)
_SAMPLES = cast("Table", QualityRow.__table__)


@dataclass(frozen=True, slots=True)
class StateRecord:
    """A session's new state. ``ended`` is final, and the first start and end that are known stay."""

    session: SessionId
    state: str
    began_at: datetime | None = None
    closes_at: datetime | None = None
    ended_at: datetime | None = None
    ended_reason: str | None = None


def ended(session: SessionId, *, reason: str | None, now: datetime) -> StateRecord:
    """Make the record of a session's end."""
    cut = None if reason is None else reason[:MAX_REASON_CHARS]
    return StateRecord(session, CallState.ENDED.value, ended_at=now, ended_reason=cut)


@dataclass(frozen=True, slots=True)
class ModeRecord:
    """A session's new mode, and who or what moved it there."""

    session: SessionId
    mode: str
    mode_reason: str


@dataclass(frozen=True, slots=True)
class PlaceRecord:
    """A place's new wire state; ``taken_by`` is the hash of a new seat secret, None when it stays."""

    place: ParticipantId
    state: str
    changed_at: datetime
    taken_by: str | None = None


@dataclass(frozen=True, slots=True)
class EventRecord:
    """One thing that happened. ``detail`` holds numbers and words of ours, nothing a person wrote."""

    session_id: SessionId
    participant_id: ParticipantId | None
    kind: str
    detail: Mapping[str, object]
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class QualitySample:
    """Ten seconds of one side's connection; None is unknown, bytes count since the session began.

    ``freezes`` are those of these ten seconds, ``height`` and ``fps`` of the picture that this side sees.
    """

    participant_id: ParticipantId
    at: datetime
    grade: str | None = None
    mos: float | None = None
    rtt_ms: float | None = None
    loss_up_pct: float | None = None
    loss_down_pct: float | None = None
    jitter_ms: float | None = None
    buffer_ms: float | None = None
    concealed_pct: float | None = None
    silent_ms: int | None = None
    ws_rtt_ms: float | None = None
    available_kbps: float | None = None
    bytes_up: int = 0
    bytes_down: int = 0
    freezes: int | None = None
    fps: float | None = None
    height: int | None = None
    network: str | None = None
    transport: str | None = None
    ip_version: int | None = None


Record = StateRecord | ModeRecord | PlaceRecord | EventRecord | QualitySample

# The fields of a record that are columns are set as they are; the others stand in the statement.
_STATEMENTS: dict[type[Record], Executable] = {
    StateRecord: update(_SESSIONS)
    .where(_SESSIONS.c.id == bindparam("session"), _SESSIONS.c.state != CallState.ENDED.value)
    .values(
        started_at=func.coalesce(
            _SESSIONS.c.started_at, bindparam("began_at", type_=_SESSIONS.c.started_at.type)
        ),
        ends_at=func.coalesce(_SESSIONS.c.ends_at, bindparam("closes_at", type_=_SESSIONS.c.ends_at.type)),
    ),
    ModeRecord: update(_SESSIONS).where(_SESSIONS.c.id == bindparam("session")),
    PlaceRecord: update(_PLACES)
    .where(_PLACES.c.id == bindparam("place"))
    .values(seat=func.coalesce(bindparam("taken_by", type_=_PLACES.c.seat.type), _PLACES.c.seat)),
    EventRecord: insert(_EVENTS),
    QualitySample: insert(_SAMPLES),
}


async def write(db: AsyncSession, records: Sequence[Record]) -> None:
    """Keep records: one statement for each kind, and within a kind in their order."""
    rows: defaultdict[type[Record], list[dict[str, Any]]] = defaultdict(list)
    for record in records:
        kind = type(record)
        rows[kind].append({name: getattr(record, name) for name in kind.__slots__})
    for kind, values in rows.items():
        await db.execute(_STATEMENTS[kind], values)
