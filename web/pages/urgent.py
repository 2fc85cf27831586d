"""`/talk/urgent`: for who is in danger, while we call. `/talk/safe`: for who cannot speak freely.

No account, no consent and no question stands before it, and nothing slows it down. The page stays and asks
again by itself, with script every few seconds and without by a refresh; once somebody answers it leads into
the room. It never offers a message or a booking instead.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.roles import Permission
from core.ids import UserId
from counseling import alarms, crisis, talks, walkins
from counseling.alarms import Alarm
from counseling.crisis import Line, Signoff
from counseling.entry import Medium
from counseling.triage import Answers, Safe, triage
from counseling.walkin_states import Alone, Ended, State, Walkin
from web import answering, arriving, escalation, opening
from web.duties import DUTIES, clinical_digest, clock
from web.escalation import CALLS
from web.forms import OldForm, PageForm, blank, do_once, sent
from web.gate import add, visitor_of
from web.pages.navigation import home_of
from web.pages.site import SITE, language_of
from web.services import SERVICES

PAGE: Final = "/talk/urgent"
WAITING: Final = "/talk/waiting"
PURPOSE: Final = "urgent call"


@dataclass(frozen=True, slots=True)
class Called:
    """Where a client's call stands. ``place`` is the room that somebody who answered waits in."""

    walkin: Walkin
    alarm: Alarm
    place: str | None

    @property
    def version(self) -> str:
        """Changes whenever the page says something else."""
        course = self.alarm.course
        return f"{self.alarm.id}.{course.state.value}.{course.misses}.{'go' if self.place else 'wait'}"

    @property
    def is_over(self) -> bool:
        """Whether nobody is called any more and nobody is there."""
        return not self.alarm.is_open and self.place is None and self.walkin.state is not State.TALKING


async def show(request: http.Request) -> http.Response:
    """Answer `GET /talk/urgent`: the call that goes on, the room once somebody answers, or how to call."""
    person = visitor_of(request).person
    if person is not None and not person.is_client:
        return _to(home_of(person))
    called = None if person is None else await _called(request, person.id)
    if called is None or called.is_over:
        return await _ask(request, blank(request, PageForm))
    if called.place is not None:
        return _to(called.place)
    lines, signed = await helping(request)
    language, zone = language_of(request), request.app[DUTIES].zone
    began = called.alarm.course.raised_at.astimezone(zone)
    return request.app[SITE].show(
        request,
        "urgent/page.html",
        state="told" if called.alarm.told is not None else "calling",
        told=None if called.alarm.told is None else called.alarm.told.value,
        version=called.version,
        missed=called.alarm.course.misses > 0,
        safe=called.alarm.safe,
        since=clock(began.hour * 60 + began.minute, language),
        quiet=(quiet := called.walkin.alone is not Alone.YES),
        signed=signed,
        **_said(lines, violence_first=quiet),
    )


async def state(request: http.Request) -> http.Response:
    """Answer `GET /talk/urgent/state`: what the page asks every few seconds; a sign of life too."""
    person = visitor_of(request).person
    called = None if person is None or not person.is_client else await _called(request, person.id)
    if called is None or called.is_over:
        return http.json_response({"version": "", "go": None})
    return http.json_response({"version": called.version, "go": called.place})


async def call(request: http.Request) -> http.Response:
    """Answer `POST /talk/urgent`: call at once. Whoever is nobody yet gets an account with it, unasked."""
    person = visitor_of(request).person
    if person is not None and not person.is_client:
        return _to(home_of(person))
    try:
        form = await sent(request, PageForm)
    except OldForm:
        # Nobody in danger loses a minute over a page that grew old; the gate has seen that it is our own.
        form = blank(request, PageForm)
    services, language = request.app[SERVICES], language_of(request)

    async def act(db: AsyncSession) -> str:
        client = await arriving.somebody(request, db, form, purpose=PURPOSE, adult=None)
        now, found = services.now(), triage(Answers(danger=True))
        if (talk := await opening.make_way(services, db, client=client.id)) is not None:
            await answering.said_in_talk(
                services, db, talk=talk, client=client, found=found, language=language
            )
            return WAITING  # somebody is there already
        open_ = await walkins.find_open(db, client=client.id)
        if open_ is None:
            open_ = await walkins.ask(
                db,
                services.audit,
                client=client,
                language=language,
                topic=walkins.OTHER_TOPIC,
                medium=Medium.CHAT,
                alone=Alone.UNSURE,
                triage=found,
                now=now,
            )
        else:
            await walkins.seen(db, walkin=open_.id, now=now)
            open_ = await walkins.retriage(db, services.audit, walkin=open_.id, triage=found, now=now)
        await escalation.raise_alarm(services, db, open_)
        return PAGE

    response = await do_once(request, form, act)
    await escalation.look(services, request.app[CALLS])
    if person is not None:
        await services.calls.recheck_recordings_of(person.id)
    return await arriving.answer(request, response, form, purpose=PURPOSE)


