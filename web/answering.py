"""Who answers an urgent call: whether they come into the room, and what is said of danger once they talk.

A counselor who answered and is not in the room within ``urgent.COMES_WITHIN`` loses the talk: its session
ends, the client waits again where they stood, and the others are called. So no two are ever in it.
Whose talk goes on is called themselves, first of all, when their client says that they are not safe.
"""

from __future__ import annotations

import logging
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.people import Person
from counseling import alarms, talks, urgent
from counseling.alarms import Alarm
from counseling.talks import Talk
from counseling.triage import Safe, Triage
from counseling.urgent import Around
from web import opening
from web.services import Services

logger = logging.getLogger(__name__)


async def said_in_talk(
    services: Services,
    db: AsyncSession,
    *,
    talk: Talk,
    client: Person,
    found: Triage,
    safe: Safe | None = None,
    language: str,
) -> None:
    """Call the counselor of a talk whose client is not safe, within the caller's transaction.

    ``safe`` is what the client answered, None where they were not asked.
    """
    now, audit = services.now(), services.audit
    walkin = await talks.walkin_of(
        db, audit, talk=talk, client=client, language=language, triage=found, now=now
    )
    alarm = await alarms.raise_(db, audit, walkin=walkin, now=now)
    if safe is not None:
        await alarms.say_safe(db, audit, alarm=alarm.id, safe=safe, now=now)


async def said_in(db: AsyncSession, alarm: Alarm) -> Talk | None:
    """Give the talk that goes on and in which this alarm was raised; None for any other."""
    talk = await talks.open_of_client(db, client=alarm.client)
    return talk if talk is not None and talk.begun_at < alarm.course.raised_at else None


def within(there: Around, talk: Talk | None) -> Around:
    """Say who is called for what was said in a talk: its counselor, in the place of who is free."""
    if talk is None:
        return there
    barred = there.barred - {talk.counselor}
    return replace(there, fitting=(talk.counselor,), barred=barred, in_talk=True)


async def unmet(services: Services, db: AsyncSession, talk: Talk) -> Alarm | None:
    """Give the alarm behind a talk whose counselor has not been in the room yet; None for any other talk."""
    if talk.walkin is None or talk.session is None or talk.ended_at is not None:
        return None
    alarm = await alarms.alarm_of(db, walkin=talk.walkin)
    if alarm is None or alarm.course.state is urgent.State.GONE:
        return None
    return None if await opening.has_come(services, db, talk) else alarm


async def give_back(services: Services, db: AsyncSession, *, talk: Talk, alarm: Alarm) -> None:
    """Take a talk from a counselor who did not come, and call for the others.

    Whoever calls ends its session.
    """
    now, audit = services.now(), services.audit
    await talks.miss(db, audit, talk=talk.id, now=now)
    await alarms.miss(db, audit, alarm=alarm.id, person=talk.counselor, now=now)


async def take_back(services: Services) -> None:
    """Give back each talk whose counselor is not in the room in time; each by itself."""
    latest = services.now() - urgent.COMES_WITHIN
    async with services.database.sessions() as db:
        awaited = [alarm for alarm in await alarms.awaited(db) if alarm.since <= latest]
    for alarm in awaited:
        try:
            await _take_back(services, alarm)
        except Exception:  # whatever it was, the others are looked after, and this one again in a second
            logger.exception("alarm.not_taken_back", extra={"alarm": alarm.id})


async def _take_back(services: Services, alarm: Alarm) -> None:
    now = services.now()
    async with services.database.sessions() as db:
        talk = await talks.open_of_client(db, client=alarm.client)
        if talk is None or now - talk.begun_at < urgent.COMES_WITHIN or not await unmet(services, db, talk):
            return
    async with services.database.sessions.begin() as db:
        await services.audit.hold(db)
        talk = await talks.get(db, talk=talk.id)
        last = await unmet(services, db, talk)
        if last is None:
            return  # they came, or it has ended, in this moment
        await give_back(services, db, talk=talk, alarm=last)
    logger.warning("alarm.missed", extra={"alarm": alarm.id})
    await opening.end_session(services, talk, reason=opening.NOT_COME)
