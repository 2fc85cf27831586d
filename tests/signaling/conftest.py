"""The real endpoint on a real SQLite, with a relay that moves no packet."""

from __future__ import annotations

import asyncio
import itertools
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import msgspec
import pytest
from aiohttp import web as http
from aiohttp.test_utils import TestClient, TestServer

from accounts import people
from accounts.tokens import Tokens
from core.clock import SystemClock
from core.db import Database
from core.ids import ParticipantId, SessionId, UserId
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording, Role, SessionRecord
from signaling.endpoint import PATH, signal_handler
from signaling.hub import Hub
from signaling.joining import SignalingSettings
from signaling.wire import Comer
from tests.signaling.relay import FakeRelay

CODECS = ["audio/opus", "video/VP8"]
ORIGIN = "https://teduh.example"


class MovableClock(SystemClock):
    """The system's clock, set forward at will."""

    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._set = timedelta(0)

    def now(self) -> datetime:
        return super().now() + timedelta(seconds=self._ahead_s) + self._set

    def monotonic(self) -> float:
        return super().monotonic() + self._ahead_s

    def advance(self, seconds: float) -> None:
        self._ahead_s += seconds

    def set_by(self, by: timedelta) -> None:
        """Somebody sets the wall clock; the monotonic one goes on."""
        self._set += by


@dataclass
class Person:
    """A client of the WebSocket that keeps what it was told."""

    socket: aiohttp.ClientWebSocketResponse
    heard: list[dict[str, Any]] = field(default_factory=list)
    unread: list[dict[str, Any]] = field(default_factory=list)
    refs: Any = field(default_factory=lambda: itertools.count(1))
    base: int = 1000

    async def send(self, kind: str, **fields: object) -> None:
        await self.socket.send_str(msgspec.json.encode({"type": kind, **fields}).decode())

    async def ask(self, kind: str, **fields: object) -> dict[str, Any]:
        """Send a request and return its answer."""
        ref = fields.pop("ref", f"{id(self)}-{next(self.refs)}")
        await self.send(kind, ref=ref, **fields)
        return await self.until(lambda m: m["type"] in ("ok", "error") and m.get("ref") == ref)

    async def next(self, within_s: float = 3.0) -> dict[str, Any]:
        message = await self.socket.receive(within_s)
        assert message.type is aiohttp.WSMsgType.TEXT, (message.type, self.socket.close_code)
        decoded: dict[str, Any] = msgspec.json.decode(message.data)
        self.heard.append(decoded)
        return decoded

    async def until(self, fits: Callable[[dict[str, Any]], bool], within_s: float = 3.0) -> dict[str, Any]:
        """Wait for a message that fits and take it; the others stay to be asked for later."""
        try:
            async with asyncio.timeout(within_s):
                while True:
                    for index, message in enumerate(self.unread):
                        if fits(message):
                            del self.unread[index]
                            return message
                    self.unread.append(await self.next(within_s + 1))
        except TimeoutError:
            told = [(m["type"], m.get("state"), m.get("code")) for m in self.heard[-10:]]
            raise AssertionError(f"it did not come; last was {told}") from None

    async def get(self, kind: str, **fields: object) -> dict[str, Any]:
        """Wait for a message of a type with these fields."""
        return await self.until(
            lambda m: m["type"] == kind and all(m.get(name) == value for name, value in fields.items())
        )

    async def answer(self, offer: dict[str, Any] | None = None) -> dict[str, Any]:
        """Answer an offer, or the next one; returns it."""
        offer = offer or await self.get("offer")
        reply = await self.ask(
            "answer", leg=offer["leg"], negotiation=offer["negotiation"], sdp=f"answer {self.base}"
        )
        assert reply["type"] == "ok", reply
        return offer

    async def closed(self, within_s: float = 3.0) -> int:
        """Wait for the close and return its code."""
        async with asyncio.timeout(within_s):
            return await self._closed()

    async def _closed(self) -> int:
        while True:
            message = await self.socket.receive()
            if message.type is aiohttp.WSMsgType.TEXT:
                self.heard.append(msgspec.json.decode(message.data))
                continue
            assert self.socket.close_code is not None
            return self.socket.close_code

    def last_seq(self) -> int:
        return max((m["seq"] for m in self.heard), default=0)

    async def vanish(self) -> None:
        """Lose the connection without a word."""
        transport = self.socket.get_extra_info("socket")
        assert transport is not None
        connection = self.socket._conn
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()


