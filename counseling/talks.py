"""Talks: one client with one counselor, in a session or in person, from the taking to the end.

A client has one open talk, and so has a counselor; the database refuses a second (``way_tables``). Whoever
begins one is out of the line: their walk-in is being talked about, and what was offered to the counselor goes
back to waiting.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from core.db import insert_into
from core.errors import InvalidState, NotFound
from core.ids import SessionId, UserId, new_id
from counseling import walkin_states, walkins
from counseling.entry import Medium
from counseling.triage import Triage
from counseling.walkin_states import Ended, Event, State, Walkin
from counseling.way_tables import TalkRow, WalkinRow

CASELOAD_DAYS: Final = timedelta(days=30)
"""A client belongs to a counselor's caseload this long after their last talk began."""


class Taken(InvalidState):
    """Somebody else was first: the client talks, or is offered to somebody else, or has left."""

    code = "taken"


class Busy(InvalidState):
    """This counselor talks with somebody already."""

    code = "busy"


@dataclass(frozen=True, slots=True)
class Talk:
    """One talk. ``session`` is None in person, and until the session is made; ``reasons`` are the match's.

    ``shares_history``: the client lets this counselor see what they told others before.
    """

    id: str
    walkin: str | None
    client: UserId
    counselor: UserId
    session: SessionId | None
    medium: Medium
    reasons: tuple[str, ...]
    shares_history: bool
    begun_at: datetime
    ended_at: datetime | None

    def other(self, user: UserId) -> UserId:
        """Say who talks with this person."""
        return self.counselor if user == self.client else self.client


async def begin(
    db: AsyncSession,
    audit: Audit,
    *,
    client: UserId,
    counselor: UserId,
    medium: Medium,
    walkin: str | None = None,
    appointment: str | None = None,
    reasons: Sequence[str],
    shares_history: bool = False,
    now: datetime,
) -> Talk:
    """Begin a talk, from a walk-in or an appointment. Raises ``Taken``, ``Busy``, ``InvalidState``.

    Whoever decided on it from the line holds the line already (``audit.hold``). A client with an appointment
    leaves the line.
    """
    await audit.hold(db)
    waiting = None if walkin is None else await walkins.row_of(db, walkin)
    if waiting is not None:
        waiting.state = walkin_states.after(State(waiting.state), Event.TAKE).value
        waiting.offered_to = None
        waiting.ended_why = None
    values = {
        "id": new_id("t"),
        "walkin_id": walkin,
        "client_id": client,
        "counselor_id": counselor,
        "session_id": None,
        "medium": medium.value,
        "reasons": list(reasons),
        "shares_history": shares_history,
        "begun_at": now,
    }
    made = await db.scalars(
        insert_into(db, TalkRow).values(values).on_conflict_do_nothing().returning(TalkRow)
    )
    row = made.one_or_none()
    if row is None:
        if await open_of_counselor(db, counselor=counselor):
            raise Busy("You are talking with somebody else.")
        raise Taken("This client is talking with somebody else.")
    others = await db.scalars(
        select(WalkinRow)
        .where((WalkinRow.offered_to == counselor) | (WalkinRow.client_id == client))
        .where(WalkinRow.ended_at.is_(None), WalkinRow.id != (walkin or ""))
        .execution_options(populate_existing=True)
    )
    for other in others.all():
        if other.client_id == client:
            await walkins.end_row(db, other, Ended.TALKED, now)
        else:
            walkins.release(other)
    await db.flush()
    detail = {"counselor": counselor, "medium": medium.value}
    detail |= {"walkin": walkin} if walkin else {}
    detail |= {"appointment": appointment} if appointment else {}
    await audit.append(
        db, tag="talk:begin", actor=counselor, subject=client, object_id=row.id, detail=detail, now=now
    )
    return _talk(row)


async def walkin_of(
    db: AsyncSession,
    audit: Audit,
    *,
    talk: Talk,
    client: Person,
    language: str,
    triage: Triage,
    now: datetime,
) -> Walkin:
    """Give the walk-in of a talk that goes on, with this triage taken in; an appointment's talk gets one."""
    await audit.hold(db)
    row = await _row(db, talk.id)
    if row.walkin_id is not None:
        return await walkins.retriage(db, audit, walkin=row.walkin_id, triage=triage, now=now)
    made = await walkins.beside(
        db,
        audit,
        client=client,
        language=language,
        topic=walkins.OTHER_TOPIC,
        medium=talk.medium,
        triage=triage,
        begun_at=talk.begun_at,
        now=now,
    )
    row.walkin_id = made.id
    await db.flush()
    return made


async def miss(db: AsyncSession, audit: Audit, *, talk: str, now: datetime) -> Talk:
    """End a talk whose counselor did not come: the client waits again, where they stood.

    Ended before, it stays as it is. Raises ``NotFound``.
    """
    await audit.hold(db)
    row = await _row(db, talk)
    if row.ended_at is not None:
        return _talk(row)
    row.ended_at = now
    if row.walkin_id is not None:
        walkin = await walkins.row_of(db, row.walkin_id)
        walkins.release(walkin)
        # A room gives the line no sign of life; who left quickly gives none.
        if walkin.ended_why is None:
            walkin.seen_at = now
    await db.flush()
    client, detail = UserId(row.client_id), {"counselor": row.counselor_id}
    await audit.append(
        db, tag="talk:miss", actor=None, subject=client, object_id=talk, detail=detail, now=now
    )
    return _talk(row)


