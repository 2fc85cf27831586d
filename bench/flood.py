"""What a flood of junk at the media port does to running calls and to the WebSocket.

    python -m bench.flood [--sessions 5] [--seconds 10] [--rates 0,25000,50000,100000]

Calls of 340 packets/s run all the time; meanwhile strangers send junk. Reports what the calls lose
and how long the answer to the WebSocket's ``ping`` takes, at each rate.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from dataclasses import dataclass

from bench.process import Child, child, cpu_s, udp_drops
from bench.report import Figure, percentile, publish
from bench.schedule import Shape
from bench.sessions import Stage, load, media_counters, serving

PING_EVERY_S = 0.05
PING_PATIENCE_S = 10.0
HOLDS_LOSS = 0.01


@dataclass(frozen=True, slots=True)
class Row:
    """What happened at one rate of junk."""

    rate: float
    loss: float
    kernel: float
    pings_ms: list[float]
    cpu: float

    @property
    def holds(self) -> bool:
        """Whether a call stays usable."""
        return self.loss <= HOLDS_LOSS


async def pings(stage: Stage, seconds: float) -> list[float]:
    """Round trips of ``ping`` in ms, one after another."""
    wire, found = stage.peers[0].on, []
    until_s = time.perf_counter() + seconds
    while time.perf_counter() < until_s:
        sent_s = time.perf_counter()
        await wire.send("ping", t=sent_s)
        await wire.expect("pong", within_s=PING_PATIENCE_S)
        found.append((time.perf_counter() - sent_s) * 1000)
        await asyncio.sleep(PING_EVERY_S)
    return found


async def at_rate(stage: Stage, generator: Child, junk: Child, *, rate: float, seconds: float) -> Row:
    port, before, used_s = stage.server.media_port, udp_drops([stage.server.media_port]), cpu_s(stage.pid)
    flood = asyncio.ensure_future(junk.ask(port=port, rate=rate, seconds=seconds)) if rate else None
    calls, trips = await asyncio.gather(
        generator.ask(group="relay", shape=Shape.CALL.value, seconds=seconds - 0.5),
        pings(stage, seconds - 0.5),
    )
    used_s = cpu_s(stage.pid) - used_s
    made = await flood if flood is not None else {"sent": 0, "seconds": 1}
    row = Row(
        made["sent"] / made["seconds"],
        1 - calls["received"] / calls["sent"],
        (udp_drops([port]) - before) / (made["sent"] + calls["sent"]),
        trips,
        used_s / seconds,
    )
    print(f"  {row.rate:.0f}/s: loss {row.loss:.3%}, late p99 {calls['late_p99_ms']:.2f} ms", flush=True)
    return row


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--sessions", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=10.0)
    asked.add_argument("--rates", default="0,25000,50000,100000")
    options = asked.parse_args()
    async with serving() as stage:
        handles = await stage.handles(options.sessions)
        async with load({"relay": handles}) as generator, child("bench.junk") as junk:
            rows = [
                await at_rate(stage, generator, junk, rate=float(rate), seconds=options.seconds)
                for rate in options.rates.split(",")
            ]
        counters = await media_counters(stage)
        here = stage.still_here()
    holding = max((row.rate for row in rows if row.holds), default=0.0)
    figures = [
        Figure(
            f"junk at {row.rate:.0f} datagrams/s",
            f"calls lose {row.loss:.2%}; ping p50 {percentile(row.pings_ms, 0.5):.1f} ms, "
            f"p99 {percentile(row.pings_ms, 0.99):.1f} ms; the kernel drops {row.kernel:.2%} of all; "
            f"server {row.cpu:.0%} of a core",
        )
        for row in rows
    ]
    figures.append(
        Figure(f"highest rate tried with under {HOLDS_LOSS:.0%} lost", f"{holding:.0f} datagrams/s")
    )
    kept = {name: f"{value:.0f}" for name, value in counters.items() if value}
    publish(
        f"Flood, {options.sessions} sessions running",
        figures,
        f"{here} of {2 * options.sessions} WebSockets open at the end; counters {kept}",
        "the flood, the calls' generator and the server share the cores of one machine",
    )


if __name__ == "__main__":
    asyncio.run(main())