async def safe(request: http.Request) -> http.Response:
    """Answer `POST /talk/urgent/safe`: keep the answer, for whoever will talk with the client."""
    form, services = await sent(request, PageForm), request.app[SERVICES]
    person = visitor_of(request).person
    said = str((await request.post()).get("safe", ""))

    async def act(db: AsyncSession) -> str:
        called = None if person is None else await _find(db, person.id)
        if called is None or said not in list(Safe) or not called[1].is_open:
            return PAGE
        walkin, alarm = called
        answer, now = Safe(said), services.now()
        await alarms.say_safe(db, services.audit, alarm=alarm.id, safe=answer, now=now)
        found = triage(Answers(danger=True, safe_now=answer))
        await walkins.retriage(db, services.audit, walkin=walkin.id, triage=found, now=now)
        return PAGE

    return await do_once(request, form, act)


async def leave(request: http.Request) -> http.Response:
    """Answer `POST /talk/urgent/leave`: nobody needs to be called any more."""
    form, services = await sent(request, PageForm), request.app[SERVICES]
    person = visitor_of(request).person

    async def act(db: AsyncSession) -> str:
        called = None if person is None else await _find(db, person.id)
        if called is not None and called[0].state in {State.WAITING, State.OFFERED}:
            await walkins.leave(db, services.audit, walkin=called[0].id, why=Ended.LEFT, now=services.now())
        return f"{PAGE}?done=urgent_left"

    response = await do_once(request, form, act)
    await escalation.look(services, request.app[CALLS])
    return response


async def safety(request: http.Request) -> http.Response:
    """Answer `GET /talk/safe`: help against violence at home, a discreet view, a word that ends it all."""
    lines, signed = await helping(request)
    return request.app[SITE].show(request, "urgent/safety.html", signed=signed, **_said(lines))


async def helping(request: http.Request) -> tuple[list[Line], Signoff | None]:
    """Give the lines that are open at this hour, in the order of fallback, and who signed the words off."""
    services, now = request.app[SERVICES], request.app[SERVICES].now()
    async with services.database.sessions() as db:
        found = crisis.ordered(await crisis.shown(db), now, request.app[DUTIES].zone)
        signed = await crisis.signoff(db, digest=clinical_digest(request.app[SITE].renderer))
    return [line for line, is_open in found if is_open], signed


def _said(lines: list[Line], *, violence_first: bool = False) -> dict[str, Any]:
    """Give what the templates of the lines ask for; each line once. Where all are closed the page says so."""
    violence = [line for line in lines if line.violence]
    return {
        "lines": [line for line in lines if line not in violence] or lines if violence_first else lines,
        "violence": violence,
        "numbers": crisis.spoken,
        "dial": crisis.dial,
    }


async def _called(request: http.Request, client: UserId) -> Called | None:
    """Read where a client's call stands, and note that they are there."""
    services = request.app[SERVICES]
    async with services.database.sessions.begin() as db:
        found = await _find(db, client)
        if found is None:
            return None
        walkin, alarm = found
        if walkin.ended_at is None:
            await walkins.seen(db, walkin=walkin.id, now=services.now())
        talk = await talks.open_of_client(db, client=client)
        place = None if talk is None else await opening.place_path(db, talk, client)
    return Called(walkin, alarm, place)


async def _find(db: AsyncSession, client: UserId) -> tuple[Walkin, Alarm] | None:
    """Give a client's open walk-in and its alarm."""
    walkin = await walkins.find_open(db, client=client)
    alarm = None if walkin is None else await alarms.alarm_of(db, walkin=walkin.id)
    return None if walkin is None or alarm is None else (walkin, alarm)


async def _ask(request: http.Request, form: PageForm) -> http.Response:
    lines, signed = await helping(request)
    return request.app[SITE].show(request, "urgent/ask.html", form=form, signed=signed, **_said(lines))


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the urgent path and the page of those who cannot speak freely."""
    add(app, "GET", PAGE, show, Permission.OPEN)
    add(app, "POST", PAGE, call, Permission.OPEN)
    add(app, "GET", PAGE + "/state", state, Permission.OPEN)
    add(app, "POST", PAGE + "/safe", safe, Permission.OPEN)
    add(app, "POST", PAGE + "/leave", leave, Permission.OPEN)
    add(app, "GET", "/talk/safe", safety, Permission.OPEN)
