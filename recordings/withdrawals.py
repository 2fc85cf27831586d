"""After the end: what exists of somebody's sessions, and taking a consent back.

A client's withdrawal begins the destruction of what is there. A counselor's closes a recording to everybody;
it is destroyed after ``records.OBJECTION`` unless the client holds it for a complaint. What still records is
stopped by whoever calls, before.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from core.errors import InvalidState, NotFound
from core.ids import ParticipantId, SessionId, UserId
from recordings import ending, records
from recordings.consent_steps import Why
from recordings.retention import Why as Reason
from recordings.states import Side, State
from recordings.tables import RecordingAgreementRow, RecordingRow, RecordingSideRow

OVER = (State.DESTROYING.value, State.DESTROYED.value)


@dataclass(frozen=True, slots=True)
class Own:
    """One recording, as one of the two in it sees it."""

    id: str
    session: SessionId | None
    state: State
    side: Side
    other: UserId | None
    started_at: datetime
    ended_at: datetime | None
    open_from: datetime | None
    expires_at: datetime
    closed_at: datetime | None
    held_at: datetime | None
    destroyed_at: datetime | None
    backups_until: datetime | None

    @property
    def may_withdraw(self) -> bool:
        """Whether there is still something to take back."""
        if self.state in {State.DESTROYING, State.DESTROYED}:
            return False
        return self.side is Side.CLIENT or self.closed_at is None

    @property
    def may_hold(self) -> bool:
        """Whether a client may ask to keep it for a complaint: only what would be destroyed otherwise."""
        there = self.state not in {State.DESTROYING, State.DESTROYED}
        return there and self.side is Side.CLIENT and self.closed_at is not None and self.held_at is None


async def of_person(db: AsyncSession, *, user: UserId) -> list[Own]:
    """List the recordings that somebody is in, the newest first; for that person."""
    rows = await db.scalars(
        select(RecordingRow)
        .where(or_(RecordingRow.client_user == user, RecordingRow.counselor_user == user))
        .order_by(RecordingRow.started_at.desc(), RecordingRow.id)
        .execution_options(populate_existing=True)
    )
    return [_own(row, user) for row in rows]


async def own(db: AsyncSession, *, recording: str, user: UserId) -> Own:
    """Look one up for somebody in it. Raises ``NotFound``."""
    row = await db.get(RecordingRow, recording, populate_existing=True)
    if row is None or user not in {row.client_user, row.counselor_user}:
        raise NotFound("There is no such recording.")
    return _own(row, user)


async def place_of(db: AsyncSession, *, recording: str, user: UserId) -> ParticipantId:
    """Name the place in which somebody is in a recording. Raises ``NotFound``."""
    side = (await own(db, recording=recording, user=user)).side
    row = await db.get_one(RecordingSideRow, (recording, side.value))
    return ParticipantId(row.participant_id)


async def recording_now(db: AsyncSession, *, client: UserId) -> list[ParticipantId]:
    """Name the places in which a client is being recorded now."""
    rows = await db.scalars(
        select(RecordingSideRow.participant_id)
        .join(RecordingRow, RecordingRow.id == RecordingSideRow.recording_id)
        .where(
            RecordingRow.client_user == client,
            RecordingRow.state == State.RECORDING.value,
            RecordingSideRow.side == Side.CLIENT.value,
        )
    )
    return [ParticipantId(one) for one in rows]


async def latest(db: AsyncSession, *, session: SessionId) -> tuple[str, State] | None:
    """Name the newest recording of a session, and say where it stands."""
    row = await db.scalar(
        select(RecordingRow)
        .where(RecordingRow.session_id == session)
        .order_by(RecordingRow.started_at.desc(), RecordingRow.id)
        .limit(1)
    )
    return None if row is None else (row.id, State(row.state))


async def withdraw(db: AsyncSession, audit: Audit, *, participant: ParticipantId, now: datetime) -> list[str]:
    """Take back the consent of a place to all that is there of its session; gives which recordings.

    Raises ``InvalidState`` while one of them still records: stop it first.
    """
    return await _withdraw(db, audit, RecordingSideRow.participant_id == participant, now=now)


async def withdraw_ended(
    db: AsyncSession, audit: Audit, *, participant: ParticipantId, now: datetime
) -> list[str]:
    """As ``withdraw``, but to what has ended alone: what still records is taken back with its own end."""
    return await _withdraw(
        db,
        audit,
        RecordingSideRow.participant_id == participant,
        RecordingRow.state != State.RECORDING.value,
        now=now,
    )


async def withdraw_one(
    db: AsyncSession, audit: Audit, *, recording: str, user: UserId, now: datetime
) -> list[str]:
    """Take one's consent to one recording back. Raises ``NotFound``, ``InvalidState``."""
    side = (await own(db, recording=recording, user=user)).side
    return await _withdraw(
        db, audit, RecordingRow.id == recording, RecordingSideRow.side == side.value, now=now
    )


