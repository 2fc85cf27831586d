"""`/counselor/desk`: open and close the desk, who waits, what is offered, who is talked with, today.

Of who waits it says pseudonym, topic, medium, wait, risk and suitability, and no more; a client who is kept
from this counselor is not there at all. The page is a sign of life, and asks again without script.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField

from accounts import grants, people
from accounts.people import Person
from accounts.roles import Permission
from core.errors import InvalidState, NotFound
from core.ids import SessionId, UserId
from counseling import appointment_lists, desks, exclusions, histories, register, talks, walkins
from counseling import line as queue
from counseling.appointment_rows import Appointment
from counseling.appointment_states import OPEN
from counseling.entry import Entry, Medium
from counseling.exclusions import NOBODY, Apart
from counseling.histories import Before
from counseling.matchable import Why, why_not
from counseling.standings import standings
from counseling.talks import CASELOAD_DAYS, Talk
from counseling.triage import Risk
from counseling.turns import TURN
from counseling.walkin_states import Alone, Walkin
from web import answering, line, opening
from web.forms import PageForm, do_once, sent
from web.gate import add, person_of
from web.line import BELL, RULES
from web.pages import care
from web.pages.site import SITE, language_of
from web.pages.waiting import told_json
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/counselor/desk"
REFRESH_S: Final = 15
SHOWN: Final = 20
"""How many of those who wait are listed."""
HISTORY: Final = "history"


class WalkinForm(PageForm):
    """Who is meant."""

    walkin = HiddenField()


class TalkForm(PageForm):
    """Which talk is meant."""

    talk = HiddenField()


@dataclass(frozen=True, slots=True)
class Waits:
    """One who waits, as a counselor sees them before a talk."""

    walkin: str
    name: str
    topic: str
    medium: str
    minutes: int
    risk: str
    suits: str
    alone: bool
    known: bool


@dataclass(frozen=True, slots=True)
class Client:
    """One of the caseload; ``talk`` is the last one with them, ``session`` its session if it had one."""

    name: str
    last: datetime
    talk: str
    session: SessionId | None


async def show(request: http.Request) -> http.Response:
    """Answer `GET /counselor/desk`; a sign of life."""
    services, ours, person = request.app[SERVICES], request.app[REGISTER], person_of(request)
    now = services.now()
    async with services.database.sessions.begin() as db:
        await desks.seen(db, counselor=person.id, now=now)
    # Apart from it: where the history is opened that is written to the audit, which comes before any row.
    async with services.database.sessions.begin() as db:
        # First: what the page shows may be newer, and the socket tells it then. Were it older, nothing would.
        told = await line.counselor_news(request, db, counselor=person.id)
        desk = await desks.find(db, counselor=person.id)
        entry = await register.own(db, user=person.id, now=now)
        stands = await standings(db, entries=[entry], today=ours.today(now))
        lately = await talks.of_counselor(db, counselor=person.id, since=now - CASELOAD_DAYS)
        offer = await queue.offer_to(db, counselor=person.id, now=now)
        line_of = await _waiting(db, request, person)
        talk = await talks.open_of_counselor(db, counselor=person.id)
        today = await _today(db, request, person, now)
        clients = [
            *(one.client for one in line_of[: SHOWN + 1]),
            *(one.client for one in lately),
            *(one.client for one in today),
        ]
        names = await _names(db, clients)
        history = await _history(db, request, person, talk, now)
        dropped = await care.shown(request, db, person)
        reasons = await _reasons(db, request, offer) if talk is None else talk.reasons
        apart = await exclusions.apart(db, clients={one.client for one in lately})
    whys = why_not(stands[person.id][1], ours.credentials, today=ours.today(now)) if stands else ()
    rows = [_row(request, one, names, lately, now) for one in line_of if not offer or one.id != offer.id]
    return request.app[SITE].show(
        request,
        "desk/desk.html",
        is_open=desk is not None and desk.open_since is not None,
        whys=[one for one in whys if one is not Why.FULL],
        offer=None if offer is None else _row(request, offer, names, lately, now),
        left_s=_left_s(offer, now),
        rows=rows[:SHOWN],
        more=max(0, len(rows) - SHOWN),
        talk=talk,
        partner="" if talk is None else names.get(talk.client, ""),
        history=history,
        dropped=dropped,
        topic=lambda key: _topic(request, key),
        told=told_json(told.as_json()),
        go=told.go,
        day_plan=[one for one in today if one.client in names],
        names=names,
        reasons=reasons,
        caseload=_caseload([one for one in lately if not _kept(apart, one, entry)], names),
        capacity=entry.practice.capacity,
        refresh_s=REFRESH_S,
    )


async def open_desk(request: http.Request) -> http.Response:
    """Answer `POST /counselor/desk/open`."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        await desks.open_desk(db, services.audit, counselor=person.id, now=services.now())
        return f"{PAGE}?done=desk_open"

    return _rung(request, await do_once(request, form, act))


