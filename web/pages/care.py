"""`/counselor/room/{participant}/…`: the risk flag, and what a counselor needs when a line breaks.

The room page asks for it; a session that a program made has none. `/drops/{drop}/…` are the forms of the desk
and of the duty desk. The number is shown only where the client asked to be called (`web/pages/contact.py`
has the same without script), and opening it stands in the audit that the client reads.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

import msgspec
from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants, people
from accounts.people import Person
from accounts.roles import Permission
from core.errors import Forbidden, InvalidState, NotFound
from core.ids import ParticipantId
from counseling import drops, preparation, risk_flags, talks
from counseling.drop_states import Event, State
from counseling.drops import Drop
from counseling.preparation import OnDrop
from counseling.talks import Talk
from signaling import directory
from signaling.presence import Presence
from web.bodies import read_body
from web.card import does_on_drop
from web.drops import DROPS, go_by_phone, look
from web.forms import PageForm, do_once, sent
from web.gate import add, person_of
from web.pages.site import SITE
from web.register import REGISTER
from web.services import SERVICES, Services

ROOM: Final = "/counselor/room/{participant}"


class RiskIn(msgspec.Struct, forbid_unknown_fields=True):
    """Whether the counselor sees a risk."""

    stands: bool


class DropOut(msgspec.Struct):
    """An open drop; times in milliseconds since 1970, as browsers count."""

    calling: bool
    broke_ms: int
    kept_until_ms: int | None


class CareOut(msgspec.Struct):
    """What the room shows a counselor. ``does`` is what a drop does; ``chose`` what the client asked for."""

    risk: bool
    chose: str
    does: str
    write: str
    contact: str
    drop: DropOut | None


class NumberOut(msgspec.Struct):
    """The number that the client asked to be called at."""

    number: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One drop as the desks show it. ``own``: it is the reader's own talk."""

    id: str
    talk: str
    name: str
    state: str
    own: bool
    chose: str
    does: str
    broke_at: datetime
    kept_until: datetime | None
    phoned_at: datetime | None


async def show(request: http.Request) -> http.Response:
    """Answer `GET …/care`."""
    async with request.app[SERVICES].database.sessions() as db:
        talk = await _talk(request, db)
        return _json(await _care(db, talk))


async def put_risk(request: http.Request) -> http.Response:
    """Answer `POST …/risk`: raise the flag, or take it down."""
    services, person = request.app[SERVICES], person_of(request)
    said = await read_body(request, RiskIn)
    now = services.now()
    async with services.database.sessions.begin() as db:
        talk = await _talk(request, db)
        await risk_flags.put(
            db,
            services.audit,
            talk=talk,
            counselor=person.id,
            raised=said.stands,
            today=request.app[REGISTER].today(now),
            now=now,
        )
        care = await _care(db, talk)
    await services.calls.recheck_recordings_of(talk.client)
    await look(services, request.app[DROPS])
    return _json(care)


async def see_in_room(request: http.Request) -> http.Response:
    """Answer `POST …/seen`: the counselor looks after it, nothing sounds any more."""
    services, person = request.app[SERVICES], person_of(request)
    async with services.database.sessions.begin() as db:
        talk = await _talk(request, db)
        drop = await drops.of_talk(db, talk=talk.id)
        if drop is not None:
            await drops.see(db, services.audit, drop=drop.id, person=person.id, now=services.now())
        care = await _care(db, talk)
    await look(services, request.app[DROPS])
    return _json(care)


async def call(request: http.Request) -> http.Response:
    """Answer `POST …/call`: the number to call, and the session goes on by telephone."""
    services, person = request.app[SERVICES], person_of(request)
    async with services.database.sessions.begin() as db:
        talk = await _talk(request, db)
        number = await open_number(request, db, talk=talk, person=person)
    await look(services, request.app[DROPS])
    return _json(NumberOut(number))


async def open_number(request: http.Request, db: AsyncSession, *, talk: Talk, person: Person) -> str:
    """Open the number of a client who asked to be called, and go on by telephone.

    Raises ``NotFound`` where there is none, and ``InvalidState`` while they are here: they asked to be called
    when the line breaks.
    """
    services: Services = request.app[SERVICES]
    session = None if talk.session is None else await directory.find(db, session_id=talk.session)
    places = () if session is None else session.participants
    if any(
        place.user == talk.client and services.survey.presence(place.id) is Presence.THERE for place in places
    ):
        raise InvalidState("They are here: a number is opened when the line breaks.")
    found = await preparation.of_talk(db, talk=talk.id)
    if found is None or await does_on_drop(db, talk=talk) is not OnDrop.CALL:
        raise NotFound("There is no number to call.")
    client = await people.get(db, user=talk.client)
    grant = await grants.give(
        db,
        services.audit,
        person=person,
        permission=Permission.CALL_BACK,
        subject=talk.client,
        object_id=found.id,
        purpose=request.app[SITE].renderer.text(client.language, "contact.call_purpose"),
        now=services.now(),
    )
    number = await preparation.number_to_call(db, grant, services.audit, talk=talk.id, now=services.now())
    await go_by_phone(services, db, talk=talk, counselor=person.id)
    return number


