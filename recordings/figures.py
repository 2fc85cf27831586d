"""How many recordings stand where, and what of it people must look at: for metrics, doctor and the admins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from recordings import ending
from recordings.states import State
from recordings.tables import RecordingRow, RecordingSideRow

LATE: Final = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Figures:
    """What there is. ``unstored`` ended an hour ago and are not stored; ``undestroyed`` are as late."""

    states: Mapping[State, int]
    stored_bytes: int
    unstored: int
    undestroyed: int

    @property
    def there(self) -> int:
        """How many exist: all but those that were destroyed."""
        return sum(count for state, count in self.states.items() if state is not State.DESTROYED)

    @property
    def need_people(self) -> int:
        """How many do not get on by themselves."""
        return max(self.unstored, self.states[State.STUCK]) + self.states[State.BROKEN] + self.undestroyed


async def measure(db: AsyncSession, *, now: datetime) -> Figures:
    """Count."""
    counts = await db.execute(select(RecordingRow.state, func.count()).group_by(RecordingRow.state))
    found = {State(state): int(count) for state, count in counts}
    stored = select(func.coalesce(func.sum(RecordingSideRow.final_bytes), 0))
    late = select(func.count()).where(
        RecordingRow.state.in_([State.ENDED.value, State.FINALIZING.value, State.STUCK.value]),
        RecordingRow.ended_at <= now - LATE,
    )
    return Figures(
        states={state: found.get(state, 0) for state in State},
        stored_bytes=int(await db.scalar(stored.where(RecordingSideRow.state == State.STORED.value)) or 0),
        unstored=await db.scalar(late.select_from(RecordingRow)) or 0,
        undestroyed=await ending.overdue(db, now=now),
    )
