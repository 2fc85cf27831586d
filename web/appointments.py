"""Appointments as they come due: reminded of, begun at their time, ended, missed, or let go.

At its time an appointment becomes a talk, with a session unless they meet in person. While one of the two is
in another talk it is tried again; ``WAIT`` after its time it is missed by whoever could not be brought there,
or did not come. Neither is told off.
"""

from __future__ import annotations

import contextlib
import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.roles import Permission
from core.errors import InvalidState
from counseling import appointment_lists, appointments, practice_days, reminders, talks
from counseling.appointment_rows import Appointment
from counseling.appointment_states import WAIT, By, who_missed
from counseling.entry import Medium
from counseling.slots import Terms
from counseling.talks import Talk
from signaling import directory
from signaling.directory import ParticipantRecord, Role
from web import opening
from web.jobs import every
from web.line import BELL
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

EVERY_S: Final = 2.0
MINUTE_S: Final = 60.0
HOUR_S: Final = 3600.0
REASON: Final = "appointment"
"""Why these two, as the desk tells it (``match.appointment``)."""


@dataclass(frozen=True, slots=True)
class Practice:
    """What all appointments of this service have in common. ``place`` is its own for visits, or empty."""

    terms: Terms
    zone: ZoneInfo
    place: str


PRACTICE: Final = http.AppKey("practice", Practice)


async def begin_due(services: Services) -> int:
    """Begin what is due, and give up what waited too long; gives how many appointments changed."""
    now, changed = services.now(), 0
    async with services.database.sessions() as db:
        due = await appointment_lists.due(db, now=now)
    for one in due:
        with contextlib.suppress(InvalidState):  # one of the two is in another talk: again in a moment
            async with services.database.sessions.begin() as db:
                by = await _given_up(db, one, now)
                if by is None:
                    await _begin(services, db, one, now)
                else:
                    await appointments.miss(db, services.audit, appointment=one.id, by=by, now=now)
            changed += 1
    return changed


async def _given_up(db: AsyncSession, one: Appointment, now: datetime) -> By | None:
    """Say by whom an appointment is missed that has not begun; None while it may begin.

    Where nobody is in the way it was the server that was away; what was a visit took place without it.
    """
    if now < one.slot.since + WAIT:
        return None
    if await talks.open_of_counselor(db, counselor=one.counselor) is not None:
        return By.COUNSELOR
    if await talks.open_of_client(db, client=one.client) is not None:
        return By.CLIENT
    return None if one.medium is Medium.IN_PERSON else By.BOTH


async def _begin(services: Services, db: AsyncSession, one: Appointment, now: datetime) -> None:
    """Begin one, in the talk that the two are in already, or a new one. Raises ``InvalidState``."""
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
    now, changed = services.now(), 0
    async with services.database.sessions() as db:
        begun = await appointment_lists.begun(db)
    for one in begun:
        async with services.database.sessions.begin() as db:
            talk = None if one.talk is None else await talks.get(db, talk=one.talk)
            over, by = await _outcome(db, one, talk, now)
            if not over:
                continue
            if by is None:
                await appointments.finish(db, services.audit, appointment=one.id, now=now)
            else:
                await appointments.miss(db, services.audit, appointment=one.id, by=by, now=now)
            if talk is not None:
                talk = await talks.end(db, services.audit, talk=talk.id, now=now)
        if talk is not None:
            await opening.end_session(services, talk)
        changed += 1
    return changed


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
    if not ended and now < one.slot.since + WAIT:
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
    """Cancel what cannot take place: of clients who asked to be erased, and counselors who work no more."""
    now = services.now()
    async with services.database.sessions.begin() as db:
        booked = await appointment_lists.booked(db)
        both = sorted({user for one in booked for user in (one.client, one.counselor)})
        there = {person.id: person for person in await people.find_all(db, users=both)}
        gone = 0
        for one in booked:
            if not one.can_cancel(now):
                continue
            client, counselor = there.get(one.client), there.get(one.counselor)
            if client is None or client.is_leaving:
                await appointments.cancel(db, services.audit, appointment=one.id, client=one.client, now=now)
            elif counselor is None or counselor.is_leaving or not counselor.may(Permission.SERVE):
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
