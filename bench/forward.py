"""Server CPU for each forwarded packet, as a multiple of a bare UDP forwarder's under the same load.

    python -m bench.forward [--sessions 20] [--pairs 5] [--seconds 10]

Interleaved pairs of runs, relay and baseline; the median of their ratios counts. A pair is void when
the generator was late by over 5 ms at p99 in either run, and is then done again. CPU is that of the
whole server process (``teduh serve``, observation, signaling and heartbeats included).
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from dataclasses import dataclass

from bench.process import Child, cpu_s
from bench.report import Figure, publish
from bench.schedule import Shape, period
from bench.sessions import Bare, Stage, bare_forwarder, load, media_counters, serving

LATE_LIMIT_MS = 5.0
TARGET_RATIO = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the load against one server."""

    us_per_packet: float
    lost: int
    late_p99_ms: float


@dataclass(frozen=True, slots=True)
class Pair:
    """A run against the relay and one against the baseline."""

    relay: Run
    bare: Run

    @property
    def ratio(self) -> float:
        """How many times the baseline's CPU the relay uses."""
        return self.relay.us_per_packet / self.bare.us_per_packet

    @property
    def void(self) -> bool:
        """Whether the generator could not keep its schedule."""
        return max(self.relay.late_p99_ms, self.bare.late_p99_ms) > LATE_LIMIT_MS


async def measure(pid: int, generator: Child, *, group: str, shape: Shape, seconds: float) -> Run:
    before_s = cpu_s(pid)
    done = await generator.ask(group=group, shape=shape.value, seconds=seconds)
    used_s = cpu_s(pid) - before_s
    return Run(
        used_s / max(1, done["received"]) * 1e6, done["sent"] - done["received"], float(done["late_p99_ms"])
    )


async def pairs_of(
    stage: Stage, bare: Bare, generator: Child, *, shape: Shape, wanted: int, seconds: float
) -> tuple[list[Pair], int]:
    """So many pairs that count, and how many were void; gives up after three times as many."""
    good: list[Pair] = []
    void = 0
    while len(good) < wanted and void < 2 * wanted:
        relay = await measure(stage.pid, generator, group="relay", shape=shape, seconds=seconds)
        other = await measure(bare.child.pid, generator, group="bare", shape=shape, seconds=seconds)
        pair = Pair(relay, other)
        print(
            f"  {shape.value}: relay {relay.us_per_packet:.1f} us, bare {other.us_per_packet:.1f} us, "
            f"ratio {pair.ratio:.2f}; late p99 {relay.late_p99_ms:.2f} and {other.late_p99_ms:.2f} ms; "
            f"lost {relay.lost} and {other.lost}{'; void' if pair.void else ''}",
            flush=True,
        )
        if pair.void:
            void += 1
        else:
            good.append(pair)
    return good, void


def figure(good: list[Pair], void: int, *, what: str, target: float | None) -> Figure:
    said = "" if target is None else f"at most {target}"
    if not good:
        return Figure(what, f"all {void} pairs were void", said)
    ratio = statistics.median(pair.ratio for pair in good)
    relay = statistics.median(pair.relay.us_per_packet for pair in good)
    bare = statistics.median(pair.bare.us_per_packet for pair in good)
    measured = f"{ratio:.2f} ({relay:.1f} µs to {bare:.1f} µs; {len(good)} pairs, {void} void)"
    return Figure(what, measured, said, None if target is None else ratio <= target)


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--sessions", type=int, default=20)
    asked.add_argument("--pairs", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=10.0)
    options = asked.parse_args()
    figures: list[Figure] = []
    async with serving() as stage, bare_forwarder() as bare:
        groups = {
            "relay": await stage.handles(options.sessions),
            "bare": await bare.handles(options.sessions),
        }
        async with load(groups) as generator:
            for group in groups:
                await generator.ask(group=group, shape=Shape.CALL.value, seconds=1)
            for shape, how, target in (
                (Shape.CALL, "video in bursts of 2 or 3", TARGET_RATIO),
                (Shape.SPREAD, "every packet by itself", None),
            ):
                good, void = await pairs_of(
                    stage, bare, generator, shape=shape, wanted=options.pairs, seconds=options.seconds
                )
                rate = period(shape, 2 * options.sessions).packets_per_s()
                what = f"CPU per packet, ratio to a bare forwarder, {rate:.0f} packets/s, {how}"
                figures.append(figure(good, void, what=what, target=target))
        counters = await media_counters(stage)
        here = stage.still_here()
    publish(
        f"Forwarding, {options.sessions} sessions",
        figures,
        f"AES-128-GCM both ways; {here} of {2 * options.sessions} WebSockets open at the end; counters "
        + ", ".join(f"{name} {value:.0f}" for name, value in sorted(counters.items()) if value),
    )


if __name__ == "__main__":
    asyncio.run(main())
