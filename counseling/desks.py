"""Desks: counselors who take people now.

A desk is open from one click to the other, and counts while its page shows a sign of life. Whether clients
may be sent to a counselor at all is ``matchable.why_not``'s to say, each time anew.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, exists, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.db import insert_into
from core.ids import UserId
from counseling import register, standings, talks
from counseling.credentials import Credentials
from counseling.entry import Entry
from counseling.matchable import Why, why_not
from counseling.way_tables import DeskRow, TalkRow, WalkinRow

PRESENT: Final = timedelta(seconds=45)
"""Without a sign of life for longer, nobody is offered to a desk; it opens again with the next sign."""


@dataclass(frozen=True, slots=True)
class Desk:
    """One counselor's desk. ``open_since`` None is closed."""

    counselor: UserId
    open_since: datetime | None
    seen_at: datetime

    def takes(self, now: datetime) -> bool:
        """Whether it is open and somebody sits at it."""
        return self.open_since is not None and now - self.seen_at <= PRESENT


@dataclass(frozen=True, slots=True)
class Able:
    """A counselor to whom somebody may be sent today. ``caseload`` are their clients of the last 30 days."""

    entry: Entry
    caseload: frozenset[UserId]

    @property
    def counselor(self) -> UserId:
        """Whose entry it is."""
        return self.entry.user

    @property
    def places(self) -> int:
        """How many new clients they can take."""
        return max(0, self.entry.practice.capacity - len(self.caseload))


async def open_desk(db: AsyncSession, audit: Audit, *, counselor: UserId, now: datetime) -> Desk:
    """Take people from now on. Open already, it stays as it is."""
    await audit.hold(db)
    desk = await find(db, counselor=counselor)
    if desk is not None and desk.open_since is not None:
        await seen(db, counselor=counselor, now=now)
        return Desk(counselor, desk.open_since, now)
    await _put(db, counselor, now, now)
    await audit.append(db, tag="desk:open", actor=counselor, subject=counselor, now=now)
    return Desk(counselor, now, now)


async def close_desk(db: AsyncSession, audit: Audit, *, counselor: UserId, now: datetime) -> None:
    """Take nobody any more; what is offered just now goes back with the next turn."""
    await audit.hold(db)
    desk = await find(db, counselor=counselor)
    if desk is None or desk.open_since is None:
        return
    await _put(db, counselor, None, now)
    await audit.append(db, tag="desk:close", actor=counselor, subject=counselor, now=now)


async def seen(db: AsyncSession, *, counselor: UserId, now: datetime) -> None:
    """Note that somebody sits at a desk."""
    await seen_all(db, counselors=[counselor], now=now)


async def seen_all(db: AsyncSession, *, counselors: Sequence[UserId], now: datetime) -> None:
    """Note that somebody sits at these desks, in one step."""
    await db.execute(
        update(DeskRow)
        .where(DeskRow.counselor_id.in_(counselors))
        .values(seen_at=now)
        .execution_options(synchronize_session=False)
    )


async def find(db: AsyncSession, *, counselor: UserId) -> Desk | None:
    """Look a desk up; None for a counselor who never opened one."""
    row = await db.get(DeskRow, counselor, populate_existing=True)
    return None if row is None else Desk(counselor, row.open_since, row.seen_at)


async def present(db: AsyncSession, *, now: datetime) -> list[UserId]:
    """Name the counselors at open desks, also those who talk just now; nothing else is asked of them."""
    found = await db.scalars(
        select(DeskRow.counselor_id)
        .where(DeskRow.open_since.is_not(None), DeskRow.seen_at >= now - PRESENT)
        .order_by(DeskRow.counselor_id)
    )
    return [UserId(one) for one in found]


async def free(db: AsyncSession, *, now: datetime) -> list[UserId]:
    """Name the counselors at open desks who do not talk just now; nothing else is asked of them."""
    return await _free(db, now)


async def unoccupied(db: AsyncSession, *, among: Collection[UserId], now: datetime) -> set[UserId]:
    """Say which of these sit at an open desk, do not talk just now, and are shown nobody."""
    shown = exists().where(WalkinRow.offered_to == DeskRow.counselor_id)
    return set(await _free(db, now, DeskRow.counselor_id.in_(among), ~shown))


async def _free(db: AsyncSession, now: datetime, *which: ColumnElement[bool]) -> list[UserId]:
    talking = exists().where(TalkRow.counselor_id == DeskRow.counselor_id, TalkRow.ended_at.is_(None))
    found = await db.scalars(
        select(DeskRow.counselor_id)
        .where(DeskRow.open_since.is_not(None), DeskRow.seen_at >= now - PRESENT, ~talking, *which)
        .order_by(DeskRow.counselor_id)
    )
    return [UserId(one) for one in found]


async def able(
    db: AsyncSession,
    credentials: Credentials,
    *,
    counselors: Collection[UserId],
    today: date,
    now: datetime,
) -> Mapping[UserId, Able]:
    """Say which of these counselors somebody may be sent to today, with what matching asks of them.

    Who has no place left is among them: a client of theirs needs none.
    """
    entries = await register.find_all(db, users=list(counselors))
    stands = await standings.standings(db, entries=list(entries.values()), today=today)
    fit = [
        user
        for user, (_, standing) in stands.items()
        if not set(why_not(standing, credentials, today=today)) - {Why.FULL}
    ]
    caseloads = await talks.caseloads(db, counselors=fit, now=now)
    return {user: Able(entries[user], caseloads[user]) for user in fit}


async def open_desks(
    db: AsyncSession, credentials: Credentials, *, today: date, now: datetime
) -> list[UserId]:
    """Name the counselors to whom somebody can be sent now: open, there, able today, not in a talk."""
    return sorted(await able(db, credentials, counselors=await free(db, now=now), today=today, now=now))


async def _put(db: AsyncSession, counselor: UserId, since: datetime | None, now: datetime) -> None:
    values = {"open_since": since, "seen_at": now}
    await db.execute(
        insert_into(db, DeskRow)
        .values(counselor_id=counselor, **values)
        .on_conflict_do_update(index_elements=[DeskRow.counselor_id], set_=values)
    )