async def set_session(db: AsyncSession, *, talk: str, session: SessionId) -> bool:
    """Keep the session that a talk meets in; False when it has one already, or has ended."""
    done = await db.scalar(
        update(TalkRow)
        .where(TalkRow.id == talk, TalkRow.session_id.is_(None), TalkRow.ended_at.is_(None))
        .values(session_id=session)
        .returning(TalkRow.id)
        .execution_options(synchronize_session=False)
    )
    return done is not None


async def share_history(db: AsyncSession, audit: Audit, *, talk: str, shares: bool, now: datetime) -> Talk:
    """Keep whether the client lets this counselor see what they told others before."""
    await audit.hold(db)
    row = await _row(db, talk)
    if row.shares_history is not shares:
        row.shares_history = shares
        await db.flush()
        client = UserId(row.client_id)
        detail: dict[str, str | int | bool] = {"counselor": row.counselor_id, "shares": shares}
        await audit.append(
            db, tag="talk:share", actor=client, subject=client, object_id=talk, detail=detail, now=now
        )
    return _talk(row)


async def end(db: AsyncSession, audit: Audit, *, talk: str, now: datetime) -> Talk:
    """End a talk, and the walk-in it came from. Ended before, it stays as it is. Raises ``NotFound``."""
    await audit.hold(db)
    row = await _row(db, talk)
    if row.ended_at is not None:
        return _talk(row)
    row.ended_at = now
    if row.walkin_id is not None:
        walkin = await walkins.row_of(db, row.walkin_id)
        if walkin.ended_at is None:
            await walkins.end_row(db, walkin, Ended.TALKED, now)
    await db.flush()
    client = UserId(row.client_id)
    await audit.append(db, tag="talk:end", actor=None, subject=client, object_id=talk, now=now)
    return _talk(row)


async def get(db: AsyncSession, *, talk: str) -> Talk:
    """Look a talk up. Raises ``NotFound``."""
    return _talk(await _row(db, talk))


async def open_of_client(db: AsyncSession, *, client: UserId) -> Talk | None:
    """Look up the talk that a client is in."""
    return await _one(db, TalkRow.client_id == client, TalkRow.ended_at.is_(None))


async def open_of_counselor(db: AsyncSession, *, counselor: UserId) -> Talk | None:
    """Look up the talk that a counselor is in."""
    return await _one(db, TalkRow.counselor_id == counselor, TalkRow.ended_at.is_(None))


async def of_session(db: AsyncSession, *, session: SessionId) -> Talk | None:
    """Look up the talk that meets in a session; None for the session of a program."""
    return await _one(db, TalkRow.session_id == session)


async def last_of_client(db: AsyncSession, *, client: UserId) -> Talk | None:
    """Look up a client's last talk, also one that goes on."""
    return await _one(db, TalkRow.client_id == client)


async def count_of_client(db: AsyncSession, *, client: UserId) -> int:
    """Count a client's talks, the open one too."""
    return await db.scalar(select(func.count()).select_from(TalkRow).where(TalkRow.client_id == client)) or 0


async def all_open(db: AsyncSession) -> list[Talk]:
    """List the talks that go on."""
    rows = await db.scalars(select(TalkRow).where(TalkRow.ended_at.is_(None)).order_by(TalkRow.begun_at))
    return [_talk(row) for row in rows]


async def of_counselor(db: AsyncSession, *, counselor: UserId, since: datetime) -> list[Talk]:
    """List a counselor's talks that began since a moment, the newest first."""
    rows = await db.scalars(
        select(TalkRow)
        .where(TalkRow.counselor_id == counselor, TalkRow.begun_at > since)
        .order_by(TalkRow.begun_at.desc(), TalkRow.id)
    )
    return [_talk(row) for row in rows]


async def of_client(db: AsyncSession, *, client: UserId) -> list[Talk]:
    """List a client's talks, the newest first; for that client (for others see ``histories``)."""
    rows = await db.scalars(
        select(TalkRow).where(TalkRow.client_id == client).order_by(TalkRow.begun_at.desc(), TalkRow.id)
    )
    return [_talk(row) for row in rows]


async def caseloads(
    db: AsyncSession, *, counselors: Sequence[UserId], now: datetime
) -> Mapping[UserId, frozenset[UserId]]:
    """Name the clients of each of these counselors: who talked with them in the last 30 days."""
    found: dict[UserId, set[UserId]] = {counselor: set() for counselor in counselors}
    rows = await db.execute(
        select(TalkRow.counselor_id, TalkRow.client_id)
        .where(TalkRow.counselor_id.in_(counselors), TalkRow.begun_at > now - CASELOAD_DAYS)
        .distinct()
    )
    for counselor, client in rows:
        found[UserId(counselor)].add(UserId(client))
    return {counselor: frozenset(clients) for counselor, clients in found.items()}


async def _row(db: AsyncSession, talk: str) -> TalkRow:
    row = await db.get(TalkRow, talk, populate_existing=True)
    if row is None:
        raise NotFound("There is no such talk.")
    return row


async def _one(db: AsyncSession, *which: ColumnElement[bool]) -> Talk | None:
    row = await db.scalar(
        select(TalkRow)
        .where(*which)
        .order_by(TalkRow.begun_at.desc())
        .limit(1)
        .execution_options(populate_existing=True)
    )
    return None if row is None else _talk(row)


def _talk(row: TalkRow) -> Talk:
    return Talk(
        id=row.id,
        walkin=row.walkin_id,
        client=UserId(row.client_id),
        counselor=UserId(row.counselor_id),
        session=None if row.session_id is None else SessionId(row.session_id),
        medium=Medium(row.medium),
        reasons=tuple(row.reasons),
        shares_history=row.shares_history,
        begun_at=row.begun_at,
        ended_at=row.ended_at,
    )
