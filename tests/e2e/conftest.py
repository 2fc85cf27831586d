"""One server for the whole module, peers that are closed after each test."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.server import Server, Session
from tests.peers.leg import LegSettings
from tests.peers.peer import Peer, Place

MakePeer = Callable[..., Peer]
Pair = Callable[..., Awaitable[tuple[Peer, Peer]]]


@contextlib.contextmanager
def running(server: Server) -> Iterator[Server]:
    """A server that is up inside the block and stopped after it."""
    server.start()
    try:
        yield server
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that the module's tests share."""
    with running(Server(tmp_path_factory.mktemp("teduh"))) as up:
        yield up


@pytest.fixture
def own_server(tmp_path: Path) -> Iterator[Server]:
    """A server for this test alone, to be stopped and killed."""
    with running(Server(tmp_path / "teduh")) as up:
        yield up


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    """A client for the API and WebSockets."""
    async with aiohttp.ClientSession() as client:
        yield client


@pytest.fixture
async def make_peer(http: aiohttp.ClientSession) -> AsyncIterator[MakePeer]:
    """Make peers that are closed after the test."""
    made: list[Peer] = []

    def make(place: Place, *, settings: LegSettings | None = None) -> Peer:
        peer = Peer(http, place, settings=settings)
        made.append(peer)
        return peer

    yield make
    for peer in made:
        await peer.close()


@pytest.fixture
async def pair(server: Server, http: aiohttp.ClientSession, make_peer: MakePeer) -> Pair:
    """Make a session on the shared server and bring both sides together."""

    async def bring(
        client: LegSettings | None = None,
        counselor: LegSettings | None = None,
        *,
        on: Server | None = None,
        **body: object,
    ) -> tuple[Peer, Peer]:
        session: Session = await (on or server).create_session(http, **body)  # type: ignore[arg-type]  # the body of a request
        one = make_peer(session.client, settings=client)
        other = make_peer(session.counselor, settings=counselor)
        await one.join()
        await other.join()
        await one.paired()
        await other.paired()
        return one, other

    return bring
