"""Dropped lines under a risk flag, written down: the doing to ``drop_states``' deciding.

A row is there once for each break of a talk's line, so that a restart repeats no alarm. Whoever looks after
it says so; what the client chose that a drop should do is shown beside it, never done behind their back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from accounts.chain import Detail
from core.db import insert_into
from core.errors import NotFound
from core.ids import UserId, new_id
from counseling import drop_states
from counseling.drop_states import Event, State
from counseling.drop_tables import DropRow
from counseling.talks import Talk

NOTICE: Final = "line_dropped"
RETENTION: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Drop:
    """One break. ``kept_until`` None: the place is taken still; ``duty`` is who was called besides."""

    id: str
    talk: str
    client: UserId
    counselor: UserId
    state: State
    broke_at: datetime
    kept_until: datetime | None
    duty: UserId | None
    phoned_at: datetime | None
    ended_at: datetime | None

    @property
    def is_open(self) -> bool:
        """Whether it is not over."""
        return self.state in drop_states.OPEN

    def concerns(self, person: UserId) -> bool:
        """Whether it stands on somebody's pages."""
        return self.is_open and person in (self.counselor, self.duty)


async def raise_(
    db: AsyncSession,
    audit: Audit,
    *,
    talk: Talk,
    broke_at: datetime,
    kept_until: datetime | None,
    now: datetime,
) -> Drop:
    """Call the counselor of a talk; the drop that is open already is given back."""
    await audit.hold(db)
    values = {
        "id": new_id("d"),
        "talk_id": talk.id,
        "client_id": talk.client,
        "counselor_id": talk.counselor,
        "state": State.CALLING.value,
        "broke_at": broke_at,
        "kept_until": kept_until,
        "seen_at": None,
        "duty_id": None,
        "phoned_at": None,
        "ended_at": None,
    }
    asked = insert_into(db, DropRow).values(values).on_conflict_do_nothing().returning(DropRow.id)
    made = (await db.execute(asked)).scalar_one_or_none()
    if made is None:
        there = await of_talk(db, talk=talk.id)
        if there is None:
            raise NotFound("There is no such drop.")
        return there
    drop = await get(db, drop=made)
    await _append(db, audit, drop, "raise", actor=None, now=now)
    await notices.post_all(db, users=[talk.counselor], kind=NOTICE, once=True, now=now)
    return drop


async def keep_until(db: AsyncSession, *, drop: str, kept_until: datetime | None) -> None:
    """Note how long the place is kept: its socket was lost after the line fell silent."""
    row = await _row(db, drop)
    row.kept_until = kept_until
    await db.flush()


async def call_duty(db: AsyncSession, audit: Audit, *, drop: str, duty: UserId, now: datetime) -> Drop:
    """Call who is on duty besides the counselor, once."""
    await audit.hold(db)
    row = await _row(db, drop)
    if row.duty_id is None and State(row.state) is State.CALLING and duty != row.counselor_id:
        row.duty_id = duty
        await db.flush()
        await _append(db, audit, _drop(row), "duty", actor=None, detail={"person": duty}, now=now)
        await notices.post_all(db, users=[duty], kind=NOTICE, once=True, now=now)
    return _drop(row)


async def see(db: AsyncSession, audit: Audit, *, drop: str, person: UserId, now: datetime) -> Drop:
    """Note that somebody looks after it; seen already, it stays as it is. Raises ``InvalidState``."""
    await audit.hold(db)
    row = await _row(db, drop)
    if State(row.state) is State.SEEN:
        return _drop(row)
    row.state, row.seen_at = drop_states.after(State(row.state), Event.SEE).value, now
    await db.flush()
    await _append(db, audit, _drop(row), "see", actor=person, now=now)
    return _drop(row)


async def phoned(db: AsyncSession, audit: Audit, *, drop: str, person: UserId, now: datetime) -> Drop:
    """Note that the counselor goes on by telephone, and with it that they look after it."""
    drop_now = await see(db, audit, drop=drop, person=person, now=now)
    row = await _row(db, drop)
    if row.phoned_at is None:
        row.phoned_at = now
        await db.flush()
        await _append(db, audit, drop_now, "phone", actor=person, now=now)
    return _drop(row)


async def end(
    db: AsyncSession, audit: Audit, *, drop: str, why: Event, person: UserId | None, now: datetime
) -> Drop:
    """End it: the client is back, left by the quick exit, or somebody closes it. Raises ``InvalidState``."""
    await audit.hold(db)
    row = await _row(db, drop)
    row.state, row.ended_at = drop_states.after(State(row.state), why).value, now
    await db.flush()
    ended = _drop(row)
    await _append(db, audit, ended, "end", actor=person, detail={"why": ended.state.value}, now=now)
    return ended


async def get(db: AsyncSession, *, drop: str) -> Drop:
    """Look one up. Raises ``NotFound``."""
    return _drop(await _row(db, drop))


async def of_talk(db: AsyncSession, *, talk: str) -> Drop | None:
    """Look up the open drop of a talk."""
    return await _one(db, talk=talk)


async def last_of_talk(db: AsyncSession, *, talk: str) -> Drop | None:
    """Look up the last drop of a talk, also one that is over."""
    row = await db.scalar(
        select(DropRow)
        .where(DropRow.talk_id == talk)
        .order_by(DropRow.broke_at.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return None if row is None else _drop(row)


async def of_client(db: AsyncSession, *, client: UserId) -> list[Drop]:
    """List the open drops of a client."""
    rows = await db.scalars(
        select(DropRow)
        .where(DropRow.client_id == client, DropRow.ended_at.is_(None))
        .execution_options(populate_existing=True)
    )
    return [_drop(row) for row in rows]


async def all_open(db: AsyncSession) -> list[Drop]:
    """List those that are open, the oldest first."""
    rows = await db.scalars(
        select(DropRow)
        .where(DropRow.ended_at.is_(None))
        .order_by(DropRow.broke_at, DropRow.id)
        .execution_options(populate_existing=True)
    )
    return [_drop(row) for row in rows]


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Delete those that ended longer ago than ``RETENTION``."""
    await db.execute(delete(DropRow).where(DropRow.ended_at < now - RETENTION))


async def _one(db: AsyncSession, *, talk: str) -> Drop | None:
    row = await db.scalar(
        select(DropRow)
        .where(DropRow.talk_id == talk, DropRow.ended_at.is_(None))
        .execution_options(populate_existing=True)
    )
    return None if row is None else _drop(row)


async def _row(db: AsyncSession, drop: str) -> DropRow:
    row = await db.get(DropRow, drop, populate_existing=True)
    if row is None:
        raise NotFound("There is no such drop.")
    return row


def _drop(row: DropRow) -> Drop:
    return Drop(
        row.id,
        row.talk_id,
        UserId(row.client_id),
        UserId(row.counselor_id),
        State(row.state),
        row.broke_at,
        row.kept_until,
        None if row.duty_id is None else UserId(row.duty_id),
        row.phoned_at,
        row.ended_at,
    )


async def _append(
    db: AsyncSession,
    audit: Audit,
    drop: Drop,
    verb: str,
    *,
    actor: UserId | None,
    detail: Detail | None = None,
    now: datetime,
) -> None:
    await audit.append(
        db, tag=f"drop:{verb}", actor=actor, subject=drop.client, object_id=drop.id, detail=detail, now=now
    )
