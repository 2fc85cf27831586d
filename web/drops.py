"""Dropped lines, watched: each second who is gone, whose talk has a risk flag, and who is called for it.

What calls stands in memory too (``Drops``), so that the pages of the staff show it without asking the
database. Nothing is done to the client by itself: the counselor sees what they chose, and does it.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
from collections.abc import Callable, Iterator, Sequence
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
from signaling.directory import Role, SessionState
from signaling.presence import Dropped, Presence
from signaling.protocol import WireState
from signaling.records import PlaceRecord
from web.jobs import every
from web.register import REGISTER
from web.services import Services

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0
FLAGS_EVERY_S: Final = 10.0
HOUR_S: Final = 3600.0
ASK_AGAIN_S: Final = 30.0
_NOT_HERE: Final = frozenset({WireState.ABSENT.value, WireState.LEFT.value})


@dataclass(slots=True)
class Break:
    """One break of a client's line as the looks see it. Seconds are monotonic: a clock may be put back.

    ``asks_s``: when it is next looked up whether somebody is called for it; never again once they are.
    """

    at: datetime
    since_s: float
    asks_s: float


@dataclass(slots=True)
class Drops:
    """The drops that are open, as the last look found them, and the breaks of clients' lines.

    ``now`` is None before the first look. Listeners are told when it is something else. ``left_behind`` are
    clients who were in a talk when the server stopped, and whose session nobody has entered since.
    """

    zone: ZoneInfo
    now: tuple[Drop, ...] | None = None
    breaks: dict[ParticipantId, Break] = field(default_factory=dict)
    left_behind: list[Dropped] = field(default_factory=list)
    since_s: dict[str, float] = field(default_factory=dict)
    listeners: set[Callable[[], None]] = field(default_factory=set)
    looking: asyncio.Lock = field(default_factory=asyncio.Lock)

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

    def see(self, gone: Sequence[Dropped], *, now: datetime, now_s: float) -> list[Dropped]:
        """Note who is gone, and forget who is not; gives those to be looked up now."""
        before, asks_s = self.breaks, now_s + drop_states.ALARM_AFTER_S
        self.breaks = {
            one.participant: before.get(one.participant) or Break(now, now_s, asks_s) for one in gone
        }
        return [one for one in gone if now_s >= self.breaks[one.participant].asks_s]

    def ask_again(self) -> None:
        """Look up at once those for whom nobody was called: a flag may stand now."""
        for one in self.breaks.values():
            if one.asks_s != math.inf:
                one.asks_s = one.since_s + drop_states.ALARM_AFTER_S

    def date(self, found: Sequence[Drop], *, now: datetime, now_s: float) -> None:
        """Note since when those that are open last, by the monotonic clock."""
        self.since_s = {
            one.id: self.since_s.get(one.id, now_s - max(0.0, (now - one.broke_at).total_seconds()))
            for one in found
        }


DROPS: Final = http.AppKey("drops", Drops)


def may_see(person: Person) -> bool:
    """Whether somebody is ever called for a drop."""
    return person.may(Permission.DUTY)


async def look(services: Services, watch: Drops) -> None:
    """Look after something was changed: a flag may stand that did not, and somebody may have seen a drop."""
    watch.ask_again()
    await watch_closely(services)
    await look_each_second(services, watch)


async def watch_closely(services: Services) -> None:
    """Have the lines of those watched more closely in whose talk a risk flag stands."""
    async with services.database.sessions() as db:
        flagged = await risk_flags.clients(db)
    services.calls.watch_closely(flagged)


async def look_each_second(services: Services, watch: Drops) -> None:
    """Call for whoever is gone too long, and end what is over: each drop by itself."""
    async with watch.looking:
        now, now_s = services.now(), services.clock.monotonic()
        if watch.now is None:
            watch.left_behind = await _left_behind(services)
        present = services.survey.presence
        watch.left_behind = [one for one in watch.left_behind if present(one.participant) is None]
        dropped = [one for one in services.survey.dropped() if one.role == Role.CLIENT.value]
        due = watch.see(dropped + watch.left_behind, now=now, now_s=now_s)
        if not due and watch.now == ():
            return
        found = await _open(services)
        watch.date(found, now=now, now_s=now_s)
        for drop in found:
            with _by_itself(drop.talk):
                await _settle(services, drop, dropped, watch)
        for one in due:
            with _by_itself(one.session):
                await _raise(services, one, watch)
        watch.put(await _open(services))


@contextlib.contextmanager
def _by_itself(which: str) -> Iterator[None]:
    """Let what fails here keep no other alarm from being raised; it is tried again the next second."""
    try:
        yield
    except Exception:  # whatever it was, the others are looked at
        logger.exception("drop.not_looked_at", extra={"of": which})


async def _open(services: Services) -> tuple[Drop, ...]:
    async with services.database.sessions() as db:
        return tuple(await drops.all_open(db))


async def _left_behind(services: Services) -> list[Dropped]:
    """List the clients of open talks who were in their session when it was last in memory."""
    async with services.database.sessions() as db:
        met = [talk.session for talk in await talks.all_open(db) if talk.session is not None]
        sessions = [await directory.find(db, session_id=session) for session in met]
    return [
        Dropped(session.id, place.id, place.role.value, None)
        for session in sessions
        if session is not None and session.state is not SessionState.ENDED
        for place in session.participants
        if place.role is Role.CLIENT and place.state not in _NOT_HERE
    ]


async def _raise(services: Services, one: Dropped, watch: Drops) -> None:
    """Call the counselor of a talk in which a risk flag stands; the one that is open already stays."""
    broken = watch.breaks.get(one.participant)
    if broken is None:
        return  # They are back.
    async with services.database.sessions.begin() as db:
        talk = await talks.of_session(db, session=one.session)
        if talk is None or talk.ended_at is not None or not await risk_flags.stands(db, talk=talk.id):
            broken.asks_s = services.clock.monotonic() + ASK_AGAIN_S
            return
        await services.audit.hold(db)
        before = await drops.last_of_talk(db, talk=talk.id)
        calls = before is not None and before.is_open
        if not calls:
            if services.survey.presence(one.participant) not in (Presence.GONE, None):
                return  # They came back, or left quickly, while this was looked up.
            drop = await drops.raise_(
                db,
                services.audit,
                talk=talk,
                broke_at=broken.at,
                kept_until=_kept_until(services, one),
                now=services.now(),
            )
            watch.since_s[drop.id] = broken.since_s
            logger.warning("drop.raised", extra={"drop": drop.id})
    broken.asks_s = math.inf


async def _settle(services: Services, drop: Drop, dropped: Sequence[Dropped], watch: Drops) -> None:
    """End a drop whose client is back or left quickly; else call who is on duty when nobody has seen it."""
    now = services.now()
    async with services.database.sessions.begin() as db:
        client = await client_place(db, await talks.get(db, talk=drop.talk))
        presence = None if client is None else services.survey.presence(client)
        over = {Presence.THERE: Event.RETURN, Presence.QUICK: Event.QUIT}.get(presence) if presence else None
        if over is not None:
            await drops.end(db, services.audit, drop=drop.id, why=over, person=None, now=now)
            if client is not None:
                # Gone again by the next look, it is another break.
                watch.breaks.pop(client, None)
            return
        one = next((each for each in dropped if each.participant == client), None)
        if one is not None and (until := _kept_until(services, one)) != drop.kept_until:
            await drops.keep_until(db, drop=drop.id, kept_until=until)
        lasts_s = services.clock.monotonic() - watch.since_s[drop.id]
        if drop.duty is None and drop_states.calls_duty(drop.state, lasts_s=lasts_s):
            await _call_duty(services, db, drop, watch, now)


async def _call_duty(services: Services, db: AsyncSession, drop: Drop, watch: Drops, now: datetime) -> None:
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
        await look_each_second(services, watch)

    async def forget_old_drops(services: Services) -> None:
        async with services.database.sessions.begin() as db:
            await drops.prune(db, now=services.now())

    every(app, EVERY_S, look_for_drops)
    every(app, FLAGS_EVERY_S, watch_closely)
    every(app, HOUR_S, forget_old_drops)
