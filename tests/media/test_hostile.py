"""Everything that arrives on the port is hostile until proved otherwise."""

from __future__ import annotations

import asyncio
import os
import random
import socket

import pytest

from media.events import LegId
from media.tcp import MAX_UNPROVEN_FOR_ADDRESS
from tests.media.rig import Rig, rig, rtp, until
from tests.media.test_relay import hears, talk
from tests.peers.leg import Leg


async def running_call(made: Rig) -> tuple[Leg, Leg]:
    a, b = await made.join("a"), await made.join("b")
    made.pair("a", "b")
    await hears(b, talk(a, 3))
    return a, b


async def still_runs(made: Rig, a: Leg, b: Leg, *, first: int) -> None:
    await hears(b, talk(a, 5, first=first))
    await hears(a, talk(b, 5, first=first))
    assert made.relay.counters().get("internal_errors", 0) == 0


def junk(source: random.Random) -> bytes:
    """A datagram of any of the protocols on the port, or of none, often cut short."""
    head = source.choice(
        [b"\x00\x01", b"\x01\x01", b"\x16\xfe\xfd", b"\x14", b"\x80\x6f", b"\x80\xc8", b"\xff", b""]
    )
    size = source.choice([0, 1, 2, 8, 11, 12, 20, 28, 100, 1400, 1500, 1501, 9000, 60_000])
    return (head + source.randbytes(size))[: max(size, source.randrange(4))]


async def test_datagrams_of_all_sizes_and_kinds_change_nothing() -> None:
    source = random.Random(2)
    async with rig() as made:
        a, b = await running_call(made)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            for index in range(3_000):
                stranger.sendto(junk(source), ("127.0.0.1", made.relay.port))
                if index % 50 == 0:
                    await asyncio.sleep(0)
        await still_runs(made, a, b, first=500)


async def test_the_same_from_a_proven_path_changes_nothing_for_others() -> None:
    source = random.Random(3)
    async with rig() as made:
        a, b = await running_call(made)
        c = await made.join("c")
        for index in range(2_000):
            data = junk(source)
            # Not 0x15: an alert in the clear may end c's own association, which is c's to lose.
            if data and len(data) < 9_000:
                c.send_datagram(data)
            if index % 50 == 0:
                await asyncio.sleep(0)
        await still_runs(made, a, b, first=500)


async def test_forged_and_replayed_packets_are_refused_and_counted() -> None:
    async with rig() as made:
        a, b = await running_call(made)
        assert a.link is not None
        assert a.srtp is not None
        ssrc = a.settings.audio_ssrcs[0]
        sent = [a.srtp.protect(rtp(b"x", payload_type=111, sequence=300 + i, ssrc=ssrc)) for i in range(3)]
        for packet in sent:
            a.link.send(packet)
        await until(lambda: len(b.received.rtp) == 3)
        b.received.rtp.clear()
        for packet in sent:
            a.link.send(packet)
            a.link.send(packet[:-1] + bytes([packet[-1] ^ 1]))
        await until(lambda: made.relay.counters().get("refused", 0) == 6)
        await still_runs(made, a, b, first=500)


@pytest.mark.parametrize(
    "frame", [b"\xff\xff" + bytes(65_535), b"\x00\x00", b"\x05\xdd" + bytes(1501), b"\x00\x05abc"]
)
async def test_wrong_frames_over_tcp_change_nothing(frame: bytes) -> None:
    async with rig() as made:
        a, b = await running_call(made)
        reader, writer = await asyncio.open_connection("127.0.0.1", made.relay.port)
        writer.write(frame + os.urandom(100))
        await writer.drain()
        await asyncio.sleep(0.05)
        await still_runs(made, a, b, first=500)
        writer.close()
        del reader


async def test_connections_that_prove_nothing_are_few_and_short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("media.tcp.PROVE_S", 0.5)
    async with rig() as made:
        opened = [
            await asyncio.open_connection("127.0.0.1", made.relay.port)
            for _ in range(MAX_UNPROVEN_FOR_ADDRESS + 5)
        ]
        await until(lambda: made.relay.counters().get("tcp_refused", 0) == 5)
        await until(lambda: made.relay.counters()["tcp_connections"] == 0, seconds=2)
        for _, writer in opened:
            writer.close()
        await made.join("a", transport="tcp")
        assert made.relay.counters()["tcp_connections"] == 1


async def test_a_tcp_peer_that_stops_reading_loses_video_first_and_then_its_connection(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("media.tcp.STUCK_S", 0.3)
    async with rig() as made:
        a, b = await made.join("a"), await made.join("b", transport="tcp")
        made.pair("a", "b")
        await hears(b, talk(a, 3))
        b.link._transport.pause_reading()  # type: ignore[union-attr]
        first = 1000
        async with asyncio.timeout(20):
            while made.relay.sample(LegId("b")).transport is not None:
                talk(a, 20, first=first, size=1100, video=True)
                talk(a, 5, first=first)
                first += 20
                await asyncio.sleep(0.005)
        assert made.relay.counters()["unsent"] > 0
        assert made.relay.counters().get("internal_errors", 0) == 0


async def test_a_leg_keeps_sixteen_paths_at_most() -> None:
    async with rig() as made:
        a, b = await running_call(made)
        for _ in range(20):
            await a.rebind()
            await asyncio.wait_for(a.checked.wait(), 2)
        assert len(made.relay._legs[LegId("a")].paths) == 16
        await still_runs(made, a, b, first=500)
