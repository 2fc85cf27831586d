"""Receipts of agreements to be recorded: rows of the ledger in the shape that ``accounts/receipts.py`` signs.

Where no login opened the place, the receipt names the place instead of a person.
"""

from __future__ import annotations

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.standing import Entry
from accounts.texts import Kind
from core.errors import NotFound
from core.ids import ParticipantId, SessionId, UserId
from recordings.tables import RecordingAgreementRow, RecordingRow

PAGE = "/room"
"""Where the text was shown: in the room, or beside the question before it."""


async def of_person(db: AsyncSession, *, user: UserId, session: SessionId) -> list[Entry]:
    """List what somebody agreed to and took back in one session, the oldest first; for that person."""
    rows = await db.scalars(
        select(RecordingAgreementRow)
        .where(RecordingAgreementRow.user == user, RecordingAgreementRow.session_id == session)
        .order_by(RecordingAgreementRow.number)
    )
    return [_entry(row) for row in rows]


async def without_recording(db: AsyncSession, *, user: UserId) -> list[Entry]:
    """List what somebody agreed to and took back where no recording of theirs is, the newest first.

    Nothing was recorded in the end, or the session is gone; for that person.
    """
    theirs = select(RecordingRow.session_id).where(
        RecordingRow.session_id.is_not(None),
        or_(RecordingRow.client_user == user, RecordingRow.counselor_user == user),
    )
    rows = await db.scalars(
        select(RecordingAgreementRow)
        .where(RecordingAgreementRow.user == user, RecordingAgreementRow.session_id.not_in(theirs))
        .order_by(RecordingAgreementRow.number.desc())
    )
    return [_entry(row) for row in rows]


async def of_place(db: AsyncSession, *, session: SessionId, participant: ParticipantId) -> list[Entry]:
    """List what was agreed to and taken back in one place of a session, the oldest first."""
    rows = await db.scalars(
        select(RecordingAgreementRow)
        .where(
            RecordingAgreementRow.session_id == session,
            RecordingAgreementRow.participant_id == participant,
        )
        .order_by(RecordingAgreementRow.number)
    )
    return [_entry(row) for row in rows]


async def entry(db: AsyncSession, *, receipt: str) -> Entry:
    """Look a row up by its receipt's id. Raises ``NotFound``."""
    row = await db.scalar(select(RecordingAgreementRow).where(RecordingAgreementRow.id == receipt))
    if row is None:
        raise NotFound("There is no such receipt.")
    return _entry(row)


async def with_others(db: AsyncSession, *, receipt: str) -> tuple[Entry, list[Entry]]:
    """Look a row up with all of the same place in the same session. Raises ``NotFound``."""
    found = await entry(db, receipt=receipt)
    row = await db.get_one(RecordingAgreementRow, found.number)
    place = (SessionId(row.session_id), ParticipantId(row.participant_id))
    return found, await of_place(db, session=place[0], participant=place[1])


def _entry(row: RecordingAgreementRow) -> Entry:
    return Entry(
        number=row.number,
        id=row.id,
        user=UserId(row.user or row.participant_id),
        kind=Kind.RECORDING,
        given=row.granted,
        version=row.version,
        locale=row.locale,
        sha256=row.sha256,
        at=row.at,
        page=PAGE,
    )
