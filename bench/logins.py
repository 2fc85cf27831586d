"""50 logins at once: what they cost in memory, and what they do to calls.

    python -m bench.logins [--logins 50] [--sessions 5] [--seconds 15]

Each login is a wrong password for a name of its own, so each costs one Argon2. First the server's memory is
read all the while that one wave is worked off. Then calls run, and a probe pair goes through the relay: once
alone, once while wave follows wave.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import time

import aiohttp

from bench.forms import FilledForm, opened
from bench.forward import LATE_LIMIT_MS
from bench.latency import Run, measure
from bench.process import pss_kb
from bench.report import Figure, percentile, publish
from bench.schedule import Shape
from bench.sessions import Stage, load, serving

LIMIT_MB = 1000.0
LIMIT_MS = 5.0
WRONG = 422
SETTLE_S = 1.0
LOOK_EVERY_S = 0.02

_numbers = itertools.count()


async def wave(form: FilledForm, count: int) -> list[float]:
    """Send so many logins at once; gives how long each took in ms."""
    done = await asyncio.gather(
        *(form.send(login=f"nobody{next(_numbers)}", password="wrong") for _ in range(count))
    )
    assert all(status == WRONG for status, _ in done)
    return [took_ms for _, took_ms in done]


async def grown_mb(stage: Stage, form: FilledForm, count: int) -> tuple[float, float]:
    """Work one wave off; gives by how much the server's memory grew at most, and the seconds it took."""
    await wave(form, 2)
    await asyncio.sleep(SETTLE_S)
    before = pss_kb(stage.pid)
    began_s, most = time.perf_counter(), before
    working = asyncio.ensure_future(wave(form, count))
    while not working.done():
        most = max(most, await asyncio.to_thread(pss_kb, stage.pid))
        await asyncio.sleep(LOOK_EVERY_S)
    await working
    return (most - before) / 1000, time.perf_counter() - began_s


async def waves(form: FilledForm, count: int, taken: list[float]) -> None:
    """Send wave after wave until cancelled."""
    while True:
        taken += await wave(form, count)


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--logins", type=int, default=50)
    asked.add_argument("--sessions", type=int, default=5)
    asked.add_argument("--seconds", type=float, default=15.0)
    options = asked.parse_args()
    taken: list[float] = []
    connector = aiohttp.TCPConnector(limit=0)
    async with serving() as stage, aiohttp.ClientSession(connector=connector) as http:
        form = await opened(http, f"{stage.server.url}/staff/login")
        memory_mb, wave_s = await grown_mb(stage, form, options.logins)
        groups = {"relay": await stage.handles(options.sessions)}
        probes = {"relay": await stage.handles(1)}
        async with load(groups) as generator, load(probes, module="bench.probe") as probe:
            alone = await measure("relay", generator, probe, shape=Shape.CALL, seconds=options.seconds)
            flood = asyncio.ensure_future(waves(form, options.logins, taken))
            beside = await measure("relay", generator, probe, shape=Shape.CALL, seconds=options.seconds)
            flood.cancel()
            await asyncio.gather(flood, return_exceptions=True)
    what = f"{options.logins} logins at once"
    publish(
        "Logins",
        [
            Figure(
                f"{what}, memory of the server",
                f"{memory_mb:.0f} MB more, {wave_s:.1f} s to work them off",
                f"at most {LIMIT_MB:.0f} MB",
                memory_mb <= LIMIT_MB,
            ),
            _latency(f"{what}, again and again: relay latency of {options.sessions} sessions, p99", beside),
            Figure("the same without logins", f"{alone.delays_ms[0.99]:.2f} ms"),
            Figure("a login among them, p50 and p99", _times(taken)),
        ],
    )


def _latency(what: str, run: Run) -> Figure:
    said = f"{run.delays_ms[0.99]:.2f} ms ({run.missing} lost; load late by {run.late_p99_ms:.1f} ms at p99)"
    met = run.delays_ms[0.99] <= LIMIT_MS
    return Figure(
        what, said, f"at most {LIMIT_MS:.0f} ms", met or (None if run.late_p99_ms > LATE_LIMIT_MS else False)
    )


def _times(taken: list[float]) -> str:
    half_s, most_s = (percentile(taken, share) / 1000 for share in (0.5, 0.99))
    return f"{half_s:.1f} and {most_s:.1f} s ({len(taken)} logins)"


if __name__ == "__main__":
    asyncio.run(main())
