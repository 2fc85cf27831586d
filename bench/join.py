"""How long joining takes, ``hello`` to DTLS connected, and what it costs the server.

    python -m bench.join [--joins 200]

One join after another, by the tests' peer, into sessions that were made before. The CPU is all that
the server process used meanwhile, heartbeats and pairing included.
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


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--joins", type=int, default=200)
    options = asked.parse_args()
    async with serving() as stage:
        sessions = [await stage.server.create_session(stage.http) for _ in range(options.joins // 2 + 2)]
        for place in (sessions[-1].client, sessions[-1].counselor):
            await timed_join(stage, place)
        before_s = cpu_s(stage.pid)
        took_ms = [
            await timed_join(stage, place)
            for session in sessions[: options.joins // 2]
            for place in (session.client, session.counselor)
        ]
        await asyncio.sleep(0.2)
        cpu_ms = (cpu_s(stage.pid) - before_s) * 1000 / len(took_ms)
    p50, p99 = percentile(took_ms, 0.5), percentile(took_ms, 0.99)
    publish(
        f"{len(took_ms)} joins one after another",
        [
            Figure("join, hello to DTLS connected, p50", f"{p50:.1f} ms", f"{P50_MS:.0f} ms", p50 <= P50_MS),
            Figure("join, p99", f"{p99:.1f} ms", f"{P99_MS:.0f} ms", p99 <= P99_MS),
            Figure(
                "CPU of the server per join", f"{cpu_ms:.2f} ms", f"at most {CPU_MS:.0f} ms", cpu_ms <= CPU_MS
            ),
        ],
        f"slowest {max(took_ms):.1f} ms; the peer's own handshake is in these times",
    )


if __name__ == "__main__":
    asyncio.run(main())