async def withdraw_all(db: AsyncSession, audit: Audit, *, client: UserId, now: datetime) -> list[str]:
    """Take a client's consent back to all that is there: they withdrew it as a whole."""
    return await _withdraw(
        db,
        audit,
        RecordingRow.client_user == client,
        RecordingSideRow.side == Side.CLIENT.value,
        now=now,
    )


async def hold(db: AsyncSession, audit: Audit, *, recording: str, user: UserId, now: datetime) -> None:
    """Keep for a complaint what would be destroyed. Raises ``NotFound``, and ``InvalidState``."""
    await audit.hold(db)
    if not (await own(db, recording=recording, user=user)).may_hold:
        raise InvalidState("There is nothing to be kept.")
    row = await db.get_one(RecordingRow, recording, populate_existing=True)
    row.held_at = now
    await db.flush()
    await audit.append(db, tag="recording:hold", actor=user, subject=user, object_id=recording, now=now)


async def _withdraw(db: AsyncSession, audit: Audit, *which: ColumnElement[bool], now: datetime) -> list[str]:
    await audit.hold(db)
    rows = await db.execute(
        select(RecordingRow, RecordingSideRow)
        .join(RecordingSideRow, RecordingSideRow.recording_id == RecordingRow.id)
        .where(RecordingRow.state.not_in(OVER), *which)
        .order_by(RecordingRow.started_at)
        .execution_options(populate_existing=True)
    )
    done = []
    for row, side in rows.all():
        if row.state == State.RECORDING.value:
            raise InvalidState("It is still being recorded.")
        if Side(side.side) is Side.COUNSELOR and row.closed_at is not None:
            continue
        await _take_back(db, audit, row, side, now)
        done.append(row.id)
    return done


async def _take_back(
    db: AsyncSession, audit: Audit, row: RecordingRow, side: RecordingSideRow, now: datetime
) -> None:
    given = await db.scalar(
        select(RecordingAgreementRow)
        .where(
            RecordingAgreementRow.session_id == row.session_id,
            RecordingAgreementRow.participant_id == side.participant_id,
            RecordingAgreementRow.granted,
        )
        .order_by(RecordingAgreementRow.number.desc())
        .limit(1)
    )
    seat = None
    if given is not None:
        seat = records.seat_of(given)
        await records.agree(
            db, audit, seat=seat, granted=False, terms=records.terms_of(given), why=Why.WITHDREW, now=now
        )
    if Side(side.side) is Side.COUNSELOR:
        await records.close(db, row, now)
        await db.flush()
        return
    actor = None if seat is None else seat.user
    await ending.begin(db, audit, recording=row.id, why=Reason.WITHDRAWN, actor=actor, now=now)


def _own(row: RecordingRow, user: UserId) -> Own:
    side = Side.CLIENT if row.client_user == user else Side.COUNSELOR
    other = row.counselor_user if side is Side.CLIENT else row.client_user
    return Own(
        id=row.id,
        session=None if row.session_id is None else SessionId(row.session_id),
        state=State(row.state),
        side=side,
        other=None if other is None else UserId(other),
        started_at=row.started_at,
        ended_at=row.ended_at,
        open_from=row.open_from,
        expires_at=row.expires_at,
        closed_at=row.closed_at,
        held_at=row.held_at,
        destroyed_at=row.destroyed_at,
        backups_until=row.backups_until,
    )
