"""Incidents: what happened to whose data, the clock of 72 hours, and telling those whom it affects.

Law 27/2022 (PDP), article 46: at most three days after it is known, the person and the agency are told in
writing which data, when and how, and what is done about it. The clock starts when it was known.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from core.db import insert_into
from core.errors import InvalidInput, InvalidState, NotFound
from core.ids import UserId, new_id
from counseling.duty_tables import IncidentNoteRow, IncidentPersonRow, IncidentRow

WITHIN: Final = timedelta(hours=72)
AT_ONCE: Final = 500
MAX_TITLE_CHARS: Final = 200
MAX_TEXT_CHARS: Final = 4000


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident. ``affected`` and ``told`` count people; ``reported_at`` is when the agency was told."""

    id: str
    title: str
    what_id: str
    what_en: str
    since: datetime
    until: datetime
    known_at: datetime
    reported_at: datetime | None
    closed_at: datetime | None
    affected: int
    told: int

    @property
    def deadline(self) -> datetime:
        """Up to when everybody must have been told."""
        return self.known_at + WITHIN

    def left(self, now: datetime) -> timedelta | None:
        """Say how much time is left, negative when it has passed; None when all is told, or it is closed."""
        done = self.told >= self.affected and self.reported_at is not None
        return None if done or self.closed_at is not None else self.deadline - now


@dataclass(frozen=True, slots=True)
class Note:
    """One line of an incident's log; ``author`` None is the command line."""

    text: str
    author: UserId | None
    at: datetime


async def open_incident(
    db: AsyncSession,
    audit: Audit,
    *,
    title: str,
    what_id: str,
    what_en: str,
    since: datetime,
    until: datetime,
    known_at: datetime,
    users: Iterable[UserId],
    now: datetime,
) -> Incident:
    """Open an incident that affects these people; nobody is told yet. Raises ``InvalidInput``."""
    if not 0 < len(title) <= MAX_TITLE_CHARS or "\n" in title:
        raise InvalidInput(f"A title has 1 to {MAX_TITLE_CHARS} characters in one line.")
    if not all(0 < len(what) <= MAX_TEXT_CHARS for what in (what_id, what_en)):
        raise InvalidInput(f"What happened is told in 1 to {MAX_TEXT_CHARS} characters.")
    if not since <= until <= now or not since <= known_at <= now:
        raise InvalidInput("An incident begins before it ends or is known, and neither lies in the future.")
    await audit.hold(db)
    number = new_id("i")
    db.add(
        IncidentRow(
            id=number,
            title=title,
            what_id=what_id,
            what_en=what_en,
            since=since,
            until=until,
            known_at=known_at,
            reported_at=None,
            closed_at=None,
        )
    )
    await db.flush()
    affected = sorted(set(users))
    for start in range(0, len(affected), AT_ONCE):
        rows = [
            {"incident_id": number, "user_id": user, "told_at": None}
            for user in affected[start : start + AT_ONCE]
        ]
        await db.execute(insert_into(db, IncidentPersonRow).values(rows).on_conflict_do_nothing())
    await _written_down(
        db, audit, "incident:open", number, actor=None, detail={"affected": len(affected)}, now=now
    )
    return await get(db, number=number)


async def tell(
    db: AsyncSession,
    audit: Audit,
    *,
    number: str,
    since: tuple[str, str],
    until: tuple[str, str],
    now: datetime,
) -> int:
    """Put the notice into the inboxes of those who have none yet; gives how many.

    ``since`` and ``until`` are the two moments as people read them, Indonesian and English.
    """
    await audit.hold(db)
    incident = await get(db, number=number)
    if incident.closed_at is not None:
        raise InvalidState("This incident is closed.")
    owed = [
        UserId(user)
        for user in await db.scalars(
            select(IncidentPersonRow.user_id).where(
                IncidentPersonRow.incident_id == number, IncidentPersonRow.told_at.is_(None)
            )
        )
    ]
    places = {
        "what@id": incident.what_id,
        "what@en": incident.what_en,
        "since@id": since[0],
        "since@en": since[1],
        "until@id": until[0],
        "until@en": until[1],
    }
    await notices.post_all(db, users=owed, kind="incident", places=places, now=now)
    await db.execute(
        update(IncidentPersonRow)
        .where(IncidentPersonRow.incident_id == number, IncidentPersonRow.told_at.is_(None))
        .values(told_at=now)
    )
    if owed:
        await _written_down(
            db, audit, "incident:tell", number, actor=None, detail={"told": len(owed)}, now=now
        )
    return len(owed)


