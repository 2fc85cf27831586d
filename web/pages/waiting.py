"""`/talk/waiting`: the wait, as a range and never as a place; what can be done meanwhile; the way in.

What it says is what the WebSocket says too (``web/line.py``): with script it changes by itself, without it
asks again. Who is not alone sees a page that names nothing and makes no sound.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import msgspec
from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession
from wtforms import HiddenField

from accounts import logins, people
from accounts.roles import Permission
from core.ids import UserId
from counseling import crisis, histories, register, talks, walkins
from counseling.matching import Reason
from counseling.triage import Risk
from counseling.waits import Range
from counseling.walkin_states import Alone, Ended, State
from web import entering, line
from web.forms import PageForm, do_once, sent
from web.gate import add, cookie_name, login_of, person_of
from web.line import BELL
from web.pages.site import SITE
from web.pages.urgent import helping
from web.reception import BOARD
from web.register import REGISTER
from web.services import SERVICES

PAGE: Final = "/talk/waiting"
ASK: Final = "/talk"
URGENT: Final = "/talk/urgent"
REFRESH_S: Final = 15
"""Less than a third of the time after which somebody counts as absent."""
PHONE_COOKIE: Final = "teduh_phone"
"""That the phone is shared was said: it is not asked again. The quick exit takes it away."""


class PhoneForm(PageForm):
    """Whose phone it is."""

    phone = HiddenField()


class WishForm(PageForm):
    """Whether to wait for the counselor one knows."""

    wish = HiddenField()


@dataclass(frozen=True, slots=True)
class Who:
    """A counselor as the client sees them. ``elsewhere`` is their region of licence where it is another."""

    id: UserId
    name: str
    elsewhere: str = ""


async def who(db: AsyncSession, counselor: UserId, reasons: tuple[str, ...] = ()) -> Who:
    """Name a counselor by their card."""
    entry = await register.find(db, user=counselor)
    if entry is None or not entry.licence.shown_name:
        person = await people.find(db, user=counselor)
        return Who(counselor, "" if person is None else person.name)
    region = entry.licence.licence_region if Reason.OTHER_REGION in reasons else ""
    return Who(counselor, entry.licence.shown_name, region)


async def is_in_line(request: http.Request) -> bool:
    """Whether this client waits, or talks with somebody."""
    async with request.app[SERVICES].database.sessions() as db:
        client = person_of(request).id
        return (
            await walkins.find_open(db, client=client) is not None
            or await talks.open_of_client(db, client=client) is not None
        )


async def is_urgent(request: http.Request) -> bool:
    """Whether this client waits for urgent help: nothing else is offered to them as an answer."""
    async with request.app[SERVICES].database.sessions() as db:
        walkin = await walkins.find_open(db, client=person_of(request).id)
    return walkin is not None and walkin.triage.risk is Risk.URGENT


async def show(request: http.Request) -> http.Response:
    """Answer `GET /talk/waiting`; a sign of life."""
    services, person = request.app[SERVICES], person_of(request)
    now = services.now()
    async with services.database.sessions.begin() as db:
        walkin = await walkins.find_open(db, client=person.id)
        if walkin is not None:
            await walkins.seen(db, walkin=walkin.id, now=now)
        # Before the talk: what the page shows of it may be newer, and the socket tells it then.
        told = await line.client_news(services, db, client=person.id)
        talk = await talks.open_of_client(db, client=person.id)
        if walkin is None and talk is None:
            return _to(ASK)
        if talk is None and walkin is not None and walkin.triage.risk is Risk.URGENT:
            return _to(URGENT)
        counselor = None if talk is None else await who(db, talk.counselor, talk.reasons)
        preferred = None
        if talk is None and walkin is not None and walkin.prefers is not None:
            preferred = await who(db, walkin.prefers)
        asks_share = talk is not None and await histories.has_others(db, talk=talk)
    login = login_of(request)
    discreet = walkin is not None and walkin.alone is not Alone.YES
    lines = (await helping(request))[0] if discreet else []
    is_open = (await request.app[BOARD].read(services, request.app[REGISTER])).is_open
    return request.app[SITE].show(
        request,
        "waiting/waiting.html",
        talk=talk,
        walkin=walkin,
        told=told_json(told.as_json()),
        go=told.go,
        wait=_minutes(told.wait),
        nobody=told.wait is None and not is_open,
        asked=walkin is not None and walkin.state is State.OFFERED,
        counselor=counselor,
        preferred=preferred,
        asks_share=asks_share,
        goes_alone=talk is not None and not asks_share and not (counselor and counselor.elsewhere),
        discreet=discreet,
        asks_phone=not login.own_phone and PHONE_COOKIE not in request.cookies,
        refresh_s=REFRESH_S,
        violence=[one for one in lines if one.violence],
        numbers=crisis.spoken,
        dial=crisis.dial,
    )


async def phone(request: http.Request) -> http.Response:
    """Answer `POST /talk/waiting/phone`: whose phone it is, for as long as this login lasts."""
    services, person, login = request.app[SERVICES], person_of(request), login_of(request)
    form = await sent(request, PhoneForm)
    own = form.phone.data == "own"

    async def act(db: AsyncSession) -> str:
        await logins.claim(db, person=person, login=login.id, own_phone=own, now=services.now())
        return f"{PAGE}?done={'phone_own' if own else 'phone_shared'}"

    response = await do_once(request, form, act)
    secure = services.config.secure
    if own:
        token = request.cookies[cookie_name(secure=secure)]
        entering.keep_cookie(request, response, token, own_phone=True)
    else:
        response.set_cookie(PHONE_COOKIE, "shared", path="/", httponly=True, samesite="Strict", secure=secure)
    return response


async def prefer(request: http.Request) -> http.Response:
    """Answer `POST /talk/waiting/prefer`: wait for the same counselor, or take the first who is free."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, WishForm)
    waits = form.wish.data == "wait"

    async def act(db: AsyncSession) -> str:
        walkin = await walkins.find_open(db, client=person.id)
        if walkin is not None and walkin.state is not State.TALKING:
            await walkins.wait_for(
                db,
                services.audit,
                walkin=walkin.id,
                counselor=walkin.prefers if waits else None,
                waits=waits,
                now=services.now(),
            )
        return f"{PAGE}?done=wish_kept"

    return await rung(request, await do_once(request, form, act))


