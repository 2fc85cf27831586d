"""Rows of a recording that is being made: agreements, its beginning, its growth, its end.

Each function belongs into one transaction of the caller, audit and all. What comes after the end is in
``recordings/withdrawals.py``, and finishing and destroying have files of their own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, cast

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from core.ids import ParticipantId, SessionId, UserId, new_id
from recordings import states
from recordings.consent import WITHDRAWN
from recordings.consent_steps import Terms, Why
from recordings.states import Ending, Event, Side, SideState, State
from recordings.tables import (
    RecordingAgreementRow,
    RecordingPauseRow,
    RecordingRequestRow,
    RecordingRow,
    RecordingSideRow,
)

OBJECTION: Final = timedelta(days=14)
"""How long a client may object, once the counselor took the consent back, before it is destroyed."""


@dataclass(frozen=True, slots=True)
class Seat:
    """Who sits on one side of a session. ``user`` is None where no login opens the place."""

    session: SessionId
    participant: ParticipantId
    side: Side
    user: UserId | None


@dataclass(frozen=True, slots=True)
class Times:
    """How long things wait: ``hold`` from the end to a first opening, ``keep`` to the destruction.

    ``program_keep`` is ``keep`` in the session of a program, where no login opens the client's place.
    """

    hold: timedelta
    keep: timedelta
    program_keep: timedelta

    def kept(self, client: Seat) -> timedelta:
        """Say how long the recording of a session is kept."""
        return self.program_keep if client.user is None else self.keep


@dataclass(frozen=True, slots=True)
class Growth:
    """How far one side's log is on disk: ``head`` is the hash over its records, hex."""

    recording: str
    side: Side
    records: int
    head: str
    bytes: int
    until_ms: int


_SIDES: Final = cast("Table", RecordingSideRow.__table__)
_GREW: Final = update(_SIDES).where(
    _SIDES.c.recording_id == bindparam("of"),
    _SIDES.c.side == bindparam("whose"),
    _SIDES.c.records <= bindparam("reached"),
)


async def agree(
    db: AsyncSession, audit: Audit, *, seat: Seat, granted: bool, terms: Terms, why: Why, now: datetime
) -> str:
    """Add a line to the ledger of agreements; gives the id of its receipt."""
    receipt = new_id("c")
    await db.execute(
        insert(RecordingAgreementRow).values(
            id=receipt,
            session_id=seat.session,
            participant_id=seat.participant,
            user=seat.user,
            side=seat.side.value,
            granted=granted,
            version=terms.version,
            locale=terms.locale,
            sha256=terms.sha256,
            at=now,
            why=why.value,
        )
    )
    await audit.append(
        db,
        tag="recording:agree" if granted else "recording:withdraw",
        actor=seat.user,
        subject=await _known(db, audit, seat.user),
        object_id=receipt,
        detail={"version": terms.version, "locale": terms.locale, "why": why.value},
        now=now,
    )
    return receipt


async def ask(db: AsyncSession, *, session: SessionId, open_: bool, now: datetime) -> None:
    """Keep that somebody was asked in the room; not ``open_``: they agreed, and it does not count."""
    await db.execute(delete(RecordingRequestRow).where(RecordingRequestRow.session_id == session))
    if open_:
        await db.execute(insert(RecordingRequestRow).values(session_id=session, at=now))


async def was_asked(db: AsyncSession, *, session: SessionId) -> bool:
    """Whether somebody was asked in this session, and it did not come to a recording."""
    return await db.get(RecordingRequestRow, session, populate_existing=True) is not None


async def has_agreed(db: AsyncSession, *, session: SessionId) -> bool:
    """Whether anybody ever agreed in this session."""
    found = select(RecordingAgreementRow.id).where(RecordingAgreementRow.session_id == session).limit(1)
    return await db.scalar(found) is not None


async def begin(
    db: AsyncSession,
    audit: Audit,
    *,
    recording: str,
    seats: Mapping[Side, Seat],
    times: Times,
    now: datetime,
) -> None:
    """Write a recording down, with the day on which it is destroyed at the latest."""
    client, counselor = seats[Side.CLIENT], seats[Side.COUNSELOR]
    await db.execute(
        insert(RecordingRow).values(
            id=recording,
            session_id=client.session,
            state=State.RECORDING.value,
            client_user=client.user,
            counselor_user=counselor.user,
            started_at=now,
            expires_at=now + times.kept(client),
        )
    )
    await db.execute(
        insert(RecordingSideRow),
        [
            {
                "recording_id": recording,
                "side": seat.side.value,
                "participant_id": seat.participant,
                "state": SideState.LOG.value,
                "records": 0,
                "bytes": 0,
                "until_ms": 0,
                "tries": 0,
            }
            for seat in seats.values()
        ],
    )
    await audit.append(
        db, tag="recording:start", actor=None, subject=client.user, object_id=recording, now=now
    )


