"""Appointments: booked, moved, cancelled, begun, and what became of them.

Nobody is in two at once: each takes every five minutes of its time for both people, and a counselor's rest
after it, and the database has each five minutes of a person once (``appointment_tables``). Whoever books,
moves or cancels holds the audit first, so limits that are counted still hold at the commit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement, delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from core.db import insert_into
from core.errors import InvalidState, NotFound
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from counseling.appointment_states import (
    AHEAD,
    MOST_IN_A_WEEK,
    MOST_OPEN,
    NOTICE,
    OPEN,
    WEEK,
    By,
    Event,
    State,
    after,
    may_cancel,
    may_move,
)
from counseling.appointment_tables import AppointmentRow, AppointmentTimeRow
from counseling.entry import Medium
from counseling.slots import STEP, Slot, Terms

RETENTION: Final = timedelta(days=90)
"""This long after it ended, nothing of an appointment is left."""
MAX_WORDS_CHARS: Final = 1000


class Taken(InvalidState):
    """Somebody else has this time by now, or one of the two is in another appointment."""

    code = "taken"


class TooManyBooked(InvalidState):
    """The client has as many appointments as one may have."""

    code = "too_many_booked"


class TooLate(InvalidState):
    """It begins too soon, or has begun, or was moved too often."""

    code = "too_late"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is booked. ``place`` is where to come, empty unless in person; ``zone`` is the client's."""

    counselor: UserId
    slot: Slot
    medium: Medium
    topic: str
    language: str
    place: str
    zone: str


@dataclass(frozen=True, slots=True)
class Appointment:
    """One appointment. ``moves`` are the client's; ``ended_by`` is who cancelled or did not come."""

    id: str
    client: UserId
    counselor: UserId
    state: State
    medium: Medium
    topic: str
    language: str
    place: str
    zone: str
    slot: Slot
    changed_at: datetime
    sequence: int
    moves: int
    talk: str | None
    ended_at: datetime | None
    ended_by: By | None
    has_words: bool

    def can_cancel(self, now: datetime) -> bool:
        """Whether it can still be cancelled."""
        return may_cancel(self.state, starts_at=self.slot.since, now=now)

    def can_move(self, now: datetime) -> bool:
        """Whether the client can still move it."""
        return may_move(self.state, starts_at=self.slot.since, moves=self.moves, now=now)


async def book(
    db: AsyncSession, audit: Audit, *, client: UserId, wish: Wish, terms: Terms, now: datetime
) -> Appointment:
    """Book a time that ``booking`` offered. Raises ``Taken``, ``TooManyBooked``, ``TooLate``."""
    await audit.hold(db)
    _in_time(wish.slot, now)
    if len(await open_of_client(db, client=client)) >= MOST_OPEN or await _booked_lately(db, client, now) >= (
        MOST_IN_A_WEEK
    ):
        raise TooManyBooked("This is as many as one may book.")
    number = new_id("a")
    row = AppointmentRow(
        id=number,
        client_id=client,
        counselor_id=wish.counselor,
        state=State.BOOKED.value,
        medium=wish.medium.value,
        topic=wish.topic,
        language=wish.language,
        place=wish.place,
        zone=wish.zone,
        starts_at=wish.slot.since,
        ends_at=wish.slot.until,
        booked_at=now,
        changed_at=now,
        sequence=0,
        moves=0,
        day_told_at=None,
        soon_told_at=None,
        talk_id=None,
        ended_at=None,
        ended_by=None,
        words=None,
    )
    db.add(row)
    await db.flush()
    await _take_time(db, row, terms)
    await _note(db, audit, "appointment:book", row, actor=client, now=now)
    await notices.post(db, user=wish.counselor, kind="appointment_booked", now=now)
    return _appointment(row)


