"""The model of a bad line, and the proxy that carries it out."""

from __future__ import annotations

import asyncio
import itertools
from typing import cast

import pytest

from tests.netem.model import CUT, Conditions, Line, bursts
from tests.netem.proxy import Proxy


def outcomes(conditions: Conditions, *, seed: int = 7, packets: int = 2_000) -> list[float | None]:
    line = Line(seed=seed, conditions=conditions)
    return [line.deliver_at(number * 0.001, 100) for number in range(packets)]


def test_a_clean_line_delivers_at_once() -> None:
    assert outcomes(Conditions(), packets=3) == [0.0, 0.001, 0.002]


def test_the_same_seed_gives_the_same_faults() -> None:
    bad = Conditions(loss=0.1, delay_ms=20, jitter_ms=10, reorder=0.05)
    assert outcomes(bad) == outcomes(bad)
    assert outcomes(bad) != outcomes(bad, seed=8)


def test_loss_is_the_share_that_was_asked_for() -> None:
    lost = outcomes(Conditions(loss=0.1)).count(None)
    assert 150 < lost < 250


def test_a_burst_loses_neighbours() -> None:
    got = outcomes(Conditions(burst_start=0.02, burst_end=0.2))
    pairs = sum(a is None and b is None for a, b in itertools.pairwise(got))
    assert pairs > got.count(None) / 2


def test_bursts_have_the_share_and_the_length_that_was_asked_for() -> None:
    got = outcomes(bursts(share=0.2, packets=8), packets=40_000)
    runs = [len(list(run)) for lost, run in itertools.groupby(at is None for at in got) if lost]
    assert got.count(None) / len(got) == pytest.approx(0.2, abs=0.02)
    assert sum(runs) / len(runs) == pytest.approx(8, rel=0.1)


def test_a_stalling_line_holds_packets_and_lets_them_go_at_once() -> None:
    got = outcomes(Conditions(stall_ms=200, stall_every_ms=500), packets=10_000)
    waits = [at - number * 0.001 for number, at in enumerate(got) if at is not None]
    assert len(waits) == 10_000, "nothing is lost"
    assert max(waits) == pytest.approx(0.2, abs=0.002)
    assert sum(wait > 0 for wait in waits) / 10_000 == pytest.approx(0.2 / 0.7, abs=0.06)
    stalls = sum(before == 0 and now > 0 for before, now in itertools.pairwise(waits))
    assert stalls == pytest.approx(10 / 0.7, abs=3)


def test_a_cut_line_delivers_nothing() -> None:
    assert set(outcomes(CUT)) == {None}


def test_jitter_alone_keeps_the_order() -> None:
    got = [at for at in outcomes(Conditions(delay_ms=30, jitter_ms=25)) if at is not None]
    assert got == sorted(got)


def test_reordering_lets_packets_overtake() -> None:
    got = [at for at in outcomes(Conditions(delay_ms=30, reorder=0.1)) if at is not None]
    assert got != sorted(got)


def test_the_rate_spreads_packets_and_the_queue_is_bounded() -> None:
    got = outcomes(Conditions(rate_kbps=400, queue_ms=100), packets=1_000)
    passed = [at for at in got if at is not None]
    assert len(passed) == pytest.approx(550, abs=15)
    assert max(at - number * 0.001 for number, at in enumerate(got) if at is not None) < 0.105


class Echo(asyncio.DatagramProtocol):
    """Answers each datagram with itself and remembers the source ports."""

    def __init__(self) -> None:
        self.sources: set[int] = set()
        self.transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        assert self.transport is not None
        self.sources.add(addr[1])
        self.transport.sendto(data, addr)


class Client(asyncio.DatagramProtocol):
    """Queues what comes back."""

    def __init__(self) -> None:
        self.came: asyncio.Queue[bytes] = asyncio.Queue()

    def datagram_received(self, data: bytes, _addr: object) -> None:
        self.came.put_nowait(data)


async def test_the_proxy_cuts_rebinds_and_blocks_udp() -> None:
    loop = asyncio.get_running_loop()
    server, echo = await loop.create_datagram_endpoint(Echo, local_addr=("127.0.0.1", 0))
    proxy = Proxy(server.get_extra_info("sockname"))
    port = await proxy.start()
    sender, client = await loop.create_datagram_endpoint(Client, remote_addr=("127.0.0.1", port))

    async def passes() -> bool:
        sender.sendto(b"x")
        try:
            return await asyncio.wait_for(client.came.get(), 0.2) == b"x"
        except TimeoutError:
            return False

    assert await passes()
    proxy.cut()
    assert not await passes()
    proxy.heal()
    assert await passes()
    proxy.rebind()
    assert await passes()
    assert len(echo.sources) == 2
    proxy.move()
    assert not await passes()
    sender.close()
    sender, client = await loop.create_datagram_endpoint(Client, remote_addr=("127.0.0.1", port))
    assert await passes()
    proxy.block_udp()
    assert not await passes()
    sender.close()
    server.close()
    await proxy.close()


async def test_the_proxy_holds_a_tcp_stream_while_it_is_cut() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(100):
            writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    proxy = Proxy(server.sockets[0].getsockname()[:2])
    reader, writer = await asyncio.open_connection("127.0.0.1", await proxy.start())
    writer.write(b"one")
    assert await asyncio.wait_for(reader.readexactly(3), 1) == b"one"
    proxy.cut()
    writer.write(b"two")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(3), 0.2)
    proxy.heal()
    assert await asyncio.wait_for(reader.readexactly(3), 1) == b"two"
    proxy.reset_tcp()
    with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
        await asyncio.wait_for(reader.readexactly(1), 1)
    writer.close()
    await proxy.close()
    server.close()