@dataclass
class House:
    """A hub with its endpoint, database, clock and relay."""

    hub: Hub
    relay: FakeRelay
    database: Database
    clock: MovableClock
    tokens: Tokens
    client: TestClient[http.Request, http.Application]
    cookie_place: list[ParticipantId | None]
    login: list[UserId | None]
    login_id: list[str | None]
    persons: list[Person] = field(default_factory=list)

    async def session(self, mode: Mode = Mode.VIDEO, **options: Any) -> SessionRecord:
        async with self.database.sessions.begin() as db:
            created = await directory.create(
                db,
                mode=mode,
                recording=options.get("recording", Recording.OFF),
                participants=[
                    NewParticipant(Role.CLIENT, "Melati", options.get("user")),
                    NewParticipant(Role.COUNSELOR, "Budi"),
                ],
                owner=None,
                starts_at=None,
                max_minutes=options.get("max_minutes"),
                now=self.clock.now(),
            )
        return created.session

    async def account(self) -> UserId:
        """Make a client's account."""
        async with self.database.sessions.begin() as db:
            made = await people.create_client(
                db, name="Melati", language="id", adult=True, now=self.clock.now()
            )
        return made.id

    async def record(self, session: SessionId) -> SessionRecord:
        async with self.database.sessions() as db:
            record = await directory.find(db, session_id=session)
        assert record is not None
        return record

    def token(self, record: SessionRecord, index: int, **changes: Any) -> str:
        place = record.participants[index]
        return self.tokens.issue_place(
            participant=changes.get("participant", place.id),
            session=changes.get("session", record.id),
            role=changes.get("role", place.role.value),
            now=self.clock.now(),
            expires=changes.get("expires", self.clock.now() + timedelta(hours=1)),
        )

    async def socket(self, **headers: str) -> Person:
        socket = await self.client.ws_connect(
            PATH, protocols=("teduh.v1",), headers=headers, autoping=True, max_msg_size=0
        )
        person = Person(socket)
        self.persons.append(person)
        return person

    async def enter(self, session: SessionRecord, index: int, **hello: Any) -> Person:
        """Open a WebSocket and say hello, without waiting for anything."""
        person = await self.socket()
        person.base = 1000 * (index + 1)
        hello.setdefault("token", self.token(session, index))
        await person.send("hello", codecs=hello.pop("codecs", CODECS), **hello)
        return person

    async def join(self, session: SessionRecord, index: int, **hello: Any) -> Person:
        """Enter and wait for the welcome."""
        person = await self.enter(session, index, **hello)
        await person.get("welcome")
        return person

    def pass_time(self, seconds: int) -> None:
        """Let the clockwork tick twice a second, as it does."""
        for _ in range(2 * seconds):
            self.clock.advance(0.5)
            self.hub.tick()

    async def pair(self, session: SessionRecord) -> tuple[Person, Person]:
        """Bring both to ``connected``."""
        client, counselor = await self.join(session, 0), await self.join(session, 1)
        for person in (client, counselor):
            await person.answer()
        for person in (client, counselor):
            await person.answer()
        for person in (client, counselor):
            await person.get("peer", state="connected")
        return client, counselor


MakeHouse = Callable[..., Awaitable[House]]


@pytest.fixture
async def make_house(tmp_path: Path, migrated_sqlite: Path) -> AsyncIterator[MakeHouse]:
    """Build a house; several may stand on the same database, one after the other."""
    made: list[House] = []

    async def make(**options: Any) -> House:
        database = options.pop("database", None)
        if database is None:
            shutil.copy(migrated_sqlite, tmp_path / "teduh.db")
            database = Database(f"sqlite:///{tmp_path / 'teduh.db'}")
        relay, clock, tokens = FakeRelay(), MovableClock(), Tokens(b"0" * 32)
        hub = Hub(
            db=options.pop("sessions", database.sessions),
            clock=clock,
            relay=relay,
            studio=options.pop("studio", None),
            settings=SignalingSettings(**options),
            tokens=tokens,
        )
        relay.on_event = hub.on_media_event
        cookie_place: list[ParticipantId | None] = [None]
        login: list[UserId | None] = [None]
        login_id: list[str | None] = [None]
        app = http.Application()
        app.router.add_get(
            PATH,
            signal_handler(
                hub,
                comer_of=lambda _request: Comer(cookie_place[0], login[0], login_id[0]),
                origin_allowed=lambda origin: origin == ORIGIN,
                address_of=lambda request: request.headers.get("X-Address", "a"),
            ),
        )
        client = TestClient(TestServer(app))
        await client.start_server()
        await hub.start()
        house = House(hub, relay, database, clock, tokens, client, cookie_place, login, login_id)
        made.append(house)
        return house

    yield make
    for house in made:
        for person in house.persons:
            await person.socket.close()
        await house.hub.close()
        await house.client.close()
    for house in made:
        await house.database.close()


@pytest.fixture
async def house(make_house: MakeHouse) -> House:
    return await make_house()