async def move(
    db: AsyncSession,
    audit: Audit,
    *,
    appointment: str,
    client: UserId,
    wish: Wish,
    terms: Terms,
    now: datetime,
) -> Appointment:
    """Give a client's own appointment another time, and perhaps another counselor.

    Raises ``NotFound``, ``TooLate``, ``Taken``.
    """
    await audit.hold(db)
    row = await _own(db, appointment, AppointmentRow.client_id == client)
    if not _appointment(row).can_move(now):
        raise TooLate("This appointment cannot be moved any more.")
    _in_time(wish.slot, now)
    row.state = after(State(row.state), Event.MOVE).value
    before = UserId(row.counselor_id)
    row.counselor_id, row.medium, row.place = wish.counselor, wish.medium.value, wish.place
    row.topic, row.zone = wish.topic, wish.zone
    row.starts_at, row.ends_at = wish.slot.since, wish.slot.until
    row.moves += 1
    row.day_told_at = row.soon_told_at = None
    _changed(row, now)
    await _free_time(db, [row.id])
    await _take_time(db, row, terms)
    await _note(db, audit, "appointment:move", row, actor=client, now=now)
    await notices.post_all(db, users=sorted({before, wish.counselor}), kind="appointment_moved", now=now)
    return _appointment(row)


async def cancel(
    db: AsyncSession, audit: Audit, *, appointment: str, client: UserId, now: datetime
) -> Appointment:
    """Cancel a client's own appointment, without a reason. Raises ``NotFound``, ``TooLate``."""
    await audit.hold(db)
    row = await _own(db, appointment, AppointmentRow.client_id == client)
    await _cancel(db, audit, row, By.CLIENT, actor=client, now=now)
    await notices.post(db, user=UserId(row.counselor_id), kind="appointment_cancelled_by_client", now=now)
    return _appointment(row)


async def call_off(
    db: AsyncSession, audit: Audit, *, appointment: str, counselor: UserId, words: str, now: datetime
) -> Appointment:
    """Cancel as the counselor, with words for the client, kept sealed. Raises ``NotFound``, ``TooLate``."""
    await audit.hold(db)
    row = await _own(db, appointment, AppointmentRow.counselor_id == counselor)
    if words:
        key = await audit.subjects.key_of(db, subject=UserId(row.client_id))
        row.words = seal(key, words.encode(), about=_about(row.id))
    await _cancel(db, audit, row, By.COUNSELOR, actor=counselor, now=now)
    await notices.post(db, user=UserId(row.client_id), kind="appointment_cancelled", now=now)
    return _appointment(row)


async def words_of(db: AsyncSession, audit: Audit, *, appointment: str, client: UserId) -> str:
    """Open what the counselor wrote on cancelling, for the client; empty for nothing."""
    row = await _own(db, appointment, AppointmentRow.client_id == client)
    if row.words is None:
        return ""
    key = await audit.subjects.key_of(db, subject=client)
    return unseal(key, row.words, about=_about(row.id)).decode()


async def begin(db: AsyncSession, audit: Audit, *, appointment: str, talk: str, now: datetime) -> Appointment:
    """Note that an appointment's time has come and its talk has begun."""
    return await _become(db, audit, appointment, Event.BEGIN, talk=talk, now=now)


async def finish(db: AsyncSession, audit: Audit, *, appointment: str, now: datetime) -> Appointment:
    """Note that an appointment took place and is over."""
    return await _become(db, audit, appointment, Event.END, now=now)


async def miss(db: AsyncSession, audit: Audit, *, appointment: str, by: By, now: datetime) -> Appointment:
    """Note that somebody did not come, and tell both kindly."""
    missed = await _become(db, audit, appointment, Event.MISS, by=by, now=now)
    to_client = "appointment_missed" if by is By.CLIENT else "appointment_missed_by_us"
    await notices.post(db, user=missed.client, kind=to_client, now=now)
    await notices.post(db, user=missed.counselor, kind="appointment_not_met", now=now)
    return missed


async def get(
    db: AsyncSession, *, appointment: str, client: UserId | None = None, counselor: UserId | None = None
) -> Appointment:
    """Look up an appointment of somebody. Raises ``NotFound``, also for one that is not theirs."""
    whose = AppointmentRow.client_id == client if client else AppointmentRow.counselor_id == counselor
    return _appointment(await _own(db, appointment, whose))


