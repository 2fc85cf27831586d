"""What an admin decides about an entry: verify, refuse, withdraw, each with a date and a note."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Permission
from core.errors import Forbidden, InvalidState, NotFound
from core.ids import UserId
from counseling import rows
from counseling.entry import Entry, fingerprint
from counseling.register_tables import CounselorRow, DecisionRow
from counseling.verification import DECISIONS, Event, after

MIN_NOTE_CHARS: Final = 3
MAX_NOTE_CHARS: Final = 1_000
SHOWN: Final = 50


class Overtaken(InvalidState):
    """The entry changed while somebody looked at it."""

    code = "overtaken"


@dataclass(frozen=True, slots=True)
class Decision:
    """One step of a verification; ``decided_by`` is None when that account was erased."""

    event: Event
    decided_by: UserId | None
    decided_on: date
    note: str
    at: datetime


async def seen(db: AsyncSession, *, user: UserId) -> str:
    """Name exactly what an admin sees now; to be given back to ``decide``."""
    row = await db.get(CounselorRow, user, populate_existing=True)
    if row is None:
        raise NotFound("There is no such entry.")
    return await _fingerprint(db, rows.entry_of(row))


async def decide(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    user: UserId,
    event: Event,
    saw: str,
    on: date,
    note: str,
    now: datetime,
) -> Entry:
    """Decide about an entry. ``saw`` is what ``seen`` said when the admin looked at it.

    Raises ``Forbidden``, ``NotFound``, ``Overtaken``, ``InvalidState``; then nothing was changed.
    """
    if not person.may(Permission.VERIFY_COUNSELOR) or person.id == user:
        raise Forbidden("Nobody verifies themselves, and only an admin others.")
    if event not in DECISIONS:
        raise InvalidState("An admin verifies, refuses or withdraws.")
    row = await rows.locked(db, user)
    if row is None:
        raise NotFound("There is no such entry.")
    entry = rows.entry_of(row)
    state = after(entry.state, event)
    if await _fingerprint(db, entry) != saw:
        raise Overtaken("The entry was changed while you looked at it.")
    row.state = state.value
    rows.note(db, user, event, by=person.id, on=on, text=note, now=now)
    await db.flush()
    detail = {"on": on.isoformat(), "note": note}
    tag = f"register:{event.value}"
    await audit.append(db, tag=tag, actor=person.id, subject=user, detail=detail, now=now)
    return rows.entry_of(row)


async def of(db: AsyncSession, *, user: UserId) -> list[Decision]:
    """List what happened to a verification, the newest first."""
    found = await db.scalars(
        select(DecisionRow)
        .where(DecisionRow.user_id == user)
        .order_by(DecisionRow.at.desc(), DecisionRow.id)
        .limit(SHOWN)
    )
    return [
        Decision(
            Event(row.decision),
            None if row.decided_by is None else UserId(row.decided_by),
            row.decided_on,
            row.note,
            row.at,
        )
        for row in found
    ]


async def _fingerprint(db: AsyncSession, entry: Entry) -> str:
    return fingerprint(entry.licence, [proof for proof, _ in await rows.proofs_of(db, entry.user)])
