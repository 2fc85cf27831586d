"""Walk-ins: a client's wish to talk now, from the asking to the talk; their states are ``walkin_states``.

Every change here but a sign of life begins with ``audit.hold``: whoever changes the line has it to themselves
until the commit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from core.db import insert_into
from core.errors import InvalidState, NotFound
from core.ids import UserId, new_id
from counseling.entry import Medium
from counseling.triage import Risk, Suitability, Triage, raised
from counseling.walkin_states import Alone, Ended, Event, State, Walkin, after, medium_for
from counseling.way_tables import TalkRow, WalkinRow

RETENTION: Final = timedelta(days=90)
"""Ended walk-ins are deleted then; reports count them before."""
OTHER_TOPIC: Final = "other"
"""The topic of whoever was not asked for one: in danger nobody is."""


async def ask(
    db: AsyncSession,
    audit: Audit,
    *,
    client: Person,
    language: str,
    topic: str,
    medium: Medium,
    alone: Alone,
    triage: Triage,
    region: str | None = None,
    prefers: UserId | None = None,
    now: datetime,
) -> Walkin:
    """Ask for a talk now. Who asked already keeps the place; what they answered anew is taken over.

    A risk that was said before stays. Raises ``InvalidState`` while a talk is going on.
    """
    await audit.hold(db)
    answers: dict[str, object] = {
        "language": language,
        "topic": topic,
        "medium": medium_for(medium, alone).value,
        "alone": alone.value,
        "adult": client.adult,
        "region": region,
        "prefers_id": prefers,
    }
    if await db.scalar(select(TalkRow.id).where(TalkRow.client_id == client.id, TalkRow.ended_at.is_(None))):
        raise InvalidState("You are talking with somebody already.")
    row = await _open_row(db, client.id)
    if row is None:
        made = await _insert(db, client.id, answers, triage, now)
        await _append(db, audit, made, "walkin:ask", actor=client.id, now=now)
        return made
    before = walkin_of(row)
    for name, value in answers.items():
        setattr(row, name, value)
    _put_triage(row, raised(before.triage, triage))
    row.seen_at, row.ended_why = now, None
    changed = walkin_of(row)
    await db.flush()
    if replace(changed, seen_at=before.seen_at, ended_why=before.ended_why) != before:
        await _append(db, audit, changed, "walkin:change", actor=client.id, now=now)
    return changed


async def beside(
    db: AsyncSession,
    audit: Audit,
    *,
    client: Person,
    language: str,
    topic: str,
    medium: Medium,
    triage: Triage,
    begun_at: datetime,
    now: datetime,
) -> Walkin:
    """Make the walk-in of a talk that came from an appointment, when danger is said in it; nobody waited."""
    answers: dict[str, object] = {
        "language": language,
        "topic": topic,
        "medium": medium.value,
        "alone": Alone.UNSURE.value,
        "adult": client.adult,
    }
    made = await _insert(db, client.id, answers, triage, begun_at, state=State.TALKING)
    await _append(db, audit, made, "walkin:ask", actor=client.id, now=now)
    return made


async def find_open(db: AsyncSession, *, client: UserId) -> Walkin | None:
    """Look a client's open walk-in up."""
    row = await _open_row(db, client)
    return None if row is None else walkin_of(row)


async def in_line(db: AsyncSession) -> list[Walkin]:
    """List who waits or is being offered, urgent first, then the longest waiting; not whose place is held."""
    rows = await db.scalars(
        select(WalkinRow)
        .where(
            WalkinRow.state.in_([State.WAITING.value, State.OFFERED.value]),
            WalkinRow.ended_at.is_(None),
            WalkinRow.ended_why.is_(None),
        )
        .order_by(WalkinRow.risk != Risk.URGENT.value, WalkinRow.asked_at, WalkinRow.id)
    )
    return [walkin_of(row) for row in rows]


async def get(db: AsyncSession, *, walkin: str) -> Walkin:
    """Look a walk-in up, also one that has ended. Raises ``NotFound``."""
    return walkin_of(await row_of(db, walkin))


async def seen(db: AsyncSession, *, walkin: str, now: datetime) -> None:
    """Note that the client is there: their page was opened. Also after a quick exit."""
    await db.execute(
        update(WalkinRow)
        .where(WalkinRow.id == walkin, WalkinRow.ended_at.is_(None))
        .values(seen_at=now, ended_why=None)
        .execution_options(synchronize_session=False)
    )


async def seen_all(db: AsyncSession, *, clients: Sequence[UserId], now: datetime) -> None:
    """Note that these clients' pages live, all in one step; a place held after a quick exit stays held."""
    for start in range(0, len(clients), 500):
        await db.execute(
            update(WalkinRow)
            .where(
                WalkinRow.client_id.in_(clients[start : start + 500]),
                WalkinRow.ended_at.is_(None),
                WalkinRow.ended_why.is_(None),
            )
            .values(seen_at=now)
            .execution_options(synchronize_session=False)
        )


async def retriage(
    db: AsyncSession, audit: Audit, *, walkin: str, triage: Triage, now: datetime
) -> Walkin:  # fmt: skip
    """Take over what the intake found. It may raise the risk and never lowers what was said before.

    Raises ``NotFound``, ``InvalidState`` when the walk-in has ended.
    """
    await audit.hold(db)
    row = await row_of(db, walkin)
    before = walkin_of(row)
    if before.state is State.ENDED:
        raise InvalidState("This walk-in has ended.")
    joined = raised(before.triage, triage)
    if joined == before.triage:
        return before
    _put_triage(row, joined)
    await db.flush()
    await _append(db, audit, walkin_of(row), "walkin:triage", actor=before.client, now=now)
    return walkin_of(row)


