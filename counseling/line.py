"""What counselors and clients do in the line: take a client, let a turn go by, end a talk, go for good.

Each of these begins with ``audit.hold``, so that of all that is clicked at once one is first, and the others
decide on what is so by then.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Permission
from core.errors import Forbidden, InvalidState
from core.ids import UserId
from counseling import desks, exclusions, lineup, matching, talks, turns, walkins
from counseling.lineup import Rules
from counseling.matching import Candidate
from counseling.talks import Busy, Taken, Talk
from counseling.triage import Risk
from counseling.walkin_states import Ended, State, Walkin
from counseling.way_tables import WalkinRow


class Absent(InvalidState):
    """The client does not show a sign of life: nobody would be there. They keep their place."""

    code = "absent"


class Unfit(InvalidState):
    """This client may not be sent to this counselor (any more)."""

    code = "unfit"


async def accept(
    db: AsyncSession,
    audit: Audit,
    rules: Rules,
    *,
    counselor: Person,
    walkin: str,
    on_duty: bool = False,
    now: datetime,
) -> Talk:
    """Take a client: the one offered, or any in danger who fits. ``on_duty``: in danger, whatever else fits.

    Raises ``Taken``, ``Busy``, ``Absent``, ``Unfit``, ``Forbidden``. Who is in danger is taken also when
    absent: they may come back to a page that calls them in. Who left by the quick exit is left alone.
    """
    if counselor.is_leaving or not counselor.may(Permission.DUTY if on_duty else Permission.SERVE):
        raise Forbidden("This is not open to you.")
    await audit.hold(db)
    asked = walkins.walkin_of(await walkins.row_of(db, walkin))
    if asked.state not in {State.WAITING, State.OFFERED}:
        raise Taken("Somebody else was first, or the client has left.")
    urgent = asked.triage.risk is Risk.URGENT
    if not urgent and asked.offered_to != counselor.id:
        raise Taken("This client is not offered to you any more.")
    if await talks.open_of_counselor(db, counselor=counselor.id):
        raise Busy("You are talking with somebody else.")
    if asked.is_held or (not urgent and not asked.is_present(now)):
        raise Absent("The client is not there just now.")
    reasons: tuple[str, ...] = (matching.Reason.URGENT.value,)
    if await exclusions.excludes(db, client=asked.client, counselor=counselor.id):
        raise Unfit("This client cannot be sent to you.")
    if not (urgent and on_duty):
        reasons = await why(db, rules, walkin=asked.id, counselor=counselor.id, now=now)
    return await talks.begin(
        db,
        audit,
        client=asked.client,
        counselor=counselor.id,
        medium=asked.medium,
        walkin=walkin,
        reasons=reasons,
        now=now,
    )


async def pass_on(
    db: AsyncSession,
    audit: Audit,
    *,
    counselor: UserId,
    walkin: str,
    recuse: bool = False,
    now: datetime,
) -> None:
    """Let a turn go by; ``recuse``: never this client. No reason is asked. Raises ``Taken``."""
    await audit.hold(db)
    row = await walkins.row_of(db, walkin)
    if row.offered_to != counselor or row.state != State.OFFERED.value:
        raise Taken("This client is not offered to you any more.")
    turns.put_by(row)
    await db.flush()
    # The counselor's own: the client's history does not say who let them go by.
    await audit.append(db, tag="walkin:pass", actor=counselor, subject=counselor, object_id=walkin, now=now)
    if recuse:
        await exclusions.recuse(db, audit, counselor=counselor, client=UserId(row.client_id), now=now)


async def end_talk(db: AsyncSession, audit: Audit, *, person: Person, talk: str, now: datetime) -> Talk:
    """End a talk that one is in; whoever calls ends its session too. Raises ``Forbidden``."""
    found = await talks.get(db, talk=talk)
    if person.id not in {found.client, found.counselor}:
        raise Forbidden("This is not your talk.")
    return await talks.end(db, audit, talk=talk, now=now)


async def depart(db: AsyncSession, audit: Audit, *, user: UserId, now: datetime) -> Talk | None:
    """Take somebody who leaves the service out of the line at once, from either side.

    Gives the talk that ended by it; whoever calls ends its session.
    """
    await audit.hold(db)
    talk = await talks.open_of_client(db, client=user) or await talks.open_of_counselor(db, counselor=user)
    if talk is not None:
        talk = await talks.end(db, audit, talk=talk.id, now=now)
    walkin = await walkins.find_open(db, client=user)
    if walkin is not None:
        await walkins.leave(db, audit, walkin=walkin.id, why=Ended.LEFT, now=now)
    await desks.close_desk(db, audit, counselor=user, now=now)
    for row in await db.scalars(select(WalkinRow).where(WalkinRow.offered_to == user)):
        walkins.release(row)
    await db.flush()
    return talk


async def offer_to(db: AsyncSession, *, counselor: UserId, now: datetime) -> Walkin | None:
    """Give whom a counselor is offered now."""
    row = await db.scalar(
        select(WalkinRow)
        .where(WalkinRow.offered_to == counselor, WalkinRow.offered_at > now - turns.TURN)
        .execution_options(populate_existing=True)
    )
    return None if row is None else walkins.walkin_of(row)


async def offers(db: AsyncSession, *, now: datetime) -> dict[UserId, Walkin]:
    """Say whom each counselor is offered now."""
    rows = await db.scalars(
        select(WalkinRow).where(WalkinRow.offered_to.is_not(None), WalkinRow.offered_at > now - turns.TURN)
    )
    return {UserId(row.offered_to): walkins.walkin_of(row) for row in rows if row.offered_to is not None}


async def why(
    db: AsyncSession, rules: Rules, *, walkin: str, counselor: UserId, now: datetime
) -> tuple[str, ...]:
    """Say why these two may talk, looked at anew; words of ``matching.Reason``. Raises ``Unfit``."""
    one = await lineup.one(db, walkin=walkin)
    there: dict[UserId, Candidate] = {}
    candidate = await lineup.candidate(db, rules.credentials, counselor=counselor)
    if candidate is not None:
        there[counselor] = candidate
        await lineup.checked(db, rules, there, [counselor], now=now)
    if one is None or counselor not in there or not matching.fits(one, there[counselor]):
        raise Unfit("This client cannot be sent to you.")
    return matching.reasons(one, there[counselor])
