"""Appointments: booked, moved, cancelled, begun, and what became of them.

Nobody is in two at once: each takes every five minutes of its time for both people, and a counselor's rest
after it (``appointment_times``). Whoever books, moves or cancels holds the audit first, so limits that are
counted still hold at the commit. Reading is in ``appointment_lists``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from accounts.audit import Audit
from core.errors import InvalidState
from core.ids import UserId, new_id
from core.sealing import seal, unseal
from counseling import appointment_lists, appointment_times
from counseling.appointment_rows import Appointment, appointment_of, row_of
from counseling.appointment_states import (
    AHEAD,
    MOST_IN_A_WEEK,
    MOST_OPEN,
    NOTICE,
    WEEK,
    By,
    Event,
    State,
    after,
)
from counseling.appointment_tables import AppointmentRow
from counseling.entry import Medium
from counseling.slots import Slot, Terms

RETENTION: Final = timedelta(days=90)
"""This long after it ended, nothing of an appointment is left."""
MAX_WORDS_CHARS: Final = 1000


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


async def book(
    db: AsyncSession, audit: Audit, *, client: UserId, wish: Wish, terms: Terms, now: datetime
) -> Appointment:
    """Book a time that ``booking`` offered. Raises ``Taken``, ``TooManyBooked``, ``TooLate``."""
    await audit.hold(db)
    _in_time(wish.slot, now)
    coming = await appointment_lists.open_of_client(db, client=client)
    if len(coming) >= MOST_OPEN or await _booked_lately(db, client, now) >= MOST_IN_A_WEEK:
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
    await appointment_times.take(db, row=row, terms=terms)
    await _note(db, audit, "appointment:book", row, actor=client, now=now)
    await notices.post(db, user=wish.counselor, kind="appointment_booked", now=now)
    return appointment_of(row)


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
    row = await row_of(db, appointment, AppointmentRow.client_id == client)
    if not appointment_of(row).can_move(now):
        raise TooLate("This appointment cannot be moved any more.")
    _in_time(wish.slot, now)
    row.state = after(State(row.state), Event.MOVE).value
    before = UserId(row.counselor_id)
    row.counselor_id, row.medium, row.place = wish.counselor, wish.medium.value, wish.place
    row.topic, row.language, row.zone = wish.topic, wish.language, wish.zone
    row.starts_at, row.ends_at = wish.slot.since, wish.slot.until
    row.moves += 1
    row.day_told_at = row.soon_told_at = None
    _changed(row, now)
    await appointment_times.free(db, appointment=row.id)
    await appointment_times.take(db, row=row, terms=terms)
    await _note(db, audit, "appointment:move", row, actor=client, now=now)
    await notices.post_all(db, users=sorted({before, wish.counselor}), kind="appointment_moved", now=now)
    return appointment_of(row)


async def cancel(
    db: AsyncSession, audit: Audit, *, appointment: str, client: UserId, now: datetime
) -> Appointment:
    """Cancel a client's own appointment, without a reason. Raises ``NotFound``, ``TooLate``."""
    await audit.hold(db)
    row = await row_of(db, appointment, AppointmentRow.client_id == client)
    await _cancel(db, audit, row, By.CLIENT, actor=client, now=now)
    await notices.post(db, user=UserId(row.counselor_id), kind="appointment_cancelled_by_client", now=now)
    return appointment_of(row)


async def call_off(
    db: AsyncSession, audit: Audit, *, appointment: str, counselor: UserId, words: str, now: datetime
) -> Appointment:
    """Cancel as the counselor, with words for the client, kept sealed. Raises ``NotFound``, ``TooLate``."""
    await audit.hold(db)
    row = await row_of(db, appointment, AppointmentRow.counselor_id == counselor)
    if words:
        key = await audit.subjects.key_of(db, subject=UserId(row.client_id))
        row.words = seal(key, words.encode(), about=_about(row.id))
    await _cancel(db, audit, row, By.COUNSELOR, actor=counselor, now=now)
    await notices.post(db, user=UserId(row.client_id), kind="appointment_cancelled", now=now)
    return appointment_of(row)


async def words_of(db: AsyncSession, audit: Audit, *, appointment: str, client: UserId) -> str:
    """Open what the counselor wrote on cancelling, for the client; empty for nothing."""
    row = await row_of(db, appointment, AppointmentRow.client_id == client)
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


async def _cancel(
    db: AsyncSession, audit: Audit, row: AppointmentRow, by: By, *, actor: UserId, now: datetime
) -> None:
    if not appointment_of(row).can_cancel(now):
        raise TooLate("This appointment cannot be cancelled any more.")
    row.state = after(State(row.state), Event.CANCEL).value
    row.ended_at, row.ended_by = now, by.value
    _changed(row, now)
    await appointment_times.free(db, appointment=row.id)
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
    row = await row_of(db, appointment)
    row.state = after(State(row.state), event).value
    if event is Event.BEGIN:
        row.talk_id = talk
    else:
        row.ended_at, row.ended_by = now, None if by is None else by.value
        await appointment_times.free(db, appointment=row.id)
    row.changed_at = now
    tag = {Event.BEGIN: "appointment:begin", Event.END: "appointment:end"}.get(event, "appointment:miss")
    await _note(db, audit, tag, row, actor=None, now=now)
    return appointment_of(row)


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


def _about(number: str) -> str:
    return f"appointments:{number}:words"
