"""Urgent calls, done: each second every alarm takes the steps that are due, and what goes outside is sent.

Who answered and is not in the room in time loses the talk, and the others are called (``web/answering.py``).
What is called now stands in memory too (``Calls``), so that each page of the staff can show it without
asking the database. Nothing that leaves this server says more than that somebody is needed.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import contacts, people
from accounts.people import Person
from accounts.roles import Permission
from core.clock import rfc3339
from core.errors import InvalidState
from counseling import alarm_sendings, alarms, roster, talks, urgent, walkins
from counseling.alarm_sendings import Channel, Sending
from counseling.alarms import Alarm
from counseling.around import around
from counseling.lineup import Rules
from counseling.roster import Roster
from counseling.talks import Talk
from counseling.urgent import Around
from counseling.walkin_states import State, Walkin
from web import answering
from web.jobs import every
from web.register import REGISTER
from web.render import Renderer
from web.services import SERVICES, Services
from web.webhook import Hook

logger = logging.getLogger(__name__)

EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Call:
    """One alarm that is open, the walk-in it calls for, and who is around.

    ``talk`` is the one that the client said it in; None while they wait for somebody.
    """

    alarm: Alarm
    walkin: Walkin
    around: Around
    talk: Talk | None = None

    @property
    def stands_still(self) -> bool:
        """Whether the client left by the quick exit: nothing sounds. Who said it in a talk is heard there."""
        return self.walkin.is_held and self.talk is None

    def concerns(self, person: Person) -> bool:
        """Whether it stands on this person's pages."""
        return person.may(Permission.DUTY) and urgent.concerns(
            self.alarm.course, self.around, person.id, person.roles
        )


@dataclass(slots=True)
class Calls:
    """What calls at this moment, as the last look found it. ``changed`` is set when it differs."""

    rules: Rules
    now: tuple[Call, ...] = ()
    listeners: set[Callable[[], None]] = field(default_factory=set)

    def count(self, person: Person) -> int:
        """Count the alarms that sound on somebody's pages: not those whose client left by the quick exit."""
        return sum(call.concerns(person) and not call.stands_still for call in self.now)

    def count_own(self, person: Person) -> int:
        """Count those that the client said whom this person talks with."""
        return sum(call.talk is not None and call.talk.counselor == person.id for call in self.now)

    def put(self, found: tuple[Call, ...]) -> None:
        """Keep what was found, and tell those who listen when it is something else."""
        if found != self.now:
            self.now = found
            for listener in tuple(self.listeners):
                listener()


CALLS: Final = http.AppKey("calls", Calls)


async def raise_alarm(services: Services, db: AsyncSession, walkin: Walkin) -> Alarm:
    """Raise an alarm within the caller's transaction; a second after its commit those who fit are called."""
    return await alarms.raise_(db, services.audit, walkin=walkin, now=services.now())


async def look(services: Services, calls: Calls) -> None:
    """Have every open alarm take the steps that are due. Also to be called when something has changed."""
    await answering.take_back(services)
    async with services.database.sessions() as db:
        open_alarms = await alarms.open_alarms(db)
    found = []
    for alarm in open_alarms:
        try:
            call = await _step(services, calls.rules, alarm)
        except InvalidState:
            continue  # somebody has answered between, or the client has left
        except Exception:  # whatever it was, the others are called, and this one again in a second
            logger.exception("alarm.failed", extra={"alarm": alarm.id})
            call = next((one for one in calls.now if one.alarm.id == alarm.id), None)
        if call is not None:
            found.append(call)
    calls.put(tuple(found))


async def _step(services: Services, rules: Rules, alarm: Alarm) -> Call | None:
    """Take one alarm's steps, each alarm in a transaction of its own; None when it has ended.

    While the client's place is held after a quick exit it stands still.
    """
    now = services.now()
    async with services.database.sessions.begin() as db:
        walkin = await walkins.get(db, walkin=alarm.walkin)
        talk = await answering.said_in(db, alarm)
        if walkin.state is State.TALKING and talk is None:
            await _answered_elsewhere(services, db, alarm)
            return None
        if walkin.state is State.ENDED:
            await alarms.leave(db, services.audit, alarm=alarm.id, now=now)
            return None
        duties = await roster.load(db, zone=rules.zone, now=now)
    there = answering.within(await _around(services, rules, walkin, duties), talk)
    if (call := Call(alarm, walkin, there, talk)).stands_still:
        return call
    async with services.database.sessions.begin() as db:
        steps = await alarms.advance(
            db, services.audit, alarm=alarm, around=there, channels=_channels(services), now=now
        )
        alarm = await alarms.get(db, alarm=alarm.id)  # another look may have taken the step just now
    for step in steps:
        level = logging.WARNING if step.kind in urgent.TELLS else logging.INFO
        logger.log(level, "alarm.step", extra={"alarm": alarm.id, "kind": step.kind.value, "turn": step.turn})
    return Call(alarm, walkin, there, talk)