async def grew(db: AsyncSession, growths: Iterable[Growth]) -> None:
    """Keep how far logs are, so that a tail that was cut off is told from a short session.

    What is known of a longer log stays. Rows are taken in one order: no two of these wait for each other.
    """
    rows = [
        {
            "of": one.recording,
            "whose": one.side.value,
            "reached": one.records,
            "records": one.records,
            "head": one.head,
            "bytes": one.bytes,
            "until_ms": one.until_ms,
        }
        for one in sorted(growths, key=lambda one: (one.recording, one.side))
    ]
    if rows:
        await (await db.connection()).execute(_GREW, rows)


async def off_record(
    db: AsyncSession, audit: Audit, *, recording: str, seat: Seat, off: bool, at_ms: int, now: datetime
) -> None:
    """Keep where a time off the record begins, or ends."""
    if off:
        await db.execute(
            insert(RecordingPauseRow).values(recording_id=recording, by=seat.side.value, from_ms=at_ms)
        )
        await audit.append(
            db, tag="recording:pause", actor=seat.user, subject=seat.user, object_id=recording, now=now
        )
        return
    await db.execute(
        update(RecordingPauseRow)
        .where(
            RecordingPauseRow.recording_id == recording,
            RecordingPauseRow.by == seat.side.value,
            RecordingPauseRow.to_ms.is_(None),
        )
        .values(to_ms=at_ms)
        .execution_options(synchronize_session=False)
    )


async def finish(
    db: AsyncSession, audit: Audit, *, recording: str, reason: Ending, times: Times, now: datetime
) -> None:
    """Write the end down. A client's withdrawal also begins the destruction; a counselor's closes it."""
    await audit.hold(db)
    row = await db.get(RecordingRow, recording, populate_existing=True)
    if row is None or State(row.state) is not State.RECORDING:
        return
    row.state = states.after(State.RECORDING, Event.END).value
    row.reason, row.ended_at, row.open_from = reason.value, now, now + times.hold
    if reason is Ending.WITHDRAWN_CLIENT:
        row.state = states.after(State(row.state), Event.DESTROY).value
    elif reason is Ending.WITHDRAWN_COUNSELOR:
        await close(db, row, now)
    await db.flush()
    await audit.append(
        db,
        tag="recording:stop",
        actor=None,
        subject=await _known(db, audit, row.client_user),
        object_id=recording,
        detail={"reason": reason.value},
        now=now,
    )


async def close(db: AsyncSession, row: RecordingRow, now: datetime) -> None:
    """Let nobody open it any more, destroy it when the time for an objection is over, and tell the client."""
    row.closed_at = now
    row.expires_at = min(row.expires_at, now + OBJECTION)
    if row.client_user is not None:
        days = {"days": str(OBJECTION.days)}
        await notices.post(db, user=UserId(row.client_user), kind="recording_closed", places=days, now=now)


async def end_crashed(
    db: AsyncSession,
    audit: Audit,
    *,
    going_on: Collection[SessionId],
    withdrew: Callable[[str], Side | None],
    times: Times,
    now: datetime,
) -> list[str]:
    """End what a server that is gone was recording, and let its consents fall; gives which.

    To be called before the first session is entered: nobody is recorded by a consent of before. ``going_on``
    are sessions that have not ended, and ``withdrew`` says who took a consent back that is not in the rows.
    """
    await audit.hold(db)
    found = list(await db.scalars(select(RecordingRow).where(RecordingRow.state == State.RECORDING.value)))
    sides = {row.id: withdrew(row.id) for row in found}
    withdrawn = {row.session_id: sides[row.id] for row in found}
    for session in {*going_on, *(SessionId(row.session_id) for row in found if row.session_id is not None)}:
        for seat, terms in await _standing(db, session):
            why = Why.WITHDREW if withdrawn.get(session) is seat.side else Why.CRASH
            await agree(db, audit, seat=seat, granted=False, terms=terms, why=why, now=now)
    for row in found:
        side = sides[row.id]
        reason = Ending.CRASH if side is None else WITHDRAWN[side]
        await finish(db, audit, recording=row.id, reason=reason, times=times, now=now)
    return [row.id for row in found]


async def _known(db: AsyncSession, audit: Audit, user: str | None) -> UserId | None:
    """Give a person whom the audit still knows: one who was erased meanwhile stops no end of a recording."""
    if user is None:
        return None
    key = (await audit.subjects.keys_of(db, subjects=[UserId(user)])).get(UserId(user), b"")
    return None if key is None else UserId(user)


async def _standing(db: AsyncSession, session: SessionId) -> list[tuple[Seat, Terms]]:
    """List whose latest line of the ledger grants, in one session."""
    rows = await db.scalars(
        select(RecordingAgreementRow)
        .where(RecordingAgreementRow.session_id == session)
        .order_by(RecordingAgreementRow.number)
    )
    last = {row.side: row for row in rows}
    return [(seat_of(row), terms_of(row)) for row in last.values() if row.granted]


def seat_of(row: RecordingAgreementRow) -> Seat:
    """Say who a line of the ledger is of."""
    user = None if row.user is None else UserId(row.user)
    return Seat(SessionId(row.session_id), ParticipantId(row.participant_id), Side(row.side), user)


def terms_of(row: RecordingAgreementRow) -> Terms:
    """Say which text a line of the ledger names."""
    return Terms(row.version, row.locale, row.sha256)
