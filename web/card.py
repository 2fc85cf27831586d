"""``GET /api/v1/place/{participant}/card``: what the card of a broken line shows besides its own words.

The room asks for it while there is a network, so that it is there when there is none: the service's telephone
number, lines of help that are open now, and what the client chose a drop to do.
"""

from __future__ import annotations

import msgspec
from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.roles import Permission
from core.config import Config
from core.ids import ParticipantId
from counseling import crisis, drop_states, preparation, talks, walkins
from counseling.crisis import Line
from counseling.preparation import OnDrop
from counseling.talks import Talk
from web.duties import DUTIES
from web.gate import add
from web.place import sits
from web.services import SERVICES

MOST_LINES = 3


class Number(msgspec.Struct):
    """Something to call: whose it is, the ``tel:`` address, and how it is written."""

    name: str
    dial: str
    spoken: str


class CardOut(msgspec.Struct):
    """What the card shows. ``does`` None: nobody prepared a drop in this session."""

    service: Number | None
    lines: list[Number]
    does: str | None


async def card(request: http.Request) -> http.Response:
    """Answer the room of whoever sits there by cookie or login."""
    services, participant = request.app[SERVICES], ParticipantId(request.match_info["participant"])
    now = services.now()
    async with services.database.sessions() as db:
        session = await sits(request, db, participant)
        talk = await talks.of_session(db, session=session.id)
        does = None if talk is None else (await does_on_drop(db, talk=talk)).value
        found = crisis.ordered(await crisis.shown(db), now, request.app[DUTIES].zone)
    lines = [number_of(line) for line, is_open in found if is_open and line.numbers][:MOST_LINES]
    return http.Response(
        body=msgspec.json.encode(CardOut(service_number(services.config), lines, does)),
        content_type="application/json",
        headers={"Cache-Control": "no-store"},
    )


def service_number(config: Config) -> Number | None:
    """Give the service's own telephone; None where there is none."""
    number = config.service_phone
    return None if number is None else Number("", crisis.dial(number.replace(" ", "")), number)


def number_of(line: Line) -> Number:
    """Give the first number of a line of help."""
    first, then = crisis.spoken(line.numbers)[0]
    return Number(line.name, crisis.dial(f"{first},{then}" if then else first), first)


async def does_on_drop(db: AsyncSession, *, talk: Talk) -> OnDrop:
    """Say what a drop does in a talk."""
    walkin = None if talk.walkin is None else await walkins.get(db, walkin=talk.walkin)
    chose = await preparation.on_drop(db, talk=talk.id)
    return drop_states.act(chose, None if walkin is None else walkin.alone)


def setup(app: http.Application) -> None:
    """Add the route."""
    add(app, "GET", "/api/v1/place/{participant}/card", card, Permission.PLACE)
