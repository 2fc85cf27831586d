"""The real ``teduh serve`` as a subprocess on free ports, and sessions made through its real API."""

from __future__ import annotations

import asyncio
import datetime as dt
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Coroutine
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, TypeVar

import aiohttp
import jwt

from accounts import apikeys
from accounts.tokens import Tokens
from core.db import Database
from core.keyfile import master_key
from tests.conftest import migrate
from tests.peers.peer import Place

T = TypeVar("T")

START_S = 60.0  # some 2 s on a quiet machine; how long it takes is no matter of these tests
STOP_S = 8.0
COMMAND = (sys.executable, "-m", "web.main")
LOOPBACK = ("127.0.0.1", "[::1]")


def free_port(host: str = "127.0.0.1") -> int:
    """A port number that is free for UDP and TCP at this moment."""
    for _ in range(50):
        with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
            tcp.bind((host, 0))
            number = int(tcp.getsockname()[1])
            try:
                udp.bind((host, number))
            except OSError:
                continue
            return number
    raise RuntimeError("no port is free for both UDP and TCP")


def aside(work: Coroutine[Any, Any, T]) -> T:
    """Run it to its end, whether or not a loop is running here."""
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(asyncio.run, work).result()


@cache
def up_to_date() -> bytes:
    """A database that is up to date: to make one takes as long as the start of a server."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "teduh.db"
        aside(migrate(f"sqlite:///{file}"))
        return file.read_bytes()


@dataclass(frozen=True, slots=True)
class ApiKey:
    """What a program signs its requests with."""

    key_id: str
    secret: str

    def bearer(self, **claims: object) -> dict[str, str]:
        """The Authorization header of one request; ``claims`` replace the usual ones."""
        now = dt.datetime.now(tz=dt.UTC)
        said = {"iss": self.key_id, "aud": "teduh-api", "iat": now, "exp": now + dt.timedelta(minutes=5)}
        return {"Authorization": f"Bearer {jwt.encode(said | claims, self.secret, algorithm='HS256')}"}


@dataclass(frozen=True, slots=True)
class Session:
    """A session with its two places."""

    id: str
    client: Place
    counselor: Place


@dataclass(slots=True)
class Server:
    """A server process with a data directory of its own. Stop and start keep ports and data."""

    data_dir: Path
    http_port: int = field(default_factory=free_port)
    media_port: int = field(default_factory=free_port)
    media_addresses: tuple[str, ...] = LOOPBACK
    extra: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen[bytes] | None = None
    key: ApiKey | None = None

    @property
    def url(self) -> str:
        """Where the server is reached directly."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def public_url(self) -> str:
        """The origin that pages have."""
        return self.extra.get("TEDUH_PUBLIC_URL", self.url)

    @property
    def database_url(self) -> str:
        """Where its database is."""
        return self.extra.get("TEDUH_DATABASE_URL", f"sqlite:///{self.data_dir / 'teduh.db'}")

    @property
    def log_path(self) -> Path:
        """All that the process wrote, over all its starts."""
        return self.data_dir / "server.log"

    def environment(self) -> dict[str, str]:
        """The environment of the process: nothing of ``TEDUH_*`` is inherited."""
        plain = {name: value for name, value in os.environ.items() if not name.startswith("TEDUH_")}
        return (
            plain
            | {
                "TEDUH_HTTP_HOST": "127.0.0.1",
                "TEDUH_HTTP_PORT": str(self.http_port),
                "TEDUH_MEDIA_PORT": str(self.media_port),
                "TEDUH_MEDIA_ADDRESSES": ",".join(self.media_addresses),
                "TEDUH_DATA_DIR": str(self.data_dir),
                "TEDUH_PUBLIC_URL": self.url,
                "TEDUH_LOG_LEVEL": "DEBUG",
            }
            | self.extra
        )

    def start(self) -> None:
        """Start the process and wait until it is ready. Raises RuntimeError with its output."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        file = self.data_dir / "teduh.db"
        if not file.exists():
            file.write_bytes(up_to_date())
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*COMMAND, "serve"], env=self.environment(), stdout=log, stderr=log
            )
        self.wait_ready()
        if self.key is None:
            self.key = aside(self.create_key())

    def wait_ready(self) -> None:
        """Wait until ``/readyz`` says 200."""
        assert self.process is not None
        deadline = time.monotonic() + START_S
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with urllib.request.urlopen(f"{self.url}/readyz", timeout=2) as answer:
                    if answer.status == 200:
                        return
            except OSError:
                time.sleep(0.05)
        self.process.kill()
        raise RuntimeError(f"the server did not get ready:\n{self.log()[-4000:]}")

    async def create_key(self) -> ApiKey:
        """Make an API key, as ``teduh api-key create`` does."""
        database = Database(self.database_url)
        async with database.sessions.begin() as db:
            key = await apikeys.create(
                db, name="tests", scopes=apikeys.ALL_SCOPES, now=dt.datetime.now(dt.UTC)
            )
        await database.close()
        return ApiKey(key.id, Tokens(master_key(self.data_dir)).api_secret(key.id))

    def command(self, *words: str) -> str:
        """Run a ``teduh`` command against the same data; returns what it prints."""
        done = subprocess.run(
            [*COMMAND, *words], env=self.environment(), stdout=subprocess.PIPE, check=True, text=True
        )
        return done.stdout

    async def create_session(
        self, http: aiohttp.ClientSession, *, mode: str = "video", **body: object
    ) -> Session:
        """Make a session of a client and a counselor."""
        assert self.key is not None
        wanted = {
            "mode": mode,
            "recording": "off",
            "participants": [
                {"role": "client", "name": "Sekar Ayu"},
                {"role": "counselor", "name": "Bima Wirawan"},
            ],
        } | body
        url = f"{self.url}/api/v1/sessions"
        async with http.post(url, json=wanted, headers=self.key.bearer()) as answer:
            assert answer.status == 201, await answer.text()
            made = await answer.json()
        places = {
            each["role"]: Place(self.url, each["id"], each["token"], each["join_url"], each["role"])
            for each in made["participants"]
        }
        return Session(made["id"], places["client"], places["counselor"])

    async def get(self, http: aiohttp.ClientSession, path: str) -> dict[str, Any]:
        """GET a path of the API with the key; returns the JSON."""
        assert self.key is not None
        async with http.get(f"{self.url}{path}", headers=self.key.bearer()) as answer:
            assert answer.status == 200, await answer.text()
            found: dict[str, Any] = await answer.json()
            return found

    def log(self) -> str:
        """What the process wrote."""
        return self.log_path.read_text(errors="replace")

    def stop(self) -> float:
        """SIGTERM, and wait; returns how long it took in seconds."""
        assert self.process is not None
        began_s = time.monotonic()
        self.process.terminate()
        try:
            self.process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self.kill()
            raise
        return time.monotonic() - began_s

    def kill(self) -> None:
        """SIGKILL, and wait."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
