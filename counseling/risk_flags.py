"""The risk flag of a talk: what the triage found stands, until the counselor says otherwise.

A counselor raises it at any time and takes it down again; each step stands in the audit. When it is raised
the counselor's supervisors are told. While it stands a dropped line calls (``counseling/drops.py``), and what
the client prepared is kept for 72 hours.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from core.db import insert_into
from core.ids import UserId
from counseling import supervision
from counseling.drop_tables import RiskFlagRow
from counseling.talks import Talk
from counseling.triage import Risk
from counseling.way_tables import TalkRow, WalkinRow

NOTICE = "risk_flag"


async def stands(db: AsyncSession, *, talk: str) -> bool:
    """Whether a risk is seen in a talk."""
    said = await db.scalar(select(RiskFlagRow.stands).where(RiskFlagRow.talk_id == talk))
    if said is not None:
        return said
    risk = await db.scalar(
        select(WalkinRow.risk).join(TalkRow, TalkRow.walkin_id == WalkinRow.id).where(TalkRow.id == talk)
    )
    return risk is not None and risk != Risk.NONE.value


async def clients(db: AsyncSession) -> frozenset[UserId]:
    """Name the clients of the open talks in which a risk is seen."""
    rows = await db.scalars(
        select(TalkRow.client_id)
        .outerjoin(RiskFlagRow, RiskFlagRow.talk_id == TalkRow.id)
        .outerjoin(WalkinRow, WalkinRow.id == TalkRow.walkin_id)
        .where(
            TalkRow.ended_at.is_(None), func.coalesce(RiskFlagRow.stands, WalkinRow.risk != Risk.NONE.value)
        )
    )
    return frozenset(map(UserId, rows))


async def put(
    db: AsyncSession, audit: Audit, *, talk: Talk, counselor: UserId, raised: bool, today: date, now: datetime
) -> None:
    """Raise the flag, or take it down. As it stands already, nothing changes and nobody is told again."""
    await audit.hold(db)
    if await stands(db, talk=talk.id) is raised:
        return
    values = {"stands": raised, "put_by": counselor, "at": now}
    await db.execute(
        insert_into(db, RiskFlagRow)
        .values(talk_id=talk.id, **values)
        .on_conflict_do_update(index_elements=[RiskFlagRow.talk_id], set_=values)
    )
    tag = "risk:raise" if raised else "risk:lower"
    await audit.append(db, tag=tag, actor=counselor, subject=talk.client, object_id=talk.id, now=now)
    if raised:
        found = await supervision.supervisors(db, counselors=[talk.counselor], day=today)
        told = found.get(talk.counselor, set())
        await notices.post_all(db, users=sorted(told), kind=NOTICE, once=True, now=now)