async def wait_for(
    db: AsyncSession, audit: Audit, *, walkin: str, counselor: UserId | None, waits: bool, now: datetime
) -> Walkin:
    """Keep whom the client would rather talk to, and whether they wait for them as long as it takes."""
    await audit.hold(db)
    row = await row_of(db, walkin)
    if row.ended_at is not None:
        raise InvalidState("This walk-in has ended.")
    row.prefers_id, row.waits_for_preferred = counselor, waits and counselor is not None
    await db.flush()
    await _append(db, audit, walkin_of(row), "walkin:change", actor=UserId(row.client_id), now=now)
    return walkin_of(row)


async def leave(db: AsyncSession, audit: Audit, *, walkin: str, why: Ended, now: datetime) -> Walkin:
    """Leave the line. A quick exit holds the place instead; what has ended stays as it is.

    While a talk is going on a quick exit is only noted, for when nobody comes to it; anything else raises
    ``InvalidState``: that ends by itself (``talks.end``). Raises ``NotFound``.
    """
    await audit.hold(db)
    row = await row_of(db, walkin)
    state = State(row.state)
    if state is State.ENDED:
        return walkin_of(row)
    if state is State.TALKING and why is not Ended.QUICK_EXIT:
        raise InvalidState("A talk has begun.")
    if why is Ended.QUICK_EXIT:
        if state is State.OFFERED:
            release(row)
        row.ended_why = why.value
        await db.flush()
    else:
        await end_row(db, row, why, now)
    actor = None if why is Ended.ABSENT else UserId(row.client_id)
    await _append(db, audit, walkin_of(row), "walkin:leave", actor=actor, now=now)
    return walkin_of(row)


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Delete walk-ins that ended longer ago than ``RETENTION``."""
    await db.execute(
        delete(WalkinRow).where(
            WalkinRow.state == State.ENDED.value,
            WalkinRow.asked_at < now - RETENTION,
            WalkinRow.ended_at < now - RETENTION,
        )
    )


# What follows is for the files of the line, which hold it (``audit.hold``) before they ask.


async def row_of(db: AsyncSession, walkin: str) -> WalkinRow:
    """Give a row as it is now. Raises ``NotFound``."""
    row = await db.get(WalkinRow, walkin, populate_existing=True)
    if row is None:
        raise NotFound("There is no such walk-in.")
    return row


def release(row: WalkinRow) -> None:
    """Take an offer back; the place is kept."""
    row.state = after(State(row.state), Event.RELEASE).value
    row.offered_to = None


async def end_row(db: AsyncSession, row: WalkinRow, why: Ended, now: datetime) -> None:
    """End a walk-in."""
    row.state = after(State(row.state), Event.END).value
    row.offered_to = None
    row.ended_at, row.ended_why = now, why.value
    await db.flush()


def walkin_of(row: WalkinRow) -> Walkin:
    """Read a row."""
    return Walkin(
        id=row.id,
        client=UserId(row.client_id),
        state=State(row.state),
        language=row.language,
        topic=row.topic,
        medium=Medium(row.medium),
        alone=Alone(row.alone),
        adult=row.adult,
        triage=Triage(Risk(row.risk), Suitability(row.suitability), tuple(row.reasons)),
        region=row.region,
        prefers=None if row.prefers_id is None else UserId(row.prefers_id),
        waits_for_preferred=row.waits_for_preferred,
        passed=tuple(map(UserId, row.passed)),
        asked_at=row.asked_at,
        seen_at=row.seen_at,
        offered_to=None if row.offered_to is None else UserId(row.offered_to),
        offered_at=row.offered_at,
        ended_at=row.ended_at,
        ended_why=None if row.ended_why is None else Ended(row.ended_why),
    )


async def _open_row(db: AsyncSession, client: UserId) -> WalkinRow | None:
    found = await db.scalars(
        select(WalkinRow)
        .where(WalkinRow.client_id == client, WalkinRow.ended_at.is_(None))
        .execution_options(populate_existing=True)
    )
    return found.one_or_none()


async def _insert(
    db: AsyncSession,
    client: UserId,
    answers: Mapping[str, object],
    triage: Triage,
    now: datetime,
    *,
    state: State = State.WAITING,
) -> Walkin:
    values = {
        **answers,
        "id": new_id("w"),
        "client_id": client,
        "state": state.value,
        "risk": triage.risk.value,
        "suitability": triage.suitability.value,
        "reasons": list(triage.reasons),
        "waits_for_preferred": False,
        "passed": [],
        "asked_at": now,
        "seen_at": now,
    }
    row = (await db.scalars(insert_into(db, WalkinRow).values(values).returning(WalkinRow))).one()
    return walkin_of(row)


def _put_triage(row: WalkinRow, triage: Triage) -> None:
    row.risk, row.suitability = triage.risk.value, triage.suitability.value
    row.reasons = list(triage.reasons)


async def _append(
    db: AsyncSession, audit: Audit, walkin: Walkin, tag: str, *, actor: UserId | None, now: datetime
) -> None:
    """Write down what happened; of the answers only what the way itself needs."""
    detail: dict[str, str | int | bool] = {"state": walkin.state.value, "risk": walkin.triage.risk.value}
    if walkin.ended_why is not None:
        detail["why"] = walkin.ended_why.value
    await audit.append(
        db, tag=tag, actor=actor, subject=walkin.client, object_id=walkin.id, detail=detail,
        now=now,
    )  # fmt: skip
