"""What an alarm sends outside: e-mails and webhooks, until the other side took them or nobody needs them.

They stand in the database from the step on, so that a restart loses none. One that fails is tried again
after a while; when the alarm has ended, none goes out any more.
"""

from __future__ import annotations

import enum
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import UserId, new_id
from counseling.urgent import Kind
from counseling.urgent_tables import AlarmRow, AlarmSendingRow, AlarmStepRow

AGAIN_AFTER: Final = tuple(timedelta(seconds=seconds) for seconds in (2, 5, 15, 30, 60, 120))
"""When a failed one is tried again; after the last it is given up, and the next turn sends a new one."""


class Channel(enum.StrEnum):
    """How it goes out."""

    MAIL = "mail"
    HOOK = "hook"


@dataclass(frozen=True, slots=True)
class Sending:
    """One thing to be sent. ``id`` stays the same when it is tried again."""

    id: str
    channel: Channel
    kind: Kind
    person: UserId
    at: datetime
    tries: int


async def add(db: AsyncSession, *, step: str, channels: Collection[Channel], now: datetime) -> None:
    """Have a step go out by these channels."""
    db.add_all(
        AlarmSendingRow(
            id=new_id("d"), step_id=step, channel=channel.value, due_at=now, tries=0, done_at=None, sent=None
        )
        for channel in sorted(channels)
    )
    await db.flush()


async def due(db: AsyncSession, *, now: datetime) -> list[Sending]:
    """List what is to go out now, the oldest first; of alarms that call still."""
    rows = await db.execute(
        select(AlarmSendingRow, AlarmStepRow)
        .join(AlarmStepRow, AlarmStepRow.id == AlarmSendingRow.step_id)
        .join(AlarmRow, AlarmRow.id == AlarmStepRow.alarm_id)
        .where(AlarmSendingRow.done_at.is_(None), AlarmSendingRow.due_at <= now, AlarmRow.ended_at.is_(None))
        .order_by(AlarmSendingRow.due_at, AlarmSendingRow.id)
    )
    return [
        Sending(
            row.id, Channel(row.channel), Kind(step.kind), UserId(step.person_id or ""), step.at, row.tries
        )
        for row, step in rows
    ]


async def done(db: AsyncSession, *, sending: str, sent: bool, now: datetime) -> None:
    """Note that one has gone out, or never will."""
    await _change(db, sending, done_at=now, sent=sent)


async def failed(db: AsyncSession, *, sending: Sending, now: datetime) -> bool:
    """Note that one did not go out, and say whether it is tried again."""
    if sending.tries >= len(AGAIN_AFTER):
        await done(db, sending=sending.id, sent=False, now=now)
        return False
    wait = AGAIN_AFTER[sending.tries]
    await _change(db, sending.id, tries=sending.tries + 1, due_at=now + wait)
    return True


async def _change(db: AsyncSession, sending: str, **values: object) -> None:
    await db.execute(update(AlarmSendingRow).where(AlarmSendingRow.id == sending).values(**values))