async def leave(request: http.Request) -> http.Response:
    """Answer `POST /talk/leave`."""
    services, person = request.app[SERVICES], person_of(request)
    form = await sent(request, PageForm)

    async def act(db: AsyncSession) -> str:
        walkin = await walkins.find_open(db, client=person.id)
        if walkin is None:
            return "/?done=left_line"
        if walkin.state is State.TALKING:
            return PAGE
        await walkins.leave(db, services.audit, walkin=walkin.id, why=Ended.LEFT, now=services.now())
        return "/?done=left_line"

    return await rung(request, await do_once(request, form, act))


async def rung(request: http.Request, response: http.Response) -> http.Response:
    """Ring the line's bell after what was done in it."""
    request.app[BELL].ring()
    return response


def told_json(told: Mapping[str, object]) -> str:
    """Write what the socket says, so that the page knows whether that is something else."""
    return msgspec.json.encode(told).decode()


def _minutes(wait: Range | None) -> dict[str, int] | None:
    """Write a range in whole minutes: down where it begins, up where it ends."""
    return None if wait is None else {"from_min": wait.from_s // 60, "to_min": -(-wait.to_s // 60)}


def _to(path: str) -> http.Response:
    return http.Response(status=303, headers={"Location": path})


def setup(app: http.Application) -> None:
    """Add the waiting page."""
    add(app, "GET", PAGE, show, Permission.OWN_WAY)
    add(app, "POST", PAGE + "/phone", phone, Permission.OWN_WAY)
    add(app, "POST", PAGE + "/prefer", prefer, Permission.OWN_WAY)
    add(app, "POST", "/talk/leave", leave, Permission.OWN_WAY)