async def open_of_client(db: AsyncSession, *, client: UserId) -> list[Appointment]:
    """List what a client has before them, the soonest first."""
    return await _listed(db, AppointmentRow.client_id == client, _is_open())


async def ended_of_client(db: AsyncSession, *, client: UserId, since: datetime) -> list[Appointment]:
    """List what ended or was cancelled since a moment, the newest first."""
    found = await _listed(db, AppointmentRow.client_id == client, AppointmentRow.ended_at >= since)
    return sorted(found, key=lambda one: (one.ended_at or one.changed_at, one.id), reverse=True)


async def of_counselor(
    db: AsyncSession, *, counselor: UserId, since: datetime, until: datetime
) -> list[Appointment]:
    """List a counselor's appointments that begin in a time, those that ended too, the soonest first."""
    return await _listed(
        db,
        AppointmentRow.counselor_id == counselor,
        AppointmentRow.starts_at >= since,
        AppointmentRow.starts_at < until,
    )


async def open_of_counselors(
    db: AsyncSession, *, counselors: Sequence[UserId]
) -> dict[UserId, list[Appointment]]:
    """List what several counselors have before them, the soonest first; who has nothing is left out."""
    found: dict[UserId, list[Appointment]] = {}
    for one in await _listed(db, AppointmentRow.counselor_id.in_(counselors), _is_open()):
        found.setdefault(one.counselor, []).append(one)
    return found


async def booked(db: AsyncSession) -> list[Appointment]:
    """List all that has not begun, the soonest first."""
    return await _listed(db, AppointmentRow.state == State.BOOKED.value)


async def due(db: AsyncSession, *, now: datetime) -> list[Appointment]:
    """List what should begin by now and has not, the oldest first."""
    booked = AppointmentRow.state == State.BOOKED.value
    return await _listed(db, booked, AppointmentRow.starts_at <= now)


async def begun(db: AsyncSession) -> list[Appointment]:
    """List what has begun and is not over, the oldest first."""
    return await _listed(db, AppointmentRow.state == State.BEGUN.value)


