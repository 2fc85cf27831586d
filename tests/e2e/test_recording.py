"""Two peers through the real server, its vault and its recording process: agree, be recorded, withdraw."""

from __future__ import annotations

import asyncio
import resource
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import MakePeer, running
from tests.e2e.server import Server, Session
from tests.e2e.traffic import arrives, media_of
from tests.peers.peer import Peer

WITHIN_S = 10.0


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server for this test alone."""
    with running(Server(tmp_path / "teduh")) as up:
        yield up


async def meet(
    server: Server, http: aiohttp.ClientSession, make_peer: MakePeer
) -> tuple[Session, Peer, Peer]:
    session = await server.create_session(http, recording="ask")
    client, counselor = make_peer(session.client), make_peer(session.counselor)
    for peer in (client, counselor):
        await peer.join()
    for peer in (client, counselor):
        await peer.paired()
    return session, client, counselor


async def agree(peer: Peer, *, granted: bool = True) -> None:
    terms = peer.welcome["session"]["recording"]["terms"]
    await peer.on.ask("consent", subject="recording", granted=granted, terms=terms, locale="en")


async def talk(*peers: Peer, first: int) -> None:
    """Send voice and picture for about a second and a half."""
    for packets in zip(*(media_of(peer, count=75, first=first) for peer in peers), strict=True):
        for peer, packet in zip(peers, packets, strict=True):
            peer.send_rtp(packet)
        await asyncio.sleep(0.01)


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(WITHIN_S):
        while not holds():  # noqa: ASYNC110  # another process does it
            await asyncio.sleep(0.05)


def bytes_of(server: Server) -> int:
    return sum(path.stat().st_size for path in (server.data_dir / "recordings").rglob("*.log"))


def one(server: Server, sql: str) -> tuple[object, ...]:
    with closing(sqlite3.connect(server.data_dir / "teduh.db")) as db:
        found: tuple[object, ...] = db.execute(sql).fetchone()
        return found


async def test_both_agree_are_recorded_and_one_withdraws(
    server: Server, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    session, client, counselor = await meet(server, http, make_peer)
    await talk(client, counselor, first=0)
    assert not [*(server.data_dir / "recordings").glob("[!.]*")], "nothing is kept from before"
    await agree(counselor)
    await client.on.expect("recording", state="asked", question="yours")
    await agree(client)
    for peer in (client, counselor):
        await peer.on.expect("recording", state="on")
    await talk(client, counselor, first=1_000)
    await until(lambda: bytes_of(server) > 0)
    assert (await server.get(http, f"/api/v1/sessions/{session.id}"))["recording"]["state"] == "recording"
    await agree(client, granted=False)
    await counselor.on.expect("recording", state="off", reason="withdrawn")
    await until(
        lambda: (
            one(server, "SELECT state, reason FROM recordings")
            in [("destroying", "withdrawn_client"), ("destroyed", "withdrawn_client")]
        )
    )
    size = bytes_of(server)
    await talk(client, counselor, first=2_000)
    await asyncio.sleep(1.5)
    assert bytes_of(server) <= size
    assert one(server, "SELECT count(*), sum(granted) FROM recording_agreements") == (3, 2)


async def test_a_killed_server_has_ended_it_when_it_is_back(
    server: Server, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    _, client, counselor = await meet(server, http, make_peer)
    await agree(counselor)
    await agree(client)
    await client.on.expect("recording", state="on")
    await talk(client, counselor, first=0)
    await until(lambda: one(server, "SELECT max(records) FROM recording_sides")[0] not in (None, 0))
    server.kill()
    server.start()
    assert one(server, "SELECT state, reason FROM recordings")[1] == "crash"
    assert one(server, "SELECT sum(granted), count(*) FROM recording_agreements") == (2, 4)


def recorder_of(server: Server) -> int:
    """Find the process that records."""
    assert server.process is not None
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    (found,) = [
        int(one) for one in children if b"recordings.taping" in Path(f"/proc/{one}/cmdline").read_bytes()
    ]
    return found


async def test_a_disk_that_takes_no_more_ends_the_recording_and_not_the_call(
    server: Server, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    """The process that records may make no file longer than they are."""
    _, client, counselor = await meet(server, http, make_peer)
    await agree(counselor)
    await agree(client)
    for peer in (client, counselor):
        await peer.on.expect("recording", state="on")
    await talk(client, counselor, first=0)
    await until(lambda: bytes_of(server) > 0)
    resource.prlimit(recorder_of(server), resource.RLIMIT_FSIZE, (1, 1))
    await talk(client, counselor, first=1_000)
    for peer in (client, counselor):
        await peer.on.expect("recording", state="off", reason="disk")
    await arrives(client, counselor, first=2_000)
    await arrives(counselor, client, first=2_000)
    await until(lambda: one(server, "SELECT reason FROM recordings") == ("disk",))
    await until(lambda: one(server, "SELECT state FROM recordings") == ("stored",))
