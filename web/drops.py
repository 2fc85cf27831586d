"""Dropped lines, watched: each second who is gone, whose talk has a risk flag, and who is called for it.

What calls stands in memory too (``Drops``), so that the pages of the staff show it without asking the
database. Nothing is done to the client by itself: the counselor sees what they chose, and does it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.people import Person
from accounts.roles import Permission
from core.ids import ParticipantId, UserId
from counseling import drop_states, drops, preparation, risk_flags, roster, talks
from counseling.drop_states import Event, State
from counseling.drops import Drop
from counseling.talks import Talk
from signaling import directory, records
from signaling.directory import Role
from signaling.presence import Dropped, Presence
from signaling.protocol import WireState
from signaling.records import PlaceRecord
from web.jobs import every
from web.register import REGISTER
from web.services import Services

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0
HOUR_S: Final = 3600.0


@dataclass(slots=True)
class Drops:
    """The drops that are open, as the last look found them, and since when each client's line is gone.

    ``now`` is None before the first look. Listeners are told when it is something else.
    """

    zone: ZoneInfo
    now: tuple[Drop, ...] | None = None
    gone_since: dict[ParticipantId, datetime] = field(default_factory=dict)
    listeners: set[Callable[[], None]] = field(default_factory=set)

    def of(self, person: UserId) -> list[Drop]:
        """List those that stand on somebody's pages."""
        return [one for one in self.now or () if one.concerns(person)]

    def count(self, person: Person) -> int:
        """Count those that sound on somebody's pages: nobody has seen them."""
        return sum(one.state is State.CALLING for one in self.of(person.id)) if may_see(person) else 0

    def put(self, found: tuple[Drop, ...]) -> None:
        """Keep what was found, and tell those who listen when it is something else."""
        before, self.now = self.now, found
        if found != (before or ()):
            for listener in tuple(self.listeners):
                listener()


DROPS: Final = http.AppKey("drops", Drops)


def may_see(person: Person) -> bool:
    """Whether somebody is ever called for a drop."""
    return person.may(Permission.DUTY)


async def look(services: Services, watch: Drops) -> None:
    """Call for whoever is gone too long, and end what is over. Also to be called after a change."""
    now = services.now()
    gone = [one for one in services.survey.dropped() if one.role == Role.CLIENT.value]
    watch.gone_since = {one.participant: watch.gone_since.get(one.participant, now) for one in gone}
    due = [one for one in gone if drop_states.is_due(gone_since=watch.gone_since[one.participant], now=now)]
    if not due and watch.now == ():
        return
    async with services.database.sessions.begin() as db:
        for drop in await drops.all_open(db):
            await _settle(services, db, drop, gone, watch)
        for one in due:
            await _raise(services, db, one, watch)
        watch.put(tuple(await drops.all_open(db)))


async def _raise(services: Services, db: AsyncSession, one: Dropped, watch: Drops) -> None:
    """Call the counselor of a talk in which a risk flag stands; the one that is open already stays."""
    talk, broke_at = await talks.of_session(db, session=one.session), watch.gone_since[one.participant]
    if talk is None or talk.ended_at is not None:
        return
    last = await drops.last_of_talk(db, talk=talk.id)
    if last is not None and (last.ended_at is None or last.ended_at > broke_at):
        return  # It calls already, or somebody has looked after this very break.
    if not await risk_flags.stands(db, talk=talk.id):
        return
    drop = await drops.raise_(
        db,
        services.audit,
        talk=talk,
        broke_at=broke_at,
        kept_until=_kept_until(services, one),
        now=services.now(),
    )
    logger.warning("drop.raised", extra={"drop": drop.id})


async def _settle(
    services: Services, db: AsyncSession, drop: Drop, gone: list[Dropped], watch: Drops
) -> None:
    """End a drop whose client is back or left quickly; else call who is on duty when nobody has seen it."""
    now = services.now()
    client = await client_place(db, await talks.get(db, talk=drop.talk))
    presence = None if client is None else services.survey.presence(client)
    over = {Presence.THERE: Event.RETURN, Presence.QUICK: Event.QUIT}.get(presence) if presence else None
    if over is not None:
        await drops.end(db, services.audit, drop=drop.id, why=over, person=None, now=now)
        return
    one = next((each for each in gone if each.participant == client), None)
    if one is not None and (until := _kept_until(services, one)) != drop.kept_until:
        await drops.keep_until(db, drop=drop.id, kept_until=until)
    if drop.duty is None and drop_states.calls_duty(drop.state, broke_at=drop.broke_at, now=now):
        duty = (await roster.load(db, zone=watch.zone, now=now)).on_duty(now)
        both = () if duty is None else (duty.person, duty.deputy)
        called = next((user for user in both if user is not None and user != drop.counselor), None)
        if called is not None:
            await drops.call_duty(db, services.audit, drop=drop.id, duty=called, now=now)
            logger.warning("drop.duty_called", extra={"drop": drop.id})


async def client_place(db: AsyncSession, talk: Talk) -> ParticipantId | None:
    """Name the client's place in the session of a talk."""
    session = None if talk.session is None else await directory.find(db, session_id=talk.session)
    places = () if session is None else session.participants
    return next((place.id for place in places if place.role is Role.CLIENT), None)


def _kept_until(services: Services, one: Dropped) -> datetime | None:
    """Say how long a place is kept; None while its socket lives."""
    return None if one.lost_at is None else one.lost_at + timedelta(seconds=services.config.grace_s)


async def left_quickly(services: Services, db: AsyncSession, *, client: UserId) -> None:
    """Do nothing more about a client who left by the quick exit, from whichever page and device they did."""
    now = services.now()
    await preparation.take_back_on_drop(db, services.audit, client=client, now=now)
    for drop in await drops.of_client(db, client=client):
        await drops.end(db, services.audit, drop=drop.id, why=Event.QUIT, person=None, now=now)
    talk = await talks.open_of_client(db, client=client)
    place = None if talk is None else await client_place(db, talk)
    if place is None:
        return
    if services.survey.presence(place) is None:
        # Nobody holds the session in memory: whoever wakes it finds that they left.
        await records.write(db, [PlaceRecord(place, WireState.LEFT.value, now)])
    services.calls.leave_quickly(place)


async def go_by_phone(services: Services, db: AsyncSession, *, talk: Talk, counselor: UserId) -> None:
    """Write down that the counselor goes on by telephone; the session does."""
    drop = await drops.of_talk(db, talk=talk.id)
    if drop is not None:
        await drops.phoned(db, services.audit, drop=drop.id, person=counselor, now=services.now())
    session = None if talk.session is None else await directory.find(db, session_id=talk.session)
    for place in () if session is None else session.participants:
        if place.role is Role.COUNSELOR:
            services.calls.by_phone(place.id)


def setup(app: http.Application) -> None:
    """Add the jobs and what they need, before the application starts."""
    watch = app[DROPS] = Drops(app[REGISTER].zone)

    async def look_for_drops(services: Services) -> None:
        await look(services, watch)

    async def forget_old_drops(services: Services) -> None:
        async with services.database.sessions.begin() as db:
            await drops.prune(db, now=services.now())

    every(app, EVERY_S, look_for_drops)
    every(app, HOUR_S, forget_old_drops)
