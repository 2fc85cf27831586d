"""`/duty`: the duty desk, where urgent calls are answered; and the alarm on every page of who may answer.

Answering is taking the talk: who answers is written down, the talk begins, and both are led into its room.
What a client said in a talk is answered by having read it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.people import Person
from accounts.roles import Permission
from core.errors import Forbidden, InvalidState
from core.ids import UserId
from counseling import alarms, line, roster, talks, urgent, walkins
from counseling.around import around
from counseling.talks import Busy
from counseling.urgent import Around
from web import alarm_socket, answering, drops, escalation, opening
from web.duties import DUTIES
from web.escalation import CALLS, Call
from web.forms import PageForm, do_once, sent
from web.gate import add, person_of
from web.line import BELL
from web.pages import care
from web.pages.site import SITE, language_of
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/duty"


@dataclass(frozen=True, slots=True)
class Shown:
    """One alarm as the desk shows it: what helps to answer, and nothing more of the client."""

    id: str
    walkin: str
    name: str
    raised_at: datetime
    minutes: int
    held: bool
    present: bool
    safe: str | None
    reasons: tuple[str, ...]
    topic: str
    alone: str
    language: str
    told: bool
    with_whom: str | None
    """The counselor in whose talk it was said; None while the client waits for somebody."""
    missed: tuple[str, ...]
    """Who answered and did not come."""


async def desk(request: http.Request) -> http.Response:
    """Answer `GET /duty`."""
    return await _show(request)


async def _show(request: http.Request, *, wrong: str = "", status: int = 200) -> http.Response:
    services, calls, person = request.app[SERVICES], request.app[CALLS], person_of(request)
    await escalation.look(services, calls)
    now = services.now()
    mine = [call for call in calls.now if call.concerns(person)]
    async with services.database.sessions() as db:
        held = await roster.load(db, zone=request.app[DUTIES].zone, now=now)
        dropped = await care.shown(request, db, person)
        found = await people.find_all(db, users=sorted({user for call in mine for user in _persons(call)}))
    names = {person.id: person.name for person in found}
    return request.app[SITE].show(
        request,
        "duty/desk.html",
        status=status,
        wrong=wrong,
        dropped=dropped,
        standing=_standing(Around(duty=held.on_duty(now)), person),
        calls=[_shown(request, call, names, now) for call in mine],
        comes_s=int(urgent.COMES_WITHIN.total_seconds()),
    )


async def take(request: http.Request) -> http.Response:
    """Answer `POST /duty/{alarm}/take`: answer, begin the talk, and lead into its room.

    What was said in a talk is only noted as read: its counselor has the room open beside this page.
    """
    form, person, services = await sent(request, PageForm), person_of(request), request.app[SERVICES]
    number, rules = request.match_info["alarm"], request.app[CALLS].rules

    async def act(db: AsyncSession) -> str:
        now = services.now()
        alarm = await alarms.get(db, alarm=number)
        duties = await roster.load(db, zone=rules.zone, now=now)
        talk = await answering.said_in(db, alarm)
        there = await around(db, rules, walkin=alarm.walkin, roster=duties, now=now)
        there = answering.within(there, talk)
        walkin = await walkins.get(db, walkin=alarm.walkin)
        if alarm.is_open and not Call(alarm, walkin, there).concerns(person):
            raise Forbidden("This is not open to you.")
        await alarms.acknowledge(db, services.audit, alarm=number, person=person.id, now=now)
        if talk is not None:
            return PAGE
        if walkin.is_held:
            raise InvalidState("The client has left by the quick exit.")
        talk = await line.accept(
            db,
            services.audit,
            rules,
            counselor=person,
            walkin=walkin.id,
            on_duty=person.id not in there.fitting,
            now=now,
        )
        await opening.open_talk(services, db, talk)
        opened = await talks.get(db, talk=talk.id)
        return await opening.place_path(db, opened, person.id) or PAGE

    try:
        response = await do_once(request, form, act)
    except Busy:
        return await _show(request, wrong="busy", status=409)
    except InvalidState:
        return await _show(request, wrong="taken", status=409)
    request.app[BELL].ring()
    await escalation.look(services, request.app[CALLS])
    return response


def _standing(there: Around, person: Person) -> str:
    """Say what somebody is at this hour."""
    if there.duty is not None and person.id == there.duty.person:
        return "on_duty"
    return "deputy" if there.duty is not None and person.id == there.duty.deputy else "off_duty"


def _persons(call: Call) -> set[UserId]:
    """Name who is named on the desk: the client, whom they talk with, and who did not come."""
    met = set() if call.talk is None else {call.talk.counselor}
    return {call.alarm.client, *met, *call.alarm.course.missed}


def _shown(request: http.Request, call: Call, names: Mapping[UserId, str], now: datetime) -> Shown:
    language, marks = language_of(request), request.app[REGISTER].marks
    walkin, raised_at = call.walkin, call.alarm.course.raised_at
    topic, spoken = marks.topics.get(walkin.topic), marks.languages.get(walkin.language)
    return Shown(
        id=call.alarm.id,
        walkin=walkin.id,
        name=names.get(call.alarm.client, ""),
        raised_at=raised_at,
        minutes=int((now - raised_at).total_seconds()) // 60,
        held=walkin.is_held,
        present=walkin.is_present(now),
        safe=None if call.alarm.safe is None else call.alarm.safe.value,
        reasons=walkin.triage.reasons,
        topic=walkin.topic if topic is None else topic[language],
        alone=walkin.alone.value,
        language=walkin.language if spoken is None else spoken[language],
        told=call.alarm.told is not None,
        with_whom=None if call.talk is None else names.get(call.talk.counselor, ""),
        missed=tuple(names.get(user, "") for user in call.alarm.course.missed),
    )


def setup(app: http.Application) -> None:
    """Add the duty desk and the alarm, before the application starts."""
    escalation.setup(app, app[SITE].renderer)
    drops.setup(app)
    alarm_socket.setup(app)
    add(app, "GET", PAGE, desk, Permission.DUTY)
    add(app, "POST", PAGE + "/{alarm}/take", take, Permission.DUTY)
