"""Rows of the register as they are read and begun; nobody outside this package sees one."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import insert_into
from core.errors import NotFound
from core.ids import UserId, new_id
from counseling import hours
from counseling.entry import Entry, Licence, Practice
from counseling.register_tables import CounselorRow, DecisionRow, ProofFileRow
from counseling.verification import Event, State


def entry_of(row: CounselorRow) -> Entry:
    """Read a row."""
    return Entry(
        user=UserId(row.user_id),
        state=State(row.state),
        submitted_at=row.submitted_at,
        created_at=row.created_at,
        changed_at=row.changed_at,
        warned_days=row.warned_days,
        licence=Licence(
            kind=row.kind,
            licence_number=row.licence_number,
            issuing_body=row.issuing_body,
            licence_region=row.licence_region,
            valid_until=row.valid_until,
            degree=row.degree,
            background_checked_on=row.background_checked_on,
            shown_name=row.shown_name,
            title=row.title,
        ),
        practice=Practice(
            about=row.about,
            languages=tuple(row.languages),
            topics=tuple(row.topics),
            media=tuple(row.media),
            minors=row.minors,
            capacity=row.capacity,
            reply_hours=row.reply_hours,
            recusals=tuple(row.recusals),
        ),
        hours=hours.unpack(row.hours),
        away_from=row.away_from,
        away_until=row.away_until,
    )


def put_licence(row: CounselorRow, licence: Licence) -> None:
    """Write what is verified into a row."""
    row.kind = licence.kind
    row.licence_number = licence.licence_number
    row.issuing_body = licence.issuing_body
    row.licence_region = licence.licence_region
    row.valid_until = licence.valid_until
    row.degree = licence.degree
    row.background_checked_on = licence.background_checked_on
    row.shown_name = licence.shown_name
    row.title = licence.title


def put_practice(row: CounselorRow, practice: Practice) -> None:
    """Write what is the counselor's own into a row."""
    row.about = practice.about
    row.languages = list(practice.languages)
    row.topics = list(practice.topics)
    row.media = list(practice.media)
    row.minors = practice.minors
    row.capacity = practice.capacity
    row.reply_hours = practice.reply_hours
    row.recusals = list(practice.recusals)


async def locked(db: AsyncSession, user: UserId) -> CounselorRow | None:
    """Give a row that nobody else changes until the commit (on SQLite nobody does anyway)."""
    found = await db.scalars(
        select(CounselorRow)
        .where(CounselorRow.user_id == user)
        .with_for_update()
        .execution_options(populate_existing=True)
    )
    return found.one_or_none()


async def begun(db: AsyncSession, user: UserId, now: datetime) -> CounselorRow:
    """Give a row to be changed; a new one for somebody who has not begun. Of two at once, one waits here."""
    row = await locked(db, user)
    if row is not None:
        return row
    made = CounselorRow(
        user_id=user,
        state=State.DRAFT.value,
        submitted_at=None,
        created_at=now,
        changed_at=now,
        warned_days=None,
        hours=[],
        away_from=None,
        away_until=None,
    )
    put_licence(made, Licence())
    put_practice(made, Practice())
    values = {column.key: getattr(made, column.key) for column in CounselorRow.__table__.columns}
    await db.execute(insert_into(db, CounselorRow).values(values).on_conflict_do_nothing())
    row = await locked(db, user)
    if row is None:
        raise NotFound("There is no such person.")
    return row


async def proofs_of(db: AsyncSession, user: UserId) -> list[tuple[str, str]]:
    """List somebody's proofs as (id, kind)."""
    rows = await db.execute(select(ProofFileRow.id, ProofFileRow.kind).where(ProofFileRow.user_id == user))
    return [(proof, kind) for proof, kind in rows]


def note(
    db: AsyncSession, user: UserId, event: Event, *, by: UserId, on: date, text: str, now: datetime
) -> None:
    """Keep what happened to a verification."""
    db.add(
        DecisionRow(
            id=new_id("d"),
            user_id=user,
            decision=event.value,
            decided_by=by,
            decided_on=on,
            note=text,
            at=now,
        )
    )