async def see(request: http.Request) -> http.Response:
    """Answer `POST /drops/{drop}/see`."""
    return await _change(request, None)


async def close(request: http.Request) -> http.Response:
    """Answer `POST /drops/{drop}/close`: it has been looked after."""
    return await _change(request, Event.CLOSE)


async def _change(request: http.Request, event: Event | None) -> http.Response:
    services, person = request.app[SERVICES], person_of(request)
    form, number = await sent(request, PageForm), request.match_info["drop"]
    page = "/counselor/desk" if person.may(Permission.SERVE) else "/duty"

    async def change(db: AsyncSession) -> str:
        now = services.now()
        drop = await drops.get(db, drop=number)
        if person.id not in (drop.counselor, drop.duty):
            raise Forbidden("This is not your talk.")
        if event is None:
            await drops.see(db, services.audit, drop=number, person=person.id, now=now)
        else:
            await drops.end(db, services.audit, drop=number, why=event, person=person.id, now=now)
        return page

    try:
        response = await do_once(request, form, change)
    except InvalidState:
        # The client came back between: the page says so.
        response = http.Response(status=303, headers={"Location": page})
    await look(services, request.app[DROPS])
    return response


async def shown(request: http.Request, db: AsyncSession, person: Person) -> list[Shown]:
    """List the drops that stand on somebody's pages, each with what its client chose."""
    found = request.app[DROPS].of(person.id)
    names = {one.id: one.name for one in await people.find_all(db, users=[drop.client for drop in found])}
    rows = []
    for drop in found:
        talk = await talks.get(db, talk=drop.talk)
        rows.append(
            Shown(
                id=drop.id,
                talk=drop.talk,
                name=names.get(drop.client, ""),
                state=drop.state.value,
                own=drop.counselor == person.id,
                chose=(await preparation.on_drop(db, talk=drop.talk)).value,
                does=(await does_on_drop(db, talk=talk)).value,
                broke_at=drop.broke_at,
                kept_until=drop.kept_until,
                phoned_at=drop.phoned_at,
            )
        )
    return rows


async def _talk(request: http.Request, db: AsyncSession) -> Talk:
    """Find the counselor's own talk by their place. Raises ``NotFound``, also for places of others."""
    person, participant = person_of(request), ParticipantId(request.match_info["participant"])
    session = await directory.place_of(db, participant_id=participant)
    place = None if session is None else session.participant(participant)
    if session is None or place is None or place.user != person.id:
        raise NotFound("There is nothing here.")
    talk = await talks.of_session(db, session=session.id)
    if talk is None or talk.counselor != person.id:
        raise NotFound("There is nothing here.")
    return talk


async def _care(db: AsyncSession, talk: Talk) -> CareOut:
    drop = await drops.of_talk(db, talk=talk.id)
    return CareOut(
        risk=await risk_flags.stands(db, talk=talk.id),
        chose=(await preparation.on_drop(db, talk=talk.id)).value,
        does=(await does_on_drop(db, talk=talk)).value,
        write=f"/counselor/messages/to/{talk.id}",
        contact=f"/contact/{talk.id}",
        drop=None if drop is None else _drop(drop),
    )


def _drop(drop: Drop) -> DropOut:
    until = drop.kept_until
    return DropOut(drop.state is State.CALLING, _ms(drop.broke_at), None if until is None else _ms(until))


def _ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)


def _json(body: msgspec.Struct) -> http.Response:
    return http.Response(
        body=msgspec.json.encode(body),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def setup(app: http.Application) -> None:
    """Add what the room asks for, and the forms of the desks."""
    add(app, "GET", f"{ROOM}/care", show, Permission.SERVE)
    add(app, "POST", f"{ROOM}/risk", put_risk, Permission.SERVE)
    add(app, "POST", f"{ROOM}/seen", see_in_room, Permission.SERVE)
    add(app, "POST", f"{ROOM}/call", call, Permission.CALL_BACK)
    add(app, "POST", "/drops/{drop}/see", see, Permission.DUTY)
    add(app, "POST", "/drops/{drop}/close", close, Permission.DUTY)
