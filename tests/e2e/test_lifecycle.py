"""The process: it says goodbye, comes back with its sessions, and its log tells nothing of a person."""

from __future__ import annotations

import asyncio
import ipaddress
import re
import time

import aiohttp
import pytest

from tests.e2e.conftest import MakePeer, Pair
from tests.e2e.server import Server
from tests.e2e.traffic import both_ways
from tests.peers.peer import Peer


async def test_sigterm_tells_both_and_ends_the_process(own_server: Server, pair: Pair) -> None:
    one, other = await pair(on=own_server)
    stopping = asyncio.create_task(asyncio.to_thread(own_server.stop))
    assert await one.on.closed() == 1012
    assert await other.on.closed() == 1012
    assert await stopping < 5
    assert own_server.process is not None
    assert own_server.process.returncode == 0


async def come_back(peer: Peer, resume: dict[str, object]) -> None:
    """Try to resume until the new process serves, as the page does."""
    while True:
        try:
            await peer.join(resume=resume)
        except (aiohttp.ClientError, OSError):
            await asyncio.sleep(0.2)
        else:
            return


@pytest.mark.parametrize("way", ["stop", "kill"])
async def test_a_restarted_server_has_both_back_in_their_session(
    own_server: Server, pair: Pair, way: str
) -> None:
    one, other = await pair(on=own_server)
    await both_ways(one, other, count=10)
    keys = [(peer, peer.resume_key()) for peer in (one, other)]
    await asyncio.to_thread(getattr(own_server, way))
    await asyncio.to_thread(own_server.start)
    serving = time.monotonic()
    await asyncio.gather(*(come_back(peer, key) for peer, key in keys))
    assert one.welcome["session"]["id"] == other.welcome["session"]["id"]
    assert one.welcome["resumed"] is False
    await asyncio.gather(one.paired(), other.paired())
    await both_ways(one, other, count=10, first=100)
    assert time.monotonic() - serving < 5


async def test_the_log_of_a_call_tells_nothing_of_a_person(
    own_server: Server, pair: Pair, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    one, other = await pair(on=own_server)
    await both_ways(one, other)
    await one.on.ask("chat", text="rahasia yang dalam")
    await one.on.send("typing")
    await one.on.ask("mode", mode="voice", reason="user")
    key = one.resume_key()
    await one.on.kill()
    await one.join(resume=key)
    await one.restart()
    await one.on.send_text("rahasia yang rusak")
    await asyncio.sleep(0.3)
    assert other.leg is not None
    assert other.leg.offer is not None
    await asyncio.to_thread(own_server.stop)
    log = own_server.log()
    assert "/api/v1/signal" in log
    secrets = [
        "rahasia",
        "Sekar",
        "Ayu",
        "Bima",
        "Wirawan",
        one.place.token,
        one.place.token.split(".")[2],
        one.place.join_url.rpartition("#")[2],
        key["key"],
        key["key"].rpartition(".")[2],
        other.leg.offer.ufrag,
        other.leg.offer.pwd,
    ]
    assert own_server.key is not None
    secrets.append(own_server.key.secret)
    assert [secret for secret in secrets if secret in log] == []
    assert "Traceback" not in log
    assert '"level": "error"' not in log
    assert addresses_in(log, serving=(own_server.http_port, own_server.media_port)) == []


def addresses_in(log: str, *, serving: tuple[int, int]) -> list[str]:
    """Addresses with a port that is not one of the server's own: those are of participants."""
    found = []
    for host, port in re.findall(r"(\d+\.\d+\.\d+\.\d+)\D{1,4}(\d{4,5})\b", log):
        try:
            ipaddress.ip_address(host)
        except ValueError:
            continue
        if int(port) not in serving:
            found.append(f"{host}:{port}")
    return found


async def test_the_counselor_ends_for_both(pair: Pair, server: Server, http: aiohttp.ClientSession) -> None:
    one, other = await pair()
    await other.on.request("end", reason="selesai")
    for peer in (one, other):
        assert (await peer.on.expect("ended"))["by"] == other.place.participant
        assert await peer.on.closed() == 4410
    path = f"/api/v1/sessions/{one.welcome['session']['id']}"
    found = await server.get(http, path)
    for _ in range(20):  # the database follows the call within a second
        if found["state"] == "ended":
            break
        await asyncio.sleep(0.05)
        found = await server.get(http, path)
    assert found["state"] == "ended"
    assert found["ended_at"] is not None


async def test_a_program_ends_a_session(pair: Pair, server: Server, http: aiohttp.ClientSession) -> None:
    one, other = await pair()
    assert server.key is not None
    session = one.welcome["session"]["id"]
    url = f"{server.url}/api/v1/sessions/{session}/end"
    async with http.post(url, json={"reason": "done"}, headers=server.key.bearer()) as answer:
        assert answer.status == 204
    for peer in (one, other):
        assert await peer.on.closed() == 4410


async def test_who_leaves_may_come_again(pair: Pair, make_peer: MakePeer) -> None:
    one, other = await pair()
    key = one.resume_key()
    await one.on.request("leave")
    await other.on.expect("peer", state="left")
    await one.close()
    again = make_peer(one.place)
    await again.join(resume=key | {"seq": 0})
    await again.paired()
    await other.paired()


async def test_no_pong_loses_the_socket_but_not_media(
    server: Server, http: aiohttp.ClientSession, pair: Pair
) -> None:
    one, other = await pair()
    transport = one.on.websocket._response.connection
    assert transport is not None
    one.on.websocket._autoping = False
    assert await one.on.closed(within_s=12) in (4408, 1006)
    await both_ways(one, other)


async def test_the_quality_record_knows_the_call(
    pair: Pair, server: Server, http: aiohttp.ClientSession
) -> None:
    one, other = await pair()
    await both_ways(one, other)
    session = one.welcome["session"]["id"]
    found = await server.get(http, f"/api/v1/sessions/{session}")
    assert found["state"] == "active"
    assert {each["state"] for each in found["participants"]} == {"connected"}
    record = await server.get(http, f"/api/v1/sessions/{session}/quality")
    text = str(record)
    assert "127.0.0.1" not in text
    assert one.place.participant in text