async def close_desk(request: http.Request) -> http.Response:
    """Answer `POST /counselor/desk/close`."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        await desks.close_desk(db, services.audit, counselor=person.id, now=services.now())
        return f"{PAGE}?done=desk_closed"

    return _rung(request, await do_once(request, form, act))


async def accept(request: http.Request) -> http.Response:
    """Answer `POST /counselor/desk/accept`: the talk begins, and this page leads into the room."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, WalkinForm)

    async def act(db: AsyncSession) -> str:
        talk = await queue.accept(
            db,
            services.audit,
            request.app[RULES],
            counselor=person,
            walkin=str(form.walkin.data),
            now=services.now(),
        )
        if talk.medium is Medium.IN_PERSON:
            return PAGE
        await opening.open_talk(services, db, talk)
        return await opening.place_path(db, await talks.get(db, talk=talk.id), person.id) or PAGE

    try:
        return _rung(request, await do_once(request, form, act))
    except (InvalidState, NotFound):
        # Somebody was first, or the client has gone: the page says who waits now.
        return _to(f"{PAGE}?done=taken")


async def pass_on(request: http.Request) -> http.Response:
    """Answer `POST /counselor/desk/pass`: nobody asks why."""
    return await _pass(request, recuse=False)


async def recuse(request: http.Request) -> http.Response:
    """Answer `POST /counselor/desk/recuse`: never this client; they learn neither that nor why."""
    return await _pass(request, recuse=True)


async def _pass(request: http.Request, *, recuse: bool) -> http.Response:
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, WalkinForm)

    async def act(db: AsyncSession) -> str:
        await queue.pass_on(
            db,
            services.audit,
            counselor=person.id,
            walkin=str(form.walkin.data),
            recuse=recuse,
            now=services.now(),
        )
        return f"{PAGE}?done=passed"

    try:
        return _rung(request, await do_once(request, form, act))
    except (InvalidState, NotFound):
        return _to(f"{PAGE}?done=taken")


async def end(request: http.Request) -> http.Response:
    """Answer `POST /counselor/desk/end`: the talk is over, and so is its session.

    Who is in danger and met nobody in the room is not done with: the others are called.
    """
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, TalkForm)
    talk = str(form.talk.data)

    reason = opening.ENDED_TALK

    async def act(db: AsyncSession) -> str:
        nonlocal reason
        await services.audit.hold(db)
        found = await talks.get(db, talk=talk)
        alarm = await answering.unmet(services, db, found) if found.counselor == person.id else None
        if alarm is not None:
            await answering.give_back(services, db, talk=found, alarm=alarm)
            reason = opening.NOT_COME
            return f"{PAGE}?done=talk_given_back"
        await queue.end_talk(db, services.audit, person=person, talk=talk, now=services.now())
        return f"{PAGE}?done=talk_over"

    response = await do_once(request, form, act)
    async with services.database.sessions() as db:
        ended = await talks.get(db, talk=talk)
    await opening.end_session(services, ended, reason=reason)
    return _rung(request, response)


async def _waiting(db: AsyncSession, request: http.Request, person: Person) -> list[Walkin]:
    """List who waits and is there, without those who are kept from this counselor."""
    entry = await register.find(db, user=person.id)
    recusals = () if entry is None else entry.practice.recusals
    now = request.app[SERVICES].now()
    found = [
        one for one in await walkins.in_line(db) if one.is_present(now) or one.triage.risk is Risk.URGENT
    ]
    kept = await exclusions.apart(db, clients=[one.client for one in found])
    return [one for one in found if not kept.get(one.client, NOBODY).keeps(person.id, recusals)]


