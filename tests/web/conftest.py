"""The whole application with a fake engine: the API on a real database, no media port."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web as http
from aiohttp import web_app
from aiohttp.test_utils import TestClient
from pytest_aiohttp.plugin import AiohttpClient

from accounts import apikeys
from accounts.apikeys import ALL_SCOPES, Scope
from accounts.tokens import Tokens, issue_api_token
from core.clock import Clock
from core.config import Config
from core.db import Database
from core.errors import InvalidState
from core.ids import ApiKeyId, ParticipantId, SessionId, UserId
from media.description import Answer, AnsweredLine, Direction, InvalidAnswer, OfferRequest
from media.events import LegId
from signaling import directory, records
from signaling.directory import SessionState
from signaling.presence import Dropped, Presence
from signaling.quality_counts import Measured, QualityCounts
from signaling.quality_trouble import TroubledSession
from tests.fakes import FakeClock
from tests.web.ordering import rows_before_the_audit
from web.app import make_app
from web.place import comer_of
from web.recording import LiveStudio
from web.services import SERVICES, Services

Client = TestClient[http.Request, http.Application]
MASTER = bytes(range(32))


@dataclass
class FakeCalls:
    """Ends sessions in the directory, as the hub does for those that nobody is in."""

    database: Database
    clock: Clock
    live: dict[SessionId, dict[ParticipantId, str]] = field(default_factory=dict)
    left_quickly: list[ParticipantId] = field(default_factory=list)
    sits_by: list[str] = field(default_factory=list)
    logged_out: list[str] = field(default_factory=list)
    gone: list[Dropped] = field(default_factory=list)
    stand: dict[ParticipantId, Presence] = field(default_factory=dict)
    closely: frozenset[UserId] = frozenset()
    phoning: list[ParticipantId] = field(default_factory=list)
    stopped: list[ParticipantId] = field(default_factory=list)
    stopped_of: list[UserId] = field(default_factory=list)
    rechecked: list[UserId] = field(default_factory=list)
    quality: QualityCounts = field(default_factory=QualityCounts)
    troubled: list[TroubledSession] = field(default_factory=list)
    ended_by: list[str | None] = field(default_factory=list)

    async def end(self, session_id: SessionId, *, reason: str, by: str | None = None) -> None:
        self.ended_by.append(by)
        async with self.database.sessions.begin() as db:
            session = await directory.find(db, session_id=session_id)
            if session is None or session.state is SessionState.ENDED:
                raise InvalidState("The session has ended already.")
            await records.write(db, [records.ended(session_id, reason=reason, now=self.clock.now())])

    def logins(self) -> set[str]:
        return set(self.sits_by)

    def log_out(self, login: str) -> None:
        self.sits_by.remove(login)
        self.logged_out.append(login)

    def leave_quickly(self, participant: ParticipantId) -> None:
        self.left_quickly.append(participant)
        self.gone = [one for one in self.gone if one.participant != participant]
        if participant in self.stand:
            self.stand[participant] = Presence.QUICK

    def dropped(self) -> list[Dropped]:
        return self.gone

    def presence(self, participant: ParticipantId) -> Presence | None:
        return self.stand.get(participant)

    async def stop_recordings_of(self, client: UserId) -> None:
        self.stopped_of.append(client)

    async def recheck_recordings_of(self, client: UserId) -> None:
        self.rechecked.append(client)

    async def stop_recording(self, participant: ParticipantId) -> None:
        self.stopped.append(participant)

    def watch_closely(self, clients: frozenset[UserId]) -> None:
        self.closely = clients

    def by_phone(self, participant: ParticipantId) -> None:
        self.phoning.append(participant)

    def states(self, session_id: SessionId) -> Mapping[ParticipantId, str] | None:
        return self.live.get(session_id)

    def counters(self) -> dict[str, int | float]:
        return {"sessions": 2, "joins_total": 5}

    def in_trouble(self) -> list[TroubledSession]:
        return self.troubled

    def measured(self) -> Iterable[Measured]:
        return self.quality.measured()


@dataclass
class FakeMedia:
    """A media port that is open or not, and what was asked of it, in order."""

    ready: bool = True
    asked: list[tuple[str, ...]] = field(default_factory=list)

    def counters(self) -> dict[str, int]:
        return {"legs": 1, "packets_total": 7}

    def open_leg(self, leg: LegId) -> None:
        self.asked.append(("open", leg))

    def offer(self, leg: LegId, request: OfferRequest) -> str:
        self.asked.append(("offer", leg, request.peer or ""))
        return f"offer for {leg}"

    def answer(self, leg: LegId, sdp: str) -> Answer:
        if not sdp:
            raise InvalidAnswer("There is nothing in it.")
        self.asked.append(("answer", leg))
        line = AnsweredLine(Direction.SENDRECV, (111,), (1,), rejected=False)
        return Answer(line, line, (("sha-256", "00"),))

    def pair(self, a: LegId, b: LegId) -> None:
        self.asked.append(("pair", a, b))

    def forward(self, leg: LegId, *, audio: bool, video: bool) -> None:
        self.asked.append(("forward", leg, f"{audio:d}{video:d}"))

    def close_leg(self, leg: LegId) -> None:
        self.asked.append(("close", leg))


class FakeEngine:
    """Keeps what was asked of it, in order."""

    def __init__(
        self, _config: Config, clock: Clock, database: Database, _tokens: Tokens, studio: LiveStudio
    ) -> None:
        self.studio = studio
        self.calls = self.survey = FakeCalls(database, clock)
        self.media = FakeMedia()
        self.story: list[str] = []

    async def signal(self, request: http.Request) -> http.StreamResponse:
        """Say whose place the upgrade may enter."""
        return http.json_response({"place": comer_of(request).place})

    async def start(self) -> None:
        self.story.append("start")

    async def tell_everybody(self) -> None:
        self.story.append("tell")

    async def close(self) -> None:
        self.story.append("close")


@dataclass
class Program:
    """An operator's program: a key, and requests signed with it."""

    client: Client
    services: Services
    clock: FakeClock
    key: ApiKeyId

    def headers(self) -> dict[str, str]:
        secret = self.services.tokens.api_secret(self.key)
        return {
            "Authorization": f"Bearer {issue_api_token(key=self.key, secret=secret, now=self.clock.now())}"
        }

    async def ask(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        """Ask, and give status and JSON (None without a body)."""
        async with self.client.request(method, path, json=body, headers=self.headers()) as answer:
            text = await answer.text()
            return answer.status, (await answer.json(content_type=None)) if text else None

    async def create(self, **changed: object) -> dict[str, Any]:
        status, made = await self.ask("POST", "/api/v1/sessions", wanted(**changed))
        assert status == 201, made
        assert isinstance(made, dict)
        return made


def wanted(**changed: object) -> dict[str, object]:
    """The body of a session that is fine, with changes; None takes a field out."""
    body: dict[str, object] = {
        "mode": "video",
        "recording": "off",
        "participants": [{"role": "client", "name": "Sekar"}, {"role": "counselor", "name": "Bima"}],
    }
    return {name: value for name, value in (body | changed).items() if value is not None}


def make_config(tmp_path: Path, database_url: str = "", **changed: object) -> Config:
    """Settings for a test: data in its own directory, a known master key."""
    settings: dict[str, Any] = {
        "data_dir": tmp_path / "var",
        "master_key": MASTER,
        "database_url": database_url,
    }
    return Config(**(settings | changed))


@pytest.fixture(autouse=True)
def forgotten() -> Iterator[None]:
    """Let go of a test's applications: aiohttp remembers a thousand, by whose handlers it put together."""
    yield
    web_app._cached_build_middleware.cache_clear()


@pytest.fixture(autouse=True)
def late_for_the_audit() -> Iterator[list[str]]:
    """What requests took before the audit: nothing, or two of them may wait for each other."""
    with rows_before_the_audit() as late:
        yield late
    assert late == []


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Config:
    """Settings with each of the two databases."""
    return make_config(tmp_path, database_url)


@pytest.fixture
def up_to_date(tmp_path: Path, migrated_sqlite: Path) -> None:
    """The data directory of a server that ran: its database waits for no command to make it."""
    (tmp_path / "var").mkdir(mode=0o700)
    shutil.copy(migrated_sqlite, tmp_path / "var" / "teduh.db")


@pytest.fixture
async def client(aiohttp_client: AiohttpClient, config: Config, clock: FakeClock) -> Client:
    """The application, started, once on each database."""
    return await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))


@pytest.fixture
def services(client: Client) -> Services:
    """What the application's handlers have."""
    return client.app[SERVICES]


async def new_program(client: Client, clock: FakeClock, scopes: frozenset[Scope] = ALL_SCOPES) -> Program:
    """A program with a key of its own."""
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        key = await apikeys.create(db, name="test", scopes=scopes, now=clock.now())
    return Program(client, services, clock, key.id)


@pytest.fixture
async def program(client: Client, clock: FakeClock) -> Program:
    """A program that may do everything with its own sessions."""
    return await new_program(client, clock)