async def soon(db: AsyncSession, *, now: datetime, within: timedelta) -> set[UserId]:
    """Name the counselors whose next appointment begins within a while: nobody new is sent to them."""
    found = await db.scalars(
        select(AppointmentRow.counselor_id).where(
            AppointmentRow.state == State.BOOKED.value, AppointmentRow.starts_at <= now + within
        )
    )
    return {UserId(user) for user in found}


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Delete what ended long ago."""
    await db.execute(delete(AppointmentRow).where(AppointmentRow.ended_at < now - RETENTION))


def _in_time(slot: Slot, now: datetime) -> None:
    if not now + NOTICE <= slot.since <= now + AHEAD:
        raise TooLate("This time cannot be booked any more.")


async def _booked_lately(db: AsyncSession, client: UserId, now: datetime) -> int:
    counted = select(func.count()).select_from(AppointmentRow)
    mine = counted.where(AppointmentRow.client_id == client, AppointmentRow.booked_at > now - WEEK)
    return await db.scalar(mine) or 0


async def _take_time(db: AsyncSession, row: AppointmentRow, terms: Terms) -> None:
    """Take the time for both. Raises ``Taken``; the transaction is to be given up then."""
    wanted = [(row.client_id, at) for at in _steps(row.starts_at, row.ends_at)]
    wanted += [(row.counselor_id, at) for at in _steps(row.starts_at, row.ends_at + terms.gap)]
    values = [{"user_id": user, "at": at, "appointment_id": row.id} for user, at in sorted(wanted)]
    made = await db.scalars(
        insert_into(db, AppointmentTimeRow)
        .values(values)
        .on_conflict_do_nothing()
        .returning(AppointmentTimeRow.at)
    )
    if len(made.all()) != len(values):
        raise Taken("This time is taken by now.")


def _steps(since: datetime, until: datetime) -> list[datetime]:
    """List the five minutes of a time, the first and the last one whole."""
    at = since.replace(minute=since.minute - since.minute % 5, second=0, microsecond=0)
    found = []
    while at < until:
        found.append(at)
        at += STEP
    return found


async def _free_time(db: AsyncSession, numbers: Sequence[str]) -> None:
    await db.execute(delete(AppointmentTimeRow).where(AppointmentTimeRow.appointment_id.in_(numbers)))


async def _cancel(
    db: AsyncSession, audit: Audit, row: AppointmentRow, by: By, *, actor: UserId, now: datetime
) -> None:
    if not _appointment(row).can_cancel(now):
        raise TooLate("This appointment cannot be cancelled any more.")
    row.state = after(State(row.state), Event.CANCEL).value
    row.ended_at, row.ended_by = now, by.value
    _changed(row, now)
    await _free_time(db, [row.id])
    await _note(db, audit, "appointment:cancel", row, actor=actor, now=now)


async def _become(
    db: AsyncSession,
    audit: Audit,
    appointment: str,
    event: Event,
    *,
    talk: str | None = None,
    by: By | None = None,
    now: datetime,
) -> Appointment:
    await audit.hold(db)
    row = await _own(db, appointment)
    row.state = after(State(row.state), event).value
    if event is Event.BEGIN:
        row.talk_id = talk
    else:
        row.ended_at, row.ended_by = now, None if by is None else by.value
        await _free_time(db, [row.id])
    row.changed_at = now
    tag = {Event.BEGIN: "appointment:begin", Event.END: "appointment:end"}.get(event, "appointment:miss")
    await _note(db, audit, tag, row, actor=None, now=now)
    return _appointment(row)


def _changed(row: AppointmentRow, now: datetime) -> None:
    """Count a change that calendars are to follow."""
    row.changed_at = now
    row.sequence += 1


async def _note(
    db: AsyncSession, audit: Audit, tag: str, row: AppointmentRow, *, actor: UserId | None, now: datetime
) -> None:
    await db.flush()
    detail = {"counselor": row.counselor_id, "medium": row.medium, "starts_at": row.starts_at.isoformat()}
    await audit.append(
        db, tag=tag, actor=actor, subject=UserId(row.client_id), object_id=row.id, detail=detail, now=now
    )


async def _own(db: AsyncSession, appointment: str, *whose: ColumnElement[bool]) -> AppointmentRow:
    found = await db.scalars(
        select(AppointmentRow)
        .where(AppointmentRow.id == appointment, *whose)
        .execution_options(populate_existing=True)
    )
    row = found.one_or_none()
    if row is None:
        raise NotFound("There is no such appointment.")
    return row


async def _listed(db: AsyncSession, *which: ColumnElement[bool]) -> list[Appointment]:
    rows = await db.scalars(
        select(AppointmentRow)
        .where(*which)
        .order_by(AppointmentRow.starts_at, AppointmentRow.id)
        .execution_options(populate_existing=True)
    )
    return [_appointment(row) for row in rows]


def _is_open() -> ColumnElement[bool]:
    return AppointmentRow.state.in_([state.value for state in OPEN])


def _about(number: str) -> str:
    return f"appointments:{number}:words"


def _appointment(row: AppointmentRow) -> Appointment:
    return Appointment(
        id=row.id,
        client=UserId(row.client_id),
        counselor=UserId(row.counselor_id),
        state=State(row.state),
        medium=Medium(row.medium),
        topic=row.topic,
        language=row.language,
        place=row.place,
        zone=row.zone,
        slot=Slot(row.starts_at, row.ends_at),
        changed_at=row.changed_at,
        sequence=row.sequence,
        moves=row.moves,
        talk=row.talk_id,
        ended_at=row.ended_at,
        ended_by=None if row.ended_by is None else By(row.ended_by),
        has_words=row.words is not None,
    )