def _row(
    request: http.Request, one: Walkin, names: Mapping[UserId, str], lately: Sequence[Talk], now: datetime
) -> Waits:
    return Waits(
        one.id,
        names.get(one.client, ""),
        _topic(request, one.topic),
        one.medium.value,
        int((now - one.asked_at).total_seconds()) // 60,
        one.triage.risk.value,
        one.triage.suitability.value,
        one.alone is Alone.YES,
        any(talk.client == one.client for talk in lately),
    )


def _topic(request: http.Request, key: str) -> str:
    return next(iter(request.app[REGISTER].topics([key], language_of(request))), key)


def _left_s(offer: Walkin | None, now: datetime) -> int:
    if offer is None or offer.offered_at is None:
        return 0
    return max(0, int((offer.offered_at + TURN - now).total_seconds()))


async def _today(db: AsyncSession, request: http.Request, person: Person, now: datetime) -> list[Appointment]:
    """List what is booked for today in the service's zone."""
    zone = request.app[REGISTER].zone
    begins = datetime.combine(now.astimezone(zone).date(), time(), zone)
    found = await appointment_lists.of_counselor(
        db, counselor=person.id, since=begins, until=begins + timedelta(days=1)
    )
    return [one for one in found if one.state in OPEN]


async def _names(db: AsyncSession, users: Sequence[UserId]) -> dict[UserId, str]:
    """Name the clients who are there; one who asked to be erased is gone for everybody else."""
    found = await people.find_all(db, users=list(dict.fromkeys(users)))
    return {person.id: person.name for person in found if not person.is_leaving}


async def _history(
    db: AsyncSession, request: http.Request, person: Person, talk: Talk | None, now: datetime
) -> Sequence[Before]:
    """Open what the client shares with this counselor; that it was opened stands in the audit once."""
    audit = request.app[SERVICES].audit
    if talk is None or not talk.shares_history:
        return ()
    permission, subject = Permission.SERVE, talk.client
    grant = await grants.current(db, audit, person=person, permission=permission, subject=subject, now=now)
    if grant is None:
        grant = await grants.give(
            db, audit, person=person, permission=permission, subject=subject, purpose=HISTORY, now=now
        )
    return await histories.shared(db, grant, talk=talk, now=now)


async def _reasons(db: AsyncSession, request: http.Request, offer: Walkin | None) -> Sequence[str]:
    """Say why somebody is offered to this counselor, as it is now."""
    if offer is None:
        return ()
    user, now = person_of(request).id, request.app[SERVICES].now()
    with contextlib.suppress(queue.Unfit):  # it is taken back in a moment
        return await queue.why(db, request.app[RULES], walkin=offer.id, counselor=user, now=now)
    return ()


def _kept(apart: Mapping[UserId, Apart], talk: Talk, entry: Entry) -> bool:
    """Whether these two are kept apart by now: the client then looks like one who has gone."""
    return apart.get(talk.client, NOBODY).keeps(talk.counselor, entry.practice.recusals)


def _caseload(lately: Sequence[Talk], names: Mapping[UserId, str]) -> list[Client]:
    """List each client who is there once, whom one talked with last first."""
    last: dict[UserId, Talk] = {}
    for talk in lately:
        if talk.client in names:
            last.setdefault(talk.client, talk)
    return [Client(names[client], talk.begun_at, talk.id, talk.session) for client, talk in last.items()]


def _rung(request: http.Request, response: http.Response) -> http.Response:
    request.app[BELL].ring()
    return response


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the desk."""
    add(app, "GET", PAGE, show, Permission.SERVE)
    add(app, "POST", PAGE + "/open", open_desk, Permission.SERVE)
    add(app, "POST", PAGE + "/close", close_desk, Permission.SERVE)
    add(app, "POST", PAGE + "/accept", accept, Permission.SERVE)
    add(app, "POST", PAGE + "/pass", pass_on, Permission.SERVE)
    add(app, "POST", PAGE + "/recuse", recuse, Permission.SERVE)
    add(app, "POST", PAGE + "/end", end, Permission.SERVE)