async def note(
    db: AsyncSession, audit: Audit, *, number: str, text: str, author: UserId | None, now: datetime
) -> None:
    """Add a line to the log. Raises ``NotFound``, ``InvalidInput``."""
    await audit.hold(db)
    await get(db, number=number)
    if not 0 < len(text.strip()) <= MAX_TEXT_CHARS:
        raise InvalidInput(f"A note has 1 to {MAX_TEXT_CHARS} characters.")
    db.add(IncidentNoteRow(id=new_id("n"), incident_id=number, author_id=author, text=text.strip(), at=now))
    await db.flush()
    await _written_down(db, audit, "incident:note", number, actor=author, now=now)


async def report(
    db: AsyncSession, audit: Audit, *, number: str, author: UserId | None, now: datetime
) -> None:
    """Record that the agency was told; the first time stands."""
    await audit.hold(db)
    await get(db, number=number)
    await db.execute(
        update(IncidentRow)
        .where(IncidentRow.id == number, IncidentRow.reported_at.is_(None))
        .values(reported_at=now)
    )
    await _written_down(db, audit, "incident:report", number, actor=author, now=now)


async def close(db: AsyncSession, audit: Audit, *, number: str, author: UserId | None, now: datetime) -> None:
    """Close an incident. Raises ``InvalidState`` while somebody, or the agency, was not told."""
    await audit.hold(db)
    incident = await get(db, number=number)
    if incident.told < incident.affected:
        raise InvalidState("Not everybody whom it affects was told.")
    if incident.reported_at is None:
        raise InvalidState("It was not recorded that the agency was told.")
    await db.execute(
        update(IncidentRow)
        .where(IncidentRow.id == number, IncidentRow.closed_at.is_(None))
        .values(closed_at=now)
    )
    await _written_down(db, audit, "incident:close", number, actor=author, now=now)


async def every(db: AsyncSession) -> list[Incident]:
    """List all incidents, the open ones first, then the newest."""
    return await _read(db, None)


async def get(db: AsyncSession, *, number: str) -> Incident:
    """Look an incident up. Raises ``NotFound``."""
    found = await _read(db, number)
    if not found:
        raise NotFound("There is no such incident.")
    return found[0]


async def notes(db: AsyncSession, *, numbers: Sequence[str]) -> dict[str, list[Note]]:
    """List the logs of incidents, each from its beginning."""
    found: dict[str, list[Note]] = {number: [] for number in numbers}
    rows = await db.scalars(
        select(IncidentNoteRow)
        .where(IncidentNoteRow.incident_id.in_(numbers))
        .order_by(IncidentNoteRow.at, IncidentNoteRow.id)
    )
    for row in rows:
        author = None if row.author_id is None else UserId(row.author_id)
        found[row.incident_id].append(Note(row.text, author, row.at))
    return found


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Forget that somebody was affected."""
    await db.execute(delete(IncidentPersonRow).where(IncidentPersonRow.user_id == user))


async def _read(db: AsyncSession, number: str | None) -> list[Incident]:
    counts = (
        select(
            IncidentPersonRow.incident_id,
            func.count().label("affected"),
            func.count(IncidentPersonRow.told_at).label("told"),
        )
        .group_by(IncidentPersonRow.incident_id)
        .subquery()
    )
    wanted = (
        select(IncidentRow, counts.c.affected, counts.c.told)
        .outerjoin(counts, counts.c.incident_id == IncidentRow.id)
        .order_by(IncidentRow.closed_at.is_not(None), IncidentRow.known_at.desc(), IncidentRow.id)
        .execution_options(populate_existing=True)
    )
    if number is not None:
        wanted = wanted.where(IncidentRow.id == number)
    return [
        Incident(
            row.id,
            row.title,
            row.what_id,
            row.what_en,
            row.since,
            row.until,
            row.known_at,
            row.reported_at,
            row.closed_at,
            affected or 0,
            told or 0,
        )
        for row, affected, told in await db.execute(wanted)
    ]


async def _written_down(
    db: AsyncSession,
    audit: Audit,
    tag: str,
    number: str,
    *,
    actor: UserId | None,
    detail: dict[str, str | int | bool] | None = None,
    now: datetime,
) -> None:
    await audit.append(db, tag=tag, actor=actor, subject=None, object_id=number, detail=detail, now=now)
