"""Two peers behind a bad network: the call comes up, holds, and says what it sees."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import aiohttp
import pytest

from tests.e2e.conftest import MakePeer, running
from tests.e2e.server import Server, free_port
from tests.e2e.traffic import PACE_S, arrives, both_ways, media_of, packets
from tests.netem.model import Conditions
from tests.netem.proxy import Proxy
from tests.peers.peer import Peer, random_settings
from tests.peers.rtp import OPUS


@dataclass(slots=True)
class Bad:
    """A server of which the client sees only the proxy."""

    server: Server
    line: Proxy


@pytest.fixture
async def bad(tmp_path: Path) -> AsyncIterator[Bad]:
    port = free_port()
    server = Server(tmp_path / "teduh", media_addresses=(f"127.0.0.1:{port}", "127.0.0.1"))
    line = Proxy(("127.0.0.1", server.media_port), seed=7)
    await line.start("127.0.0.1", port)
    with running(server):
        yield Bad(server, line)
        await line.close()


async def two(
    bad: Bad, http: aiohttp.ClientSession, make_peer: MakePeer, *, transport: str = "udp"
) -> tuple[Peer, Peer]:
    """The client behind the proxy, the counselor with a clean line."""
    session = await bad.server.create_session(http)
    one = make_peer(
        session.client,
        settings=random_settings(media_port=bad.line.port, transport=transport, checks_s=0.5),
    )
    other = make_peer(session.counselor, settings=random_settings(media_port=bad.server.media_port))
    await one.join()
    await other.join()
    await one.paired(within_s=12)
    await other.paired(within_s=12)
    return one, other


async def test_a_call_comes_up_through_heavy_loss(
    bad: Bad, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    bad.line.set(Conditions(loss=0.2, delay_ms=40, jitter_ms=20))
    one, other = await two(bad, http, make_peer)
    bad.line.heal()
    await both_ways(one, other)


async def test_what_passes_a_bad_line_is_unchanged_and_comes_once(
    bad: Bad, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    one, other = await two(bad, http, make_peer)
    bad.line.set(Conditions(loss=0.1, delay_ms=20, jitter_ms=10, reorder=0.1))
    sent = media_of(one, count=200)
    for packet in sent:
        one.send_rtp(packet)
        await asyncio.sleep(PACE_S)
    await asyncio.sleep(0.3)
    got = other.media.received.rtp
    assert len(sent) * 0.8 < len(got) < len(sent)
    assert len(set(got)) == len(got)
    assert set(got) <= set(sent)


async def speak(peer: Peer, *, first: int) -> None:
    """Voice at 50 packets/s until cancelled."""
    for packet in packets(peer.settings.audio_ssrcs[0], payload_type=OPUS, count=3_000, first=first):
        peer.send_rtp(packet)
        await asyncio.sleep(0.02)


async def test_a_cut_is_told_to_the_other_side_and_so_is_its_end(
    bad: Bad, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    one, other = await two(bad, http, make_peer)
    await one.on.ask("media", audio=True, video=False)
    speaking = asyncio.create_task(speak(one, first=1))
    await asyncio.sleep(1)
    bad.line.cut()
    await other.on.expect("peer", state="interrupted", within_s=2)
    await asyncio.sleep(1)
    bad.line.heal()
    await other.on.expect("peer", state="connected", within_s=2)
    speaking.cancel()
    await both_ways(one, other, first=10_000)


async def test_a_break_stands_in_the_record_with_whose_it_was_and_why(
    bad: Bad, http: aiohttp.ClientSession, make_peer: MakePeer
) -> None:
    one, other = await two(bad, http, make_peer)
    await one.on.ask("media", audio=True, video=False)
    speaking = asyncio.create_task(speak(one, first=1))
    await asyncio.sleep(1)
    bad.line.cut()
    await other.on.expect("peer", state="interrupted", within_s=3)
    await asyncio.sleep(1)
    bad.line.heal()
    await other.on.expect("peer", state="connected", within_s=4)
    record = f"/api/v1/sessions/{one.welcome['session']['id']}/quality"
    async with asyncio.timeout(8):
        while True:
            events = (await bad.server.get(http, record))["events"]
            ends = [event for event in events if event["kind"] == "resumed"]
            if ends:
                break
            await asyncio.sleep(0.3)
    speaking.cancel()
    begins = [event for event in events if event["kind"] == "interrupted"]
    assert [event["participant"] for event in begins + ends] == [one.place.participant] * 2
    assert ends[0]["detail"]["kind"] == "cut"
    assert 1_000 < ends[0]["detail"]["gap_ms"] < 6_000


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_a_new_source_port_keeps_the_call(
    bad: Bad, http: aiohttp.ClientSession, make_peer: MakePeer, transport: str
) -> None:
    one, other = await two(bad, http, make_peer, transport=transport)
    keys = one.media.dtls
    await both_ways(one, other)
    bad.line.rebind()
    if transport == "tcp":
        await one.media.rebind()
    assert await arrives(other, one, first=62_000) < 4
    assert await arrives(one, other, first=62_000) < 1
    assert one.media.dtls is keys
