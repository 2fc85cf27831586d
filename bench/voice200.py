"""Two hundred voice sessions: started over 20 s, held for 60 s; who loses what.

    python -m bench.voice200 [--sessions 200] [--over 20] [--hold 60] [--cohorts 4]

Each leg sends 50 voice packets a second. Sessions join evenly over the 20 s and begin to talk in
cohorts, each with a generator of its own, while the next ones join. Losses are counted by sequence
numbers at the far side; what the kernel dropped at the media port or at the generators' sockets
(/proc/net/udp) is told apart.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import time
from typing import Any

from bench.process import cpu_s, udp_drops
from bench.report import Figure, publish
from bench.schedule import Shape
from bench.senders import Handle
from bench.sessions import Stage, load, media_counters, serving
from tests.peers.peer import Peer

KERNEL_LIMIT = 1e-4


async def started_over(stage: Stage, sessions: int, seconds: float) -> list[Handle]:
    """Begin a session at each even part of the time; handles once all are there."""
    began_s = time.monotonic()

    async def one(number: int) -> None:
        await asyncio.sleep(max(0.0, began_s + number * seconds / sessions - time.monotonic()))
        pairs[number] = await stage.pair(mode="voice")

    pairs: dict[int, tuple[Peer, Peer]] = {}
    await asyncio.gather(*(one(number) for number in range(sessions)))
    return [await stage.hand_over(peer) for number in sorted(pairs) for peer in pairs[number]]


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--sessions", type=int, default=200)
    asked.add_argument("--over", type=float, default=20.0)
    asked.add_argument("--hold", type=float, default=60.0)
    asked.add_argument("--cohorts", type=int, default=4)
    options = asked.parse_args()
    async with serving() as stage, contextlib.AsyncExitStack() as stack:
        runs: list[asyncio.Future[dict[str, Any]]] = []
        began_s = time.monotonic()
        end_s = began_s + options.over + options.hold
        for _ in range(options.cohorts):
            handles = await started_over(
                stage, options.sessions // options.cohorts, options.over / options.cohorts
            )
            generator = await stack.enter_async_context(load({"relay": handles}))
            left_s = end_s - time.monotonic()
            said = generator.ask(group="relay", shape=Shape.VOICE.value, seconds=left_s)
            runs.append(asyncio.ensure_future(said))
        took_s = time.monotonic() - began_s
        used_s, held_from_s = cpu_s(stage.pid), time.monotonic()
        done = await asyncio.gather(*runs)
        share = (cpu_s(stage.pid) - used_s) / (time.monotonic() - held_from_s)
        at_server, at_peers = udp_drops([stage.server.media_port]), udp_drops(stage.ports())
        counters = await media_counters(stage)
        here = stage.still_here()
    publish(
        f"{options.sessions} voice sessions",
        figures(
            done,
            at_server=at_server,
            at_peers=at_peers,
            lost_sockets=2 * options.sessions - here,
            share=share,
        ),
        f"begun over {took_s:.1f} s in {options.cohorts} cohorts, held for {end_s - held_from_s:.0f} s; "
        f"generators late {max(one['late_p99_ms'] for one in done):.2f} ms at p99, "
        f"{max(one['late_max_ms'] for one in done):.1f} ms at most; "
        f"out of order {sum(one['disordered'] for one in done)}; "
        f"most lost on one leg {max(one['worst_leg_lost'] for one in done)}",
        "counters of the relay: "
        + ", ".join(f"{name} {value:.0f}" for name, value in sorted(counters.items()) if value),
    )


def figures(
    done: list[dict[str, Any]], *, at_server: int, at_peers: int, lost_sockets: int, share: float
) -> list[Figure]:
    sent = sum(one["sent"] for one in done)
    lost = sent - sum(one["received"] for one in done)
    silent = sum(one["silent_legs"] for one in done)
    kernel = at_server + at_peers
    by_relay = max(0, lost - kernel)
    return [
        Figure("packets dropped by the relay", f"{by_relay} of {sent}", "0", by_relay == 0),
        Figure(
            "packets dropped by the kernel",
            f"{kernel / sent:.4%} ({at_server} at the media port, {at_peers} at the generators)",
            f"at most {KERNEL_LIMIT:.2%}",
            kernel <= KERNEL_LIMIT * sent,
        ),
        Figure(
            "sessions lost",
            f"{lost_sockets} WebSockets closed, {silent} silent legs",
            "0",
            not lost_sockets and not silent,
        ),
        Figure("CPU of the server while all talk", f"{share:.0%} of one core"),
    ]


if __name__ == "__main__":
    asyncio.run(main())
