"""``GET /api/v1/line``: a WebSocket that tells who waits, and who sits at a desk, when something has changed.

It sends what the pages show (``web/line.py``) as one JSON text: at once, and again only when it is another
one for this person. What comes in is a sign of life and not read. A thousand wait here at a time, so there is
one task for all of them: it asks each for a sign of life in its turn, writes down who gave one in one step,
and looks once for all when the bell has rung.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass, field
from typing import Final

from aiohttp import WSCloseCode, WSMessage, WSMsgType
from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import logins, people
from accounts.people import Person
from accounts.roles import Permission
from core.ids import UserId
from counseling import crowd, desks, line, talks, walkins
from web.gate import add, check_origin, login_of, person_of
from web.line import BELL, client_news, client_of, counselor_news, counselor_of, offer_of
from web.services import SERVICES

logger = logging.getLogger(__name__)

PATH: Final = "/api/v1/line"
MAX_BYTES: Final = 1024
ROUND: Final = 15
"""Within so many seconds each is asked for a sign of life, written down, and looked after once."""
LOST_S: Final = 45.0
"""Without a sign of life for longer, a socket is closed."""
CALM_S: Final = 0.25
"""However often the bell rings, nobody is told more often than this."""
SEND_S: Final = 2.0
MOST_TEXTS: Final = 60
"""More texts than this in one round, and the socket is closed."""
MOST_EACH: Final = 4
"""Windows of one person; the oldest gives way."""


@dataclass(eq=False, slots=True)
class Listener:
    """One open socket, and what was sent last. ``seen_s`` is the last sign of life, on the loop's clock."""

    request: http.Request
    socket: http.WebSocketResponse
    person: Person
    login: str
    seen_s: float
    told: str = ""
    texts: int = 0


@dataclass(slots=True)
class Listeners:
    """All open sockets of one application, in the order in which they came."""

    app: http.Application
    all: dict[Listener, None] = field(default_factory=dict)
    rung: asyncio.Event = field(default_factory=asyncio.Event)
    _second: int = 0

    def of(self, user: UserId) -> list[Listener]:
        """List one person's, the oldest first."""
        return [one for one in self.all if one.person.id == user]

    async def run(self) -> None:
        """Look after them for ever: a part of them each second, all of them when the bell has rung."""
        loop = asyncio.get_running_loop()
        next_s = loop.time() + 1.0
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout_at(next_s):
                    await self.rung.wait()
            try:
                if self.rung.is_set():
                    self.rung.clear()
                    await self.tell_all()
                    await asyncio.sleep(CALM_S)
                if loop.time() >= next_s:
                    next_s = loop.time() + 1.0
                    await self.tick(loop.time())
            except Exception:  # whatever it was, the next second is another try
                logger.exception("line.failed")
                await asyncio.sleep(CALM_S)

    async def tick(self, now_s: float) -> None:
        """Do one second's work: ask a part for a sign of life; each ``ROUND`` write down and tell."""
        self._second = (self._second + 1) % ROUND
        lost = []
        for one in tuple(self.all)[self._second :: ROUND]:
            one.texts = 0
            if now_s - one.seen_s > LOST_S:
                lost.append(one)
                continue
            with contextlib.suppress(ConnectionError):
                await one.socket.ping()
        await close_all(lost, WSCloseCode.GOING_AWAY)
        if self._second == 0 and self.all:
            await self._write_down(now_s)
            await self.tell_all()

    async def _write_down(self, now_s: float) -> None:
        """Note whose pages live, and close those whose login has ended."""
        services = self.app[SERVICES]
        now = services.now()
        alive = [one for one in self.all if now_s - one.seen_s <= ROUND + 5]
        async with services.database.sessions.begin() as db:
            await walkins.seen_all(
                db, clients=[one.person.id for one in alive if one.person.is_client], now=now
            )
            await desks.seen_all(
                db, counselors=[one.person.id for one in alive if not one.person.is_client], now=now
            )
            hold = await logins.keep_alive(db, ids={one.login for one in alive}, now=now)
        await close_all([one for one in alive if one.login not in hold], WSCloseCode.POLICY_VIOLATION)

    async def tell_all(self) -> None:
        """Look once for everybody, and tell those for whom it is something else."""
        if not self.all:
            return
        async with self.app[SERVICES].database.sessions() as db:
            said = await _news(db, tuple(self.all))
        for one, text in said.items():
            if text != one.told:
                await send(one, text)


LISTENERS: Final = http.AppKey("line_listeners", Listeners)


