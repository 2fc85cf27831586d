"""An appointment as it stands: what one row says, and looking one up. For the files of appointments."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.errors import NotFound
from core.ids import UserId
from counseling.appointment_states import By, State, may_cancel, may_move
from counseling.appointment_tables import AppointmentRow
from counseling.entry import Medium
from counseling.slots import Slot


@dataclass(frozen=True, slots=True)
class Appointment:
    """One appointment. ``moves`` are the client's; ``ended_by`` is who cancelled or did not come."""

    id: str
    client: UserId
    counselor: UserId
    state: State
    medium: Medium
    topic: str
    language: str
    place: str
    zone: str
    slot: Slot
    changed_at: datetime
    sequence: int
    moves: int
    talk: str | None
    ended_at: datetime | None
    ended_by: By | None
    has_words: bool

    def can_cancel(self, now: datetime) -> bool:
        """Whether it can still be cancelled."""
        return may_cancel(self.state, starts_at=self.slot.since, now=now)

    def can_move(self, now: datetime) -> bool:
        """Whether the client can still move it."""
        return may_move(self.state, starts_at=self.slot.since, moves=self.moves, now=now)


async def row_of(db: AsyncSession, appointment: str, *whose: ColumnElement[bool]) -> AppointmentRow:
    """Give a row as it is now. Raises ``NotFound``, also where it is not theirs."""
    found = await db.scalars(
        select(AppointmentRow)
        .where(AppointmentRow.id == appointment, *whose)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound("There is no such appointment.")
    return row


def appointment_of(row: AppointmentRow) -> Appointment:
    """Read a row."""
    return Appointment(
        id=row.id,
        client=UserId(row.client_id),
        counselor=UserId(row.counselor_id),
        state=State(row.state),
        medium=Medium(row.medium),
        topic=row.topic,
        language=row.language,
        place=row.place,
        zone=row.zone,
        slot=Slot(row.starts_at, row.ends_at),
        changed_at=row.changed_at,
        sequence=row.sequence,
        moves=row.moves,
        talk=row.talk_id,
        ended_at=row.ended_at,
        ended_by=None if row.ended_by is None else By(row.ended_by),
        has_words=row.words is not None,
    )