async def _around(services: Services, rules: Rules, walkin: Walkin, duties: Roster) -> Around:
    """Say who could answer; whatever breaks in finding out who fits, those on duty are called."""
    now = services.now()
    try:
        async with services.database.sessions() as db:
            return await around(db, rules, walkin=walkin.id, roster=duties, now=now)
    except Exception:  # as it says
        logger.exception("alarm.around_failed", extra={"walkin": walkin.id})
        return Around(duty=duties.on_duty(now))


async def _answered_elsewhere(services: Services, db: AsyncSession, alarm: Alarm) -> None:
    """Write down who talks with the client already, by another way than the duty desk."""
    talk = await talks.open_of_client(db, client=alarm.client)
    if talk is not None:
        await alarms.acknowledge(
            db, services.audit, alarm=alarm.id, person=talk.counselor, now=services.now()
        )


def _channels(services: Services) -> frozenset[Channel]:
    """Say by what somebody can be called who has no page open."""
    ways = {Channel.MAIL: services.mail, Channel.HOOK: services.config.alert_webhook}
    return frozenset(channel for channel, way in ways.items() if way is not None)


@dataclass(slots=True)
class Outside:
    """What goes outside: letters through the mail queue, webhooks in tasks of their own.

    ``flying`` are those on their way; how they fared is written down with the next run.
    """

    renderer: Renderer
    hook: Hook | None
    flying: set[str] = field(default_factory=set)
    fared: list[tuple[Sending, bool]] = field(default_factory=list)
    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def send_due(self, services: Services) -> None:
        """Write down how those before fared, and send what is due."""
        now, fared = services.now(), tuple(self.fared)
        async with services.database.sessions.begin() as db:
            for sending, sent in fared:
                if sent:
                    await alarm_sendings.done(db, sending=sending.id, sent=True, now=now)
                elif not await alarm_sendings.failed(db, sending=sending, now=now):
                    logger.error("alarm.not_sent", extra={"channel": sending.channel.value})
            due = await alarm_sendings.due(db, now=now)
        # Only now: what the database did not take is written down with the next run.
        del self.fared[: len(fared)]
        self.flying -= {sending.id for sending, _ in fared}
        for sending in due:
            if sending.id in self.flying:
                continue
            self.flying.add(sending.id)
            if sending.channel is Channel.MAIL:
                try:
                    await self._write(services, sending)
                except Exception:  # whatever it was, the others go out, and this one is tried again
                    logger.exception("alarm.letter_failed", extra={"sending": sending.id})
                    self.fared.append((sending, False))
            else:
                task = asyncio.create_task(self._post(services, sending), name="alarm webhook")
                self.tasks.add(task)
                task.add_done_callback(self.tasks.discard)

    async def close(self) -> None:
        """Stop what is on its way; it stands in the database and is sent with the next start. Idempotent."""
        for task in (tasks := tuple(self.tasks)):
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        if self.hook is not None:
            await self.hook.close()

    async def _write(self, services: Services, sending: Sending) -> None:
        """Put a letter before all others in the mail queue; without an address there is nothing to send."""
        async with services.database.sessions.begin() as db:
            person = await people.find(db, user=sending.person)
            confirmed = await contacts.is_confirmed(db, user=sending.person)
            address = (
                await contacts.email_of(db, services.subjects, user=sending.person) if confirmed else None
            )
            if person is None or address is None or services.mail is None:
                await alarm_sendings.done(db, sending=sending.id, sent=False, now=services.now())
                self.flying.discard(sending.id)
                return

        def told(sent: bool) -> None:  # noqa: FBT001  # the one thing that is told
            self.fared.append((sending, sent))

        link = f"{services.config.public_url}/duty"
        subject, text = (
            self.renderer.text(person.language, f"letter.urgent_{part}", **places)
            for part, places in (("subject", {}), ("text", {"link": link}))
        )
        await services.mail.send(address, subject, text, operator=True, told=told)

    async def _post(self, services: Services, sending: Sending) -> None:
        said = {
            "type": "urgent",
            "step": sending.kind.value,
            "at": rfc3339(sending.at) or "",
            "open": f"{services.config.public_url}/duty",
        }
        sent = self.hook is not None and await self.hook.post(said, delivery=sending.id, now=services.now())
        self.fared.append((sending, sent))


def setup(app: http.Application, renderer: Renderer) -> None:
    """Add the jobs and what they need, before the application starts."""
    services, ours = app[SERVICES], app[REGISTER]
    calls = app[CALLS] = Calls(Rules(ours.credentials, ours.zone))
    target = services.config.alert_webhook
    outside = Outside(renderer, None if target is None else Hook(target))

    async def look_each_second(services: Services) -> None:
        await look(services, calls)

    async def send_alarms(services: Services) -> None:
        await outside.send_due(services)

    async def going_outside(_app: http.Application) -> AsyncIterator[None]:
        if outside.hook is not None:
            await outside.hook.start()
        yield
        await outside.close()

    app.cleanup_ctx.append(going_outside)
    every(app, EVERY_S, look_each_second)
    every(app, EVERY_S, send_alarms)
