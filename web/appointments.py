"""Appointments as they come due: reminded of, begun at their time, ended, missed, or let go.

At its time an appointment becomes a talk, with a session unless they meet in person. While one of the two is
in another talk it is tried again; ``WAIT`` after its time it is missed by whoever could not be brought there,
or did not come. Neither is told off.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.people import Person
from accounts.roles import Permission
from core.errors import InvalidState
from counseling import appointment_lists, appointments, practice_days, register, reminders, talks, walkins
from counseling.appointment_rows import Appointment
from counseling.appointment_states import WAIT, By, who_missed
from counseling.entry import Medium
from counseling.slots import Terms
from counseling.talks import Talk
from counseling.triage import Risk
from counseling.verification import State as Verification
from counseling.walkin_states import State
from signaling import directory
from signaling.directory import ParticipantRecord, Role
from web import opening
from web.jobs import every
from web.line import BELL
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

EVERY_S: Final = 2.0
MINUTE_S: Final = 60.0
NOT_ANY_MORE: Final = (Verification.REFUSED, Verification.WITHDRAWN)
HOUR_S: Final = 3600.0
REASON: Final = "appointment"
"""Why these two, as the desk tells it (``match.appointment``)."""
Does = Callable[[Services, Appointment], Awaitable[bool]]


@dataclass(frozen=True, slots=True)
class Practice:
    """What all appointments of this service have in common. ``place`` is its own for visits, or empty."""

    terms: Terms
    zone: ZoneInfo
    place: str


PRACTICE: Final = http.AppKey("practice", Practice)


async def begin_due(services: Services) -> int:
    """Begin what is due, and give up what waited too long; gives how many appointments changed."""
    async with services.database.sessions() as db:
        due = await appointment_lists.due(db, now=services.now())
    return sum([await _done(services, one, _come_due) for one in due])


async def _done(services: Services, one: Appointment, does: Does) -> bool:
    """Do one by itself, and say whether it changed: whatever is wrong with it keeps no other one waiting."""
    try:
        return await does(services, one)
    except InvalidState:  # one of the two is elsewhere, or it has just changed: again in a moment
        return False
    except Exception:  # whatever it was, the others have their time, and this one is tried again
        logger.exception("appointment.failed", extra={"appointment": one.id})
        return False


async def _come_due(services: Services, one: Appointment) -> bool:
    now = services.now()
    async with services.database.sessions.begin() as db:
        by = await _gone(services, db, one, now) or await _given_up(db, one, now)
        if by is None:
            await _begin(services, db, one, now)
        else:
            await appointments.miss(db, services.audit, appointment=one.id, by=by, now=now)
    return True


async def _gone(services: Services, db: AsyncSession, one: Appointment, now: datetime) -> By | None:
    """Say which of the two may not meet here any more; None while both may."""
    there = {person.id: person for person in await people.find_all(db, users=[one.client, one.counselor])}
    entry = await register.find(db, user=one.counselor)
    today = now.astimezone(ZoneInfo(services.config.time_zone)).date()
    if _has_left(there.get(one.client)):
        return By.CLIENT
    if _works_no_more(there.get(one.counselor)) or entry is None:
        return By.COUNSELOR
    return None if entry.state is Verification.VERIFIED and not entry.expired(today) else By.COUNSELOR


def _has_left(person: Person | None) -> bool:
    return person is None or person.is_leaving


def _works_no_more(person: Person | None) -> bool:
    return person is None or person.is_leaving or not person.may(Permission.SERVE)


async def _given_up(db: AsyncSession, one: Appointment, now: datetime) -> By | None:
    """Say by whom an appointment is missed that has not begun; None while it may begin.

    Where nobody is in the way it was the server that was away; what was a visit took place without it.
    """
    if now < one.slot.since + WAIT:
        return None
    talk = await talks.open_of_client(db, client=one.client)
    if talk is not None and talk.counselor == one.counselor:
        return None
    if await talks.open_of_counselor(db, counselor=one.counselor) is not None:
        return By.COUNSELOR
    if talk is not None:
        return By.CLIENT
    return None if one.medium is Medium.IN_PERSON else By.BOTH


async def _begin(services: Services, db: AsyncSession, one: Appointment, now: datetime) -> None:
    """Begin one, in the talk that the two are in already, or a new one. Raises ``InvalidState``.

    A client in danger, for whom everybody is called just now, keeps being called for.
    """
    walkin = await walkins.find_open(db, client=one.client)
    if walkin is not None and walkin.triage.risk is Risk.URGENT and walkin.state is not State.TALKING:
        raise InvalidState("Everybody is called for this client.")
    talk = await talks.open_of_client(db, client=one.client)
    if talk is None or talk.counselor != one.counselor:
        talk = await talks.begin(
            db,
            services.audit,
            client=one.client,
            counselor=one.counselor,
            medium=one.medium,
            appointment=one.id,
            reasons=[REASON],
            now=now,
        )
    await appointments.begin(db, services.audit, appointment=one.id, talk=talk.id, now=now)
    if talk.medium is not Medium.IN_PERSON:
        await opening.open_talk(services, db, talk)
        await notices.post_all(db, users=[one.client, one.counselor], kind="appointment_open", now=now)


async def end_begun(services: Services) -> int:
    """End what is over, and what somebody did not come to; gives how many appointments changed."""
    async with services.database.sessions() as db:
        begun = await appointment_lists.begun(db)
    return sum([await _done(services, one, _end_over) for one in begun])


async def _end_over(services: Services, one: Appointment) -> bool:
    now = services.now()
    async with services.database.sessions.begin() as db:
        talk = None if one.talk is None else await talks.get(db, talk=one.talk)
        over, by = await _outcome(db, one, talk, now)
        if not over:
            return False
        if by is None:
            await appointments.finish(db, services.audit, appointment=one.id, now=now)
        else:
            await appointments.miss(db, services.audit, appointment=one.id, by=by, now=now)
        if talk is not None:
            talk = await talks.end(db, services.audit, talk=talk.id, now=now)
    if talk is not None:
        await opening.end_session(services, talk)
    return True


async def _outcome(
    db: AsyncSession, one: Appointment, talk: Talk | None, now: datetime
) -> tuple[bool, By | None]:
    """Say whether an appointment that has begun is over, and who did not come to it."""
    ended = talk is None or talk.ended_at is not None
    if one.medium is Medium.IN_PERSON:
        return ended or now >= one.slot.until, None
    session = None
    if talk is not None and talk.session is not None:
        session = await directory.find(db, session_id=talk.session)
    if session is None or session.started_at is not None:
        return ended, None
    # Who was still in another talk came later: from then on the other waits as long.
    opened = one.slot.since if talk is None else max(one.slot.since, talk.begun_at)
    if not ended and now < opened + WAIT:
        return False, None
    came = {place.role for place in session.participants if _came(place)}
    missed = who_missed(client_came=Role.CLIENT in came, counselor_came=Role.COUNSELOR in came)
    # Both were there and did not meet: while it is open they still may.
    return ended or missed is not None, missed or (By.BOTH if ended else None)


def _came(place: ParticipantRecord) -> bool:
    """Whether somebody sat in a place at some time."""
    return place.seat is not None


async def mark(services: Services, one: Appointment, *, came: bool) -> None:
    """Keep what the counselor says of a visit that has begun. Raises ``InvalidState``."""
    now = services.now()
    async with services.database.sessions.begin() as db:
        if came:
            await appointments.finish(db, services.audit, appointment=one.id, now=now)
        else:
            await appointments.miss(db, services.audit, appointment=one.id, by=By.CLIENT, now=now)
        if one.talk is not None:
            await talks.end(db, services.audit, talk=one.talk, now=now)


async def let_go(services: Services) -> int:
    """Cancel what cannot take place: of clients who asked to be erased, and counselors who work no more.

    One whose entry is only to be verified again may well be in time.
    """
    now = services.now()
    async with services.database.sessions.begin() as db:
        booked = await appointment_lists.booked(db)
        both = sorted({user for one in booked for user in (one.client, one.counselor)})
        there = {person.id: person for person in await people.find_all(db, users=both)}
        entries = await register.find_all(db, users=sorted({one.counselor for one in booked}))
        refused = {user for user, entry in entries.items() if entry.state in NOT_ANY_MORE}
        gone = 0
        for one in booked:
            if not one.can_cancel(now):
                continue
            if _has_left(there.get(one.client)):
                await appointments.cancel(db, services.audit, appointment=one.id, client=one.client, now=now)
            elif one.counselor in refused or _works_no_more(there.get(one.counselor)):
                await appointments.call_off(
                    db, services.audit, appointment=one.id, counselor=one.counselor, words="", now=now
                )
            else:
                continue
            gone += 1
    return gone


async def remind(services: Services) -> None:
    """Remind of what comes."""
    async with services.database.sessions.begin() as db:
        count = await reminders.remind(db, now=services.now())
    if count:
        logger.info("appointments.reminded", extra={"count": count})


async def forget(services: Services) -> None:
    """Delete what ended long ago, and days that are over."""
    now = services.now()
    today = now.astimezone(ZoneInfo(services.config.time_zone)).date()
    async with services.database.sessions.begin() as db:
        await appointments.prune(db, now=now)
        await practice_days.prune(db, today=today - timedelta(days=1))


def setup(app: http.Application) -> None:
    """Read what appointments have in common, and add the jobs, before the application starts."""
    config, bell = app[SERVICES].config, app[BELL]
    app[PRACTICE] = Practice(
        Terms(timedelta(minutes=config.appointment_minutes), timedelta(minutes=config.gap_minutes)),
        ZoneInfo(config.time_zone),
        config.in_person_place or "",
    )

    async def begin_and_end(services: Services) -> None:
        if await begin_due(services) + await end_begun(services):
            bell.ring()

    async def let_appointments_go(services: Services) -> None:
        await let_go(services)

    every(app, EVERY_S, begin_and_end)
    every(app, MINUTE_S, remind)
    every(app, MINUTE_S, let_appointments_go)
    every(app, HOUR_S, forget)
