"""A person's way to a place: a join code, or their own login, becomes a cookie; each page gets a ticket.

The cookie alone opens nothing: the WebSocket asks for the ticket too, which only a page of ours can
read, so another site cannot ride on the cookie.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import msgspec
from aiohttp import web as http
from msgspec import Meta
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.logins import Login
from accounts.roles import Permission
from accounts.tokens import PlaceClaims
from core.errors import InvalidInput, NotFound, Unauthenticated
from core.ids import ParticipantId
from recordings import receipts, withdrawals
from signaling import directory
from signaling.directory import ParticipantRecord, Recording, Role, SessionRecord, SessionState
from signaling.wire import Comer
from web import withdrawing
from web.bodies import read_body
from web.client import client_address
from web.gate import Visitor, add, user_of, visitor_of
from web.services import SERVICES, Services

TICKET_PREFIX = "teduh.ticket."
COOKIE_PREFIX = "teduh_place_"
# Each is about 400 bytes, and a server takes 8 KiB of them at most: with all of a counselor's day it
# would answer nothing any more.
MOST_PLACES = 8


class CodeIn(msgspec.Struct, frozen=True):
    """What a join link carries in its fragment."""

    code: Annotated[str, Meta(min_length=1, max_length=100)]


class PlaceOut(msgspec.Struct, frozen=True):
    """What the room page needs to enter; the cookie goes beside it.

    ``login``: it is the place of somebody with a login here. ``agreed``: whoever sits there agreed once to be
    recorded; ``recorded``: the session was.
    """

    participant: str
    session: str
    role: str
    mode: str
    recording: str
    login: bool
    agreed: bool
    recorded: bool
    ticket: str


class ConsentIn(msgspec.Struct, frozen=True):
    """A consent that is taken back; ``token`` is a program's, where no cookie opens the place."""

    participant: Annotated[str, Meta(min_length=1, max_length=40)]
    subject: Literal["recording"]
    granted: bool
    token: Annotated[str, Meta(max_length=4_000)] | None = None


def setup(app: http.Application) -> None:
    """Add the ways to a place, and out of a recording."""
    add(app, "POST", "/api/v1/place/consent", consent, Permission.PLACE)
    add(app, "POST", "/api/v1/place", exchange, Permission.PLACE)
    add(app, "POST", "/api/v1/place/{participant}/ticket", ticket, Permission.PLACE)


async def exchange(request: http.Request) -> http.Response:
    """Answer ``POST /api/v1/place``: a join code becomes a cookie and a ticket."""
    services = request.app[SERVICES]
    wanted = await read_body(request, CodeIn)
    now = services.now()
    async with services.database.sessions() as db:
        place = await directory.open_code(db, code=wanted.code, now=now)
        session = None if place is None else await directory.find(db, session_id=place.session_id)
        made = None if place is None or session is None else await _made(db, session, place)
    if place is None or session is None or made is None:
        services.attempts.spend(client_address(request, services.config), services.clock.monotonic())
        raise NotFound("This link has expired or was never given out.")
    cookie = _cookie(services, session, place)
    response = _answer(services, session, place, cookie, made)
    _give(request, response, session, place, cookie, lasting=True)
    return response


async def ticket(request: http.Request) -> http.Response:
    """Answer ``POST /api/v1/place/{participant}/ticket``: a reloaded page gets a new ticket.

    Who is logged in gets the place's cookie too, when it is theirs.
    """
    services = request.app[SERVICES]
    participant = ParticipantId(request.match_info["participant"])
    cookie = request.cookies.get(cookie_name(participant), "")
    visitor = visitor_of(request)
    try:
        _read(request, cookie, participant)
        holds = True
    except Unauthenticated:
        holds = False
        if _is_leaving(visitor):
            raise
    async with services.database.sessions() as db:
        session, place = await _place(db, participant)
        made = await _made(db, session, place)
    if holds:
        return _answer(services, session, place, cookie, made)
    if visitor.person is None or place.user != visitor.person.id or session.state is SessionState.ENDED:
        raise Unauthenticated("This browser has no such place.")
    cookie = _cookie(services, session, place, login=visitor.login)
    response = _answer(services, session, place, cookie, made)
    _give(request, response, session, place, cookie, lasting=False)
    return response


async def consent(request: http.Request) -> http.Response:
    """Answer ``POST /api/v1/place/consent``: a withdrawal, also when the room is gone or the session over.

    A program's token opens this for as long as there is a recording, though it has expired for anything else.
    """
    services = request.app[SERVICES]
    wanted = await read_body(request, ConsentIn)
    if wanted.granted:
        raise InvalidInput("A consent is given in the room, where its text is shown.")
    participant = ParticipantId(wanted.participant)
    if wanted.token is None:
        async with services.database.sessions() as db:
            await sits(request, db, participant)
    elif services.tokens.read_place_late(wanted.token).participant != participant:
        raise Unauthenticated("This token is of another place.")
    await withdrawing.of_place(services, participant)
    return http.Response(status=204)


def _cookie(
    services: Services, session: SessionRecord, place: ParticipantRecord, *, login: Login | None = None
) -> str:
    return services.tokens.issue_cookie(
        participant=place.id,
        session=session.id,
        role=place.role.value,
        now=services.now(),
        expires=session.places_until,
        login=None if login is None else login.id,
    )


