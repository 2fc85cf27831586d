"""How long the relay holds a packet under load, beyond what a bare forwarder takes.

    python -m bench.latency [--sessions 20] [--pairs 5] [--seconds 15]

A probe pair in a process of its own goes through the relay while the load of 20 sessions does, then
the same through the bare forwarder; the added p50 and p99 are the differences of a pair of runs, and
their medians count.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from dataclasses import dataclass

from bench.forward import LATE_LIMIT_MS
from bench.process import Child
from bench.report import Figure, percentile, publish
from bench.schedule import Shape
from bench.sessions import bare_forwarder, load, serving

TARGETS_MS = {0.5: 0.3, 0.99: 3.0}


@dataclass(frozen=True, slots=True)
class Run:
    """Delays of one run in ms by share of packets, and how well the load kept its schedule."""

    delays_ms: dict[float, float]
    missing: int
    late_p99_ms: float


async def measure(group: str, generator: Child, probe: Child, *, shape: Shape, seconds: float) -> Run:
    background = asyncio.ensure_future(generator.ask(group=group, shape=shape.value, seconds=seconds + 1))
    await asyncio.sleep(0.5)
    probed = await probe.ask(group=group, seconds=seconds)
    done = await background
    delays = probed["delays_us"]
    return Run(
        {share: percentile(delays, share) / 1000 for share in TARGETS_MS},
        probed["sent"] - len(delays),
        float(done["late_p99_ms"]),
    )


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--sessions", type=int, default=20)
    asked.add_argument("--pairs", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=15.0)
    options = asked.parse_args()
    good: list[tuple[Run, Run]] = []
    void = 0
    async with serving() as stage, bare_forwarder() as bare:
        groups = {
            "relay": await stage.handles(options.sessions),
            "bare": await bare.handles(options.sessions),
        }
        probes = {"relay": await stage.handles(1), "bare": await bare.handles(1)}
        async with load(groups) as generator, load(probes, module="bench.probe") as probe:
            while len(good) < options.pairs and void < 2 * options.pairs:
                relay, other = [
                    await measure(group, generator, probe, shape=Shape.CALL, seconds=options.seconds)
                    for group in groups
                ]
                late = max(relay.late_p99_ms, other.late_p99_ms)
                print(
                    f"  relay {relay.delays_ms} ms, bare {other.delays_ms} ms, late p99 {late:.2f} ms",
                    flush=True,
                )
                if late > LATE_LIMIT_MS:
                    void += 1
                else:
                    good.append((relay, other))
    figures = []
    for share, target in TARGETS_MS.items():
        what = f"added latency, {options.sessions} sessions, p{share * 100:.0f}"
        if not good:
            figures.append(Figure(what, f"all {void} pairs were void", f"{target} ms"))
            continue
        added = statistics.median(relay.delays_ms[share] - other.delays_ms[share] for relay, other in good)
        whole = statistics.median(relay.delays_ms[share] for relay, _ in good)
        measured = f"{added:.2f} ms ({whole:.2f} ms in all; {len(good)} pairs, {void} void)"
        figures.append(Figure(what, measured, f"{target} ms", added <= target))
    missing = sum(relay.missing for relay, _ in good)
    publish("Latency", figures, f"probe packets that never came through the relay: {missing}")


if __name__ == "__main__":
    asyncio.run(main())
