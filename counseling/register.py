"""The register of counselors: who counsels here, with what right, and on which terms.

A counselor fills in the entry and hands it in; an admin verifies it against the proofs
(``counseling/decisions.py``). Whatever is verified takes the entry back to pending when it is changed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime

from sqlalchemy import delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.errors import InvalidState
from core.ids import UserId
from counseling import hours, rows
from counseling.credentials import Credentials
from counseling.entry import (
    Entry,
    Licence,
    Practice,
    blank,
    changed_fields,
    missing_proofs,
    practice_done,
    wrong_in,
)
from counseling.hours import Week
from counseling.register_tables import CounselorRow, DecisionRow
from counseling.verification import Event, State, after


class Unfinished(InvalidState):
    """An entry cannot be handed in: ``steps`` names what is to be finished first."""

    code = "unfinished"

    def __init__(self, steps: Sequence[str]) -> None:
        super().__init__(f"To be finished first: {', '.join(steps)}.")
        self.steps = tuple(steps)


async def find(db: AsyncSession, *, user: UserId) -> Entry | None:
    """Look an entry up; None for somebody who has not begun."""
    row = await db.get(CounselorRow, user, populate_existing=True)
    return None if row is None else rows.entry_of(row)


async def own(db: AsyncSession, *, user: UserId, now: datetime) -> Entry:
    """Give somebody's entry, a blank one before they begin. Writes nothing."""
    return await find(db, user=user) or blank(user, now)


async def find_all(db: AsyncSession, *, users: Sequence[UserId]) -> dict[UserId, Entry]:
    """Look several entries up; who has none is left out."""
    found = await db.scalars(select(CounselorRow).where(CounselorRow.user_id.in_(users)))
    return {UserId(row.user_id): rows.entry_of(row) for row in found}


async def change_licence(
    db: AsyncSession, audit: Audit, *, user: UserId, licence: Licence, now: datetime
) -> Entry:
    """Keep what is verified, as the counselor gives it; ``entry.wrong_in`` was asked before.

    A change takes a verified entry back to pending. Nothing changed does nothing.
    """
    row = await rows.begun(db, user, now)
    changed = changed_fields(rows.entry_of(row).licence, licence)
    if changed:
        rows.put_licence(row, licence)
        if "valid_until" in changed:
            row.warned_days = None
        await _verify_anew(db, audit, row, now, changed)
    return rows.entry_of(row)


async def proof_removed(db: AsyncSession, audit: Audit, *, user: UserId, now: datetime) -> None:
    """Note that a proof was taken away: what it proved has to be verified anew."""
    await _verify_anew(db, audit, await rows.begun(db, user, now), now, ("proof",))


async def _verify_anew(
    db: AsyncSession, audit: Audit, row: CounselorRow, now: datetime, what: Sequence[str]
) -> None:
    """Take an entry back to pending where it was verified. ``what`` names fields, never their values."""
    user, before = UserId(row.user_id), State(row.state)
    row.state = after(before, Event.CHANGE).value
    row.changed_at = now
    if before is State.VERIFIED:
        row.submitted_at = now
        rows.note(db, user, Event.CHANGE, by=user, on=now.date(), text="", now=now)
    await db.flush()
    detail = {"fields": " ".join(what)}
    await audit.append(db, tag="register:change", actor=user, subject=user, detail=detail, now=now)


async def change_practice(
    db: AsyncSession, audit: Audit, *, user: UserId, practice: Practice, now: datetime
) -> Entry:
    """Keep topics, media, card and the like: nothing of it is verified."""
    row = await rows.begun(db, user, now)
    if rows.entry_of(row).practice != practice:
        rows.put_practice(row, practice)
        await _changed_freely(db, audit, row, "practice", now)
    return rows.entry_of(row)


async def change_hours(
    db: AsyncSession,
    audit: Audit,
    *,
    user: UserId,
    week: Week,
    away_from: date | None,
    away_until: date | None,
    now: datetime,
) -> Entry:
    """Keep weekly hours and the days away, both ends in them."""
    row = await rows.begun(db, user, now)
    entry = rows.entry_of(row)
    if (entry.hours, entry.away_from, entry.away_until) != (tuple(sorted(week)), away_from, away_until):
        row.hours = hours.pack(week)
        row.away_from, row.away_until = away_from, away_until
        await _changed_freely(db, audit, row, "hours", now)
    return rows.entry_of(row)


async def _changed_freely(
    db: AsyncSession, audit: Audit, row: CounselorRow, what: str, now: datetime
) -> None:
    row.changed_at = now
    await db.flush()
    user = UserId(row.user_id)
    await audit.append(db, tag="register:change", actor=user, subject=user, detail={"fields": what}, now=now)


def unfinished(
    entry: Entry, credentials: Credentials, *, proofs: Sequence[str], today: date
) -> tuple[str, ...]:
    """Name the steps to be finished before an entry is handed in; ``proofs`` are kinds that are there."""
    steps = []
    if wrong_in(entry.licence, credentials, today=today):
        steps.append("licence")
    if not practice_done(entry.practice):
        steps.append("practice")
    kind = credentials.kind(entry.licence.kind)
    if kind is None or missing_proofs(kind, proofs):
        steps.append("proofs")
    return tuple(steps)


async def hand_in(
    db: AsyncSession, audit: Audit, credentials: Credentials, *, user: UserId, today: date, now: datetime
) -> Entry:
    """Hand an entry in to be verified. Raises ``Unfinished``, ``InvalidState``."""
    row = await rows.begun(db, user, now)
    state = after(State(row.state), Event.HAND_IN)
    proofs = [kind for _, kind in await rows.proofs_of(db, user)]
    if steps := unfinished(rows.entry_of(row), credentials, proofs=proofs, today=today):
        raise Unfinished(steps)
    row.state = state.value
    row.submitted_at = now
    rows.note(db, user, Event.HAND_IN, by=user, on=today, text="", now=now)
    await db.flush()
    await audit.append(db, tag="register:submit", actor=user, subject=user, now=now)
    return rows.entry_of(row)


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Delete a person's entry with what happened to it; their proofs go first (``proofs``)."""
    await db.execute(delete(DecisionRow).where(DecisionRow.user_id == user))
    await db.execute(delete(CounselorRow).where(CounselorRow.user_id == user))
