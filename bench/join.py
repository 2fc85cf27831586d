"""How long joining takes, ``hello`` to DTLS connected, and what it costs the server.

    python -m bench.join [--joins 200]

One join after another, by the tests' peer, into sessions that were made before. Who has joined stays,
so each join finds more connected sessions than the one before, and those cost something too: checks,
reports, heartbeats, quality. What the server uses when nobody joins is read before the first join and
after the last; the mean of both, over the time that the joins took, is taken off. The report has the
CPU of a join with and without that.
"""

from __future__ import annotations

import argparse
import asyncio
import time

from bench.process import cpu_s
from bench.report import Figure, percentile, publish
from bench.sessions import PATIENCE_S, Stage, serving
from tests.peers.peer import Peer, Place
from tests.peers.wire import Message, Wire

P50_MS, P99_MS, CPU_MS = 25.0, 150.0, 4.0
SETTLE_S = 1.0
IDLE_S = 10.0  # the quality rows of each leg are written so often


class TimedPeer(Peer):
    """Knows when it said hello."""

    said_hello_s = 0.0

    async def enter(self, *, resume: Message | None = None) -> None:
        """Open the WebSocket, then take the time, then say hello."""
        self.wire = await Wire.open(self.http, self.place.signal_url)
        self.wire.listeners.append(self._listen)
        self._worker = asyncio.get_running_loop().create_task(self._handle_offers())
        self.said_hello_s = time.perf_counter()
        assert resume is None
        await self.wire.send("hello", token=self.place.token, codecs=list(self.codecs))


async def timed_join(stage: Stage, place: Place) -> float:
    """Join; returns ms from hello to DTLS connected."""
    peer = TimedPeer(stage.http, place)
    stage.peers.append(peer)
    await peer.enter()
    await peer.connected(within_s=PATIENCE_S)
    return (time.perf_counter() - peer.said_hello_s) * 1000


async def idle_share(stage: Stage) -> float:
    """CPU that the server uses while nobody joins or leaves, as a share of one core."""
    await asyncio.sleep(SETTLE_S)
    before_s, began_s = cpu_s(stage.pid), time.perf_counter()
    await asyncio.sleep(IDLE_S)
    return (cpu_s(stage.pid) - before_s) / (time.perf_counter() - began_s)


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--joins", type=int, default=200)
    options = asked.parse_args()
    async with serving() as stage:
        sessions = [await stage.server.create_session(stage.http) for _ in range(options.joins // 2 + 2)]
        for place in (sessions[-1].client, sessions[-1].counselor):
            await timed_join(stage, place)
        idle_before = await idle_share(stage)
        before_s, began_s = cpu_s(stage.pid), time.perf_counter()
        took_ms = [
            await timed_join(stage, place)
            for session in sessions[: options.joins // 2]
            for place in (session.client, session.counselor)
        ]
        await asyncio.sleep(0.2)
        used_s, elapsed_s = cpu_s(stage.pid) - before_s, time.perf_counter() - began_s
        idle_after = await idle_share(stage)
    gross_ms = used_s * 1000 / len(took_ms)
    cpu_ms = gross_ms - (idle_before + idle_after) / 2 * elapsed_s * 1000 / len(took_ms)
    p50, p99 = percentile(took_ms, 0.5), percentile(took_ms, 0.99)
    publish(
        f"{len(took_ms)} joins one after another",
        [
            Figure("join, hello to DTLS connected, p50", f"{p50:.1f} ms", f"{P50_MS:.0f} ms", p50 <= P50_MS),
            Figure("join, p99", f"{p99:.1f} ms", f"{P99_MS:.0f} ms", p99 <= P99_MS),
            Figure(
                "CPU of the server per join, without the idle cost of those who joined before",
                f"{cpu_ms:.2f} ms",
                f"at most {CPU_MS:.0f} ms",
                cpu_ms <= CPU_MS,
            ),
            Figure("the same with it", f"{gross_ms:.2f} ms"),
        ],
        f"idle: {idle_before:.1%} of a core before the joins, {idle_after:.1%} after them",
        f"slowest {max(took_ms):.1f} ms; the peer's own handshake is in these times",
    )


if __name__ == "__main__":
    asyncio.run(main())