async def listen(request: http.Request) -> http.WebSocketResponse:
    """Answer the upgrade. Browsers name the page that asks, and another site's is told nothing."""
    check_origin(request)
    services, listeners = request.app[SERVICES], request.app[LISTENERS]
    socket = http.WebSocketResponse(compress=False, max_msg_size=MAX_BYTES, autoping=False)
    await socket.prepare(request)
    now_s = asyncio.get_running_loop().time
    one = Listener(request, socket, person_of(request), login_of(request).id, now_s())
    for older in listeners.of(one.person.id)[: -MOST_EACH + 1]:
        await close(older, WSCloseCode.TRY_AGAIN_LATER)
    listeners.all[one] = None
    try:
        async with services.database.sessions.begin() as db:
            await _arrived(db, one)
            text = await _first(db, one)
        request.app[BELL].ring()
        await send(one, text)
        while await _take(one, await socket.receive(), now_s()):
            pass
    finally:
        listeners.all.pop(one, None)
    return socket


async def _arrived(db: AsyncSession, one: Listener) -> None:
    """Note that somebody has opened a page: also who left quickly is back."""
    now = one.request.app[SERVICES].now()
    if not one.person.is_client:
        await desks.seen(db, counselor=one.person.id, now=now)
        return
    walkin = await walkins.find_open(db, client=one.person.id)
    if walkin is not None:
        await walkins.seen(db, walkin=walkin.id, now=now)


async def _first(db: AsyncSession, one: Listener) -> str:
    if one.person.is_client:
        return _written((await client_news(one.request.app[SERVICES], db, client=one.person.id)).as_json())
    return _written((await counselor_news(one.request, db, counselor=one.person.id)).as_json())


async def _news(db: AsyncSession, listeners: Collection[Listener]) -> dict[Listener, str]:
    """Say for each what the pages would show now, in a few queries for all."""
    services = next(iter(listeners)).request.app[SERVICES]
    going_on = await talks.all_open(db)
    by_client = {talk.client: talk for talk in going_on}
    by_counselor = {talk.counselor: talk for talk in going_on}
    found: dict[Listener, str] = {}
    clients = [one for one in listeners if one.person.is_client]
    counselors = [one for one in listeners if not one.person.is_client]
    stands = await crowd.standing(db) if clients else {}
    for one in clients:
        user = one.person.id
        news = await client_of(services, db, user, stands.get(user), by_client.get(user))
        found[one] = _written(news.as_json())
    offers = await line.offers(db, now=services.now()) if counselors else {}
    persons = await people.find_all(db, users=[walkin.client for walkin in offers.values()])
    for one in counselors:
        user = one.person.id
        offer = offer_of(offers.get(user), persons)
        found[one] = _written(
            (await counselor_of(one.request, db, one.person, offer, by_counselor.get(user))).as_json()
        )
    return found


async def _take(one: Listener, message: WSMessage, now_s: float) -> bool:
    """Take one frame; False after the last one."""
    if message.type in {WSMsgType.PONG, WSMsgType.PING, WSMsgType.TEXT, WSMsgType.BINARY}:
        one.seen_s = now_s
        one.texts += message.type is not WSMsgType.PONG
        if one.texts > MOST_TEXTS:
            await close(one, WSCloseCode.POLICY_VIOLATION)
            return False
        if message.type is WSMsgType.PING:
            with contextlib.suppress(ConnectionError):
                await one.socket.pong(message.data)
        return True
    return False


async def send(one: Listener, text: str) -> None:
    """Send what is new; whoever does not take it in time is let go."""
    one.told = text
    try:
        async with asyncio.timeout(SEND_S):
            await one.socket.send_str(text)
    except (ConnectionError, TimeoutError):
        _cut(one)


async def close(one: Listener, code: WSCloseCode) -> None:
    """Say that it is over; whoever does not answer is cut."""
    try:
        async with asyncio.timeout(SEND_S):
            await one.socket.close(code=code, drain=False)
    except (ConnectionError, TimeoutError):
        pass
    _cut(one)


async def close_all(some: Collection[Listener], code: WSCloseCode) -> None:
    """Close these at once: where a whole network is gone, nobody waits for each of them in turn."""
    await asyncio.gather(*(close(one, code) for one in some))


def _cut(one: Listener) -> None:
    if one.request.transport is not None:
        one.request.transport.close()


def _written(news: Mapping[str, object]) -> str:
    return json.dumps(news, separators=(",", ":"))


async def running(app: http.Application) -> AsyncIterator[None]:
    """Look after the sockets while the application lives (a cleanup context of aiohttp)."""
    task = asyncio.create_task(app[LISTENERS].run(), name="line")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


def setup(app: http.Application) -> None:
    """Add the route; all sockets are closed when the server goes."""
    listeners = app[LISTENERS] = Listeners(app)
    app[BELL].listeners.add(listeners.rung.set)

    async def go(_app: http.Application) -> None:
        await close_all(tuple(listeners.all), WSCloseCode.GOING_AWAY)

    app.on_shutdown.append(go)
    add(app, "GET", PATH, listen, Permission.OWN_PLACES)