def _give(
    request: http.Request,
    response: http.Response,
    session: SessionRecord,
    place: ParticipantRecord,
    cookie: str,
    *,
    lasting: bool,
) -> None:
    """Put the place's cookie into an answer, and take the oldest others away when they are many.

    One that comes from a login is gone with the browser's window, as the login may be on a shared phone.
    """
    services = request.app[SERVICES]
    response.set_cookie(
        cookie_name(place.id),
        cookie,
        max_age=int((session.places_until - services.now()).total_seconds()) if lasting else None,
        path="/",
        httponly=True,
        samesite="Strict",
        secure=services.config.secure,
    )
    # Browsers send the oldest first (RFC 6265, 5.4).
    others = [
        name for name in request.cookies if name.startswith(COOKIE_PREFIX) and name != cookie_name(place.id)
    ]
    for name in others[: max(0, len(others) + 1 - MOST_PLACES)]:
        response.del_cookie(name, path="/", httponly=True, samesite="Strict", secure=services.config.secure)


def comer_of(request: http.Request) -> Comer:
    """Say who comes with a WebSocket upgrade: whose place, by cookie and ticket, and by which login.

    The ticket is the subprotocol ``teduh.ticket.…`` and names the cookie that it goes with.
    """
    services = request.app[SERVICES]
    user = user_of(request)
    offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")
    sent = [one.strip()[len(TICKET_PREFIX) :] for one in offered if one.strip().startswith(TICKET_PREFIX)]
    if len(sent) != 1:
        return Comer(user=user)
    try:
        participant = services.tokens.ticket_participant(sent[0])
        cookie = request.cookies.get(cookie_name(participant), "")
        services.tokens.read_ticket(sent[0], cookie=cookie, now=services.now())
        claims = _read(request, cookie, participant)
    except Unauthenticated:
        return Comer(user=user)
    return Comer(participant, user, claims.login)


def _read(request: http.Request, cookie: str, participant: ParticipantId) -> PlaceClaims:
    """Read a place's cookie. One that a login was given holds only with this login.

    Raises ``Unauthenticated``.
    """
    services = request.app[SERVICES]
    claims = services.tokens.read_cookie(cookie, now=services.now())
    visitor = visitor_of(request)
    by_login = claims.login is None or (
        visitor.login is not None and visitor.login.id == claims.login and not _is_leaving(visitor)
    )
    if claims.participant != participant or not by_login:
        raise Unauthenticated("This browser has no such place.")
    return claims


async def sits(request: http.Request, db: AsyncSession, participant: ParticipantId) -> SessionRecord:
    """Give the session of a place that is this browser's, by its cookie or by the login.

    Raises ``Unauthenticated``.
    """
    session, place = await _place(db, participant)
    person = visitor_of(request).person
    if person is None or place.user != person.id:
        _read(request, request.cookies.get(cookie_name(participant), ""), participant)
    return session


def _is_leaving(visitor: Visitor) -> bool:
    return visitor.person is None or visitor.person.is_leaving


def drop_places(request: http.Request, response: http.StreamResponse) -> None:
    """Take the cookies of all places from this browser."""
    secure = request.app[SERVICES].config.secure
    for name in request.cookies:
        if name.startswith(COOKIE_PREFIX):
            response.del_cookie(name, path="/", httponly=True, samesite="Strict", secure=secure)


def clients_places(request: http.Request) -> list[ParticipantId]:
    """List the places that this browser's cookies hold as a client."""
    services = request.app[SERVICES]
    found = []
    for name, cookie in request.cookies.items():
        if name.startswith(COOKIE_PREFIX):
            try:
                claims = services.tokens.read_cookie(cookie, now=services.now())
            except Unauthenticated:
                continue
            if claims.role == Role.CLIENT.value:
                found.append(claims.participant)
    return found


def cookie_name(participant: ParticipantId) -> str:
    """Name the cookie of a place: one browser may sit in several."""
    return f"{COOKIE_PREFIX}{participant}"


async def _place(db: AsyncSession, participant: ParticipantId) -> tuple[SessionRecord, ParticipantRecord]:
    session = await directory.place_of(db, participant_id=participant)
    place = None if session is None else session.participant(participant)
    if session is None or place is None:
        raise Unauthenticated("This browser has no such place.")
    return session, place


@dataclass(frozen=True, slots=True)
class _Made:
    """What there is of a recording, for the page to lead to at the end."""

    agreed: bool
    recorded: bool


async def _made(db: AsyncSession, session: SessionRecord, place: ParticipantRecord) -> _Made:
    if session.recording is Recording.OFF:
        return _Made(agreed=False, recorded=False)
    said = await receipts.of_place(db, session=session.id, participant=place.id)
    newest = await withdrawals.latest(db, session=session.id)
    return _Made(agreed=bool(said), recorded=newest is not None)


def _answer(
    services: Services, session: SessionRecord, place: ParticipantRecord, cookie: str, made: _Made
) -> http.Response:
    body = PlaceOut(
        participant=place.id,
        session=session.id,
        role=place.role.value,
        mode=session.mode.value,
        recording=session.recording.value,
        login=place.user is not None,
        agreed=made.agreed,
        recorded=made.recorded,
        ticket=services.tokens.issue_ticket(participant=place.id, cookie=cookie, now=services.now()),
    )
    return http.Response(body=msgspec.json.encode(body), content_type="application/json")
