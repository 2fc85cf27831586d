"""What recording costs: the relay's latency, and CPU for each packet, with and without it.

    python -m bench.recording [--sessions 20] [--pairs 5] [--seconds 15]

All sessions have both consents. Pairs of runs under the same load: off the record, and on it; the median of
their differences counts. CPU is that of the server and of the process that records together; the probe's
session is not recorded. A pair is void when the load was late by over 5 ms at p99 in either run.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
from dataclasses import dataclass
from pathlib import Path

from bench.forward import LATE_LIMIT_MS
from bench.process import Child, cpu_s
from bench.report import Figure, percentile, publish
from bench.schedule import Shape, period
from bench.sessions import Stage, load, serving
from tests.peers.peer import Peer

MOST_P99_MS = 1.0
MOST_CPU = 0.8
SETTLE_S = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """One run: µs of CPU for each packet (server, recorder), delays of the probe, and how well the load
    ran."""

    server_us: float
    recorder_us: float
    p50_ms: float
    p99_ms: float
    lost: int
    late_p99_ms: float

    @property
    def us(self) -> float:
        """CPU for each packet, of both processes."""
        return self.server_us + self.recorder_us


async def consent(people: list[Peer]) -> None:
    """Have everybody agree, and wait until each session is recorded."""
    for peer in people:
        terms = peer.welcome["session"]["recording"]["terms"]
        await peer.on.ask("consent", subject="recording", granted=True, terms=terms, locale="en")
    for peer in people:
        await peer.on.expect("recording", state="on")


async def set_off_record(people: list[Peer], *, off: bool) -> None:
    """Go off the record in every session, or on again."""
    for peer in people[::2]:
        await peer.on.ask("recording", off_record=off)
    await asyncio.sleep(SETTLE_S)


def recorder_of(server: int) -> int:
    """The process that records: the server's child that runs it."""
    for task in Path(f"/proc/{server}/task").iterdir():
        for child in (task / "children").read_text().split():
            if b"recordings.taping" in Path(f"/proc/{child}/cmdline").read_bytes():
                return int(child)
    raise LookupError("nothing is recorded")


async def measure(pids: tuple[int, int], generator: Child, probe: Child, *, seconds: float) -> Run:
    before = [cpu_s(pid) for pid in pids]
    loading = asyncio.ensure_future(
        generator.ask(group="recorded", shape=Shape.CALL.value, seconds=seconds + 1)
    )
    await asyncio.sleep(0.5)
    probed = await probe.ask(group="probe", seconds=seconds)
    done = await loading
    used = [cpu_s(pid) - then for pid, then in zip(pids, before, strict=True)]
    server_us, recorder_us = (1e6 * spent_s / max(1, done["received"]) for spent_s in used)
    delays_ms = [delay / 1000 for delay in probed["delays_us"]]
    return Run(
        server_us,
        recorder_us,
        percentile(delays_ms, 0.5),
        percentile(delays_ms, 0.99),
        done["sent"] - done["received"],
        float(done["late_p99_ms"]),
    )


async def pairs_of(
    stage: Stage, people: list[Peer], generator: Child, probe: Child, *, wanted: int, seconds: float
) -> tuple[list[tuple[Run, Run]], int]:
    """So many pairs (off, on) that count, and how many were void."""
    pids = stage.pid, recorder_of(stage.pid)
    good: list[tuple[Run, Run]] = []
    void = 0
    while len(good) < wanted and void < 2 * wanted:
        await set_off_record(people, off=True)
        off = await measure(pids, generator, probe, seconds=seconds)
        await set_off_record(people, off=False)
        on = await measure(pids, generator, probe, seconds=seconds)
        for name, run in (("off", off), ("on", on)):
            print(
                f"  {name}: server {run.server_us:.1f} us, recorder {run.recorder_us:.1f} us; "
                f"p50 {run.p50_ms:.2f}, p99 {run.p99_ms:.2f} ms; "
                f"late p99 {run.late_p99_ms:.2f} ms; lost {run.lost}",
                flush=True,
            )
        if max(off.late_p99_ms, on.late_p99_ms) > LATE_LIMIT_MS:
            void += 1
        else:
            good.append((off, on))
    return good, void


def figures_of(good: list[tuple[Run, Run]], void: int, *, sessions: int) -> list[Figure]:
    rate = period(Shape.CALL, 2 * sessions).packets_per_s()
    latency = f"latency p99 that recording adds, {sessions} recorded sessions"
    cpu = f"CPU per packet that recording adds, {rate:.0f} packets/s"
    if not good:
        return [Figure(what, f"all {void} pairs were void") for what in (latency, cpu)]
    added_ms = statistics.median(on.p99_ms - off.p99_ms for off, on in good)
    more = statistics.median(on.us / off.us - 1 for off, on in good)
    off_us, on_us, recorder_us = (
        statistics.median(value)
        for value in zip(*((off.us, on.us, on.recorder_us) for off, on in good), strict=True)
    )
    off_ms, on_ms = (
        statistics.median(value) for value in zip(*((off.p99_ms, on.p99_ms) for off, on in good), strict=True)
    )
    how = f"{len(good)} pairs, {void} void"
    return [
        Figure(
            latency,
            f"{added_ms:+.2f} ms ({off_ms:.2f} to {on_ms:.2f} ms; {how})",
            f"at most {MOST_P99_MS:.0f} ms",
            added_ms <= MOST_P99_MS,
        ),
        Figure(
            cpu,
            f"{more:+.0%} ({off_us:.1f} µs to {on_us:.1f} µs, of these {recorder_us:.1f} µs in the recorder)",
            f"at most {MOST_CPU:.0%}",
            more <= MOST_CPU,
        ),
    ]


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--sessions", type=int, default=20)
    asked.add_argument("--pairs", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=15.0)
    options = asked.parse_args()
    async with serving() as stage:
        recorded = await stage.handles(options.sessions, recording="ask")
        people = list(stage.peers)
        probes = await stage.handles(1)
        async with (
            load({"recorded": recorded}) as generator,
            load({"probe": probes}, module="bench.probe") as probe,
        ):
            await generator.ask(group="recorded", shape=Shape.CALL.value, seconds=1)
            await consent(people)
            good, void = await pairs_of(
                stage, people, generator, probe, wanted=options.pairs, seconds=options.seconds
            )
        folder = stage.server.data_dir / "recordings"
        written = sum(path.stat().st_size for path in folder.rglob("*.log"))
    publish(
        "Recording",
        figures_of(good, void, sessions=options.sessions),
        f"{written / 1e6:.0f} MB of logs in {2 * options.sessions} files",
    )


if __name__ == "__main__":
    asyncio.run(main())
