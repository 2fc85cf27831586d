"""How fast a call notices a fault and comes back: two Chromiums, a network that is cut, moved or blocked.

    python -m bench.coming_back --runs 20
    python -m bench.coming_back --fault "cut of 30 s" --runs 8 --keep FILE    a slice, kept behind the others
    python -m bench.coming_back --report FILE                                 what was kept, in one table

Each fault hits one participant's whole network (voice mode, as the targets are for audio). For both
sides: *noticed* is from the fault to the page's ``data-state="interrupted"``; *back* is from the end
of the fault (for a new address and for blocked UDP: from the fault itself) to the first voice packet
received after it. Prints a table of p50 and p90 with the targets, and the machine it ran on. A slice goes on
with the chances (the length of a cut, the moment of the fault) where the kept runs of its fault ended.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import platform
import random
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.browser.conftest import Call, Stage, set_up, two_people
from tests.browser.driver import Person, chromium
from tests.browser.media import BLUE, RED

SAMPLE_MS = 25
SETTLE_S = 2.5
CALM_S = 1.5
LIMIT_S = 30.0

Row = tuple[float, int, str, int]


@dataclass(slots=True)
class Times:
    """Seconds, one for each side and run; a run that never came back counts as infinite."""

    noticed: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, its targets in seconds (None: no target), and how to make it.

    ``make`` returns when the fault is over, with the time since when coming back counts.
    """

    name: str
    make: Callable[[Stage, random.Random], Awaitable[float]]
    noticed_p90_s: float | None
    back_p50_s: float | None
    back_p90_s: float


async def short_cut(stage: Stage, chance: random.Random) -> float:
    return await cut(stage, chance.uniform(3, 10))


async def long_cut(stage: Stage, _chance: random.Random) -> float:
    return await cut(stage, 30)


async def cut(stage: Stage, seconds: float) -> float:
    stage.red.cut()
    await asyncio.sleep(seconds)
    stage.red.heal()
    return time.time()


async def new_address(stage: Stage, _chance: random.Random) -> float:
    began = time.time()
    stage.red.move()
    return began


async def block_udp(stage: Stage, _chance: random.Random) -> float:
    began = time.time()
    stage.red.media.block_udp()
    return began


FAULTS = (
    Fault("cut of 3 to 10 s", short_cut, 1.5, None, 0.5),
    Fault("cut of 30 s", long_cut, 1.5, 1.5, 4.0),
    Fault("new address", new_address, None, None, 6.0),
    Fault("UDP blocked", block_udp, None, None, 4.0),
)


def noticed_after(rows: list[Row], fault_at: float) -> float | None:
    """Seconds from the fault to the first sample that says interrupted, None if it never did."""
    return next(
        (at - fault_at for at, _, state, _ in rows if at >= fault_at and state == "interrupted"), None
    )


def arrivals(rows: list[Row], since: float) -> list[float]:
    """When new voice packets were seen after ``since``. A new connection counts from nothing."""
    found: list[float] = []
    packets, peers = 0, 0
    for at, now, _, made in rows:
        if made != peers:
            packets, peers = 0, made
        if now > packets and at > since:
            found.append(at)
        packets = now
    return found


def back_after(rows: list[Row], since: float) -> float | None:
    """Seconds to the first voice packet after ``since``, None if none came."""
    return next((at - since for at in arrivals(rows, since)), None)


def over_after(rows: list[Row], since: float) -> float | None:
    """Seconds from ``since`` to the end of the longest gap behind it; None while it lasts.

    For faults that begin at ``since``: packets already on their way still come after it. A gap of
    less than 0.3 s is none.
    """
    times = [since, *arrivals(rows, since)]
    if not rows or rows[-1][0] - times[-1] > CALM_S or rows[-1][0] - since < 2 * CALM_S:
        return None
    gap_s, end = max((b - a, b) for a, b in itertools.pairwise(times)) if len(times) > 1 else (0.0, since)
    return end - since if gap_s > 0.3 else 0.0


async def rows_of(person: Person) -> list[Row]:
    found = await person.page.evaluate("probe.rows")
    return [(at / 1000, packets, state, peers) for at, packets, state, peers in found]


async def one_run(call: Call, fault: Fault, chance: random.Random, times: Times) -> None:
    for person in (call.red, call.blue):
        await person.page.evaluate(f"probe.watch({SAMPLE_MS})")
    await asyncio.sleep(SETTLE_S + chance.random())
    began = time.time()
    since = await fault.make(call.stage, chance)
    measure_back = back_after if fault.noticed_p90_s is not None else over_after
    for person in (call.red, call.blue):
        back: float | None = None
        while back is None and time.time() - since < LIMIT_S:
            await asyncio.sleep(0.2)
            back = measure_back(await rows_of(person), since)
        times.back.append(float("inf") if back is None else back)
        if fault.noticed_p90_s is not None:
            noticed = noticed_after(await rows_of(person), began)
            times.noticed.append(float("inf") if noticed is None else noticed)


async def measure(
    stage: Stage, red: Browser, blue: Browser, *, fault: Fault, runs: range, seed: int
) -> Times:
    times = Times()
    for number in runs:
        chance = random.Random(f"{seed} {fault.name} {number}")
        async with two_people(stage, red, blue, mode="voice") as call:
            await call.both_hear()
            await one_run(call, fault, chance, times)
        print(
            f"  {fault.name} {number + 1}/{runs.stop}: back {times.back[-2]:.2f} {times.back[-1]:.2f}",
            flush=True,
        )
    return times


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def table(results: dict[Fault, Times]) -> str:
    rows = ["| fault | what | runs | p50 | p90 | target p90 | |", "|" + " --- |" * 7]
    for fault, times in results.items():
        for what, values, target in (
            ("noticed", times.noticed, fault.noticed_p90_s),
            ("back", times.back, fault.back_p90_s),
        ):
            if not values:
                continue
            p50, p90 = statistics.median(values), percentile(values, 0.9)
            verdict = "" if target is None else ("met" if p90 <= target else "MISSED")
            said = "" if target is None else f"{target} s"
            cells = fault.name, what, len(values) // 2, f"{p50:.2f} s", f"{p90:.2f} s", said, verdict
            rows.append("| " + " | ".join(map(str, cells)) + " |")
    return "\n".join(rows)


def kept(path: Path) -> dict[Fault, Times]:
    """Read the runs that were kept in a file, a line of JSON for each slice; none when there is no file."""
    found: dict[Fault, Times] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        slice_ = json.loads(line)
        times = found.setdefault(next(f for f in FAULTS if f.name == slice_["fault"]), Times())
        times.noticed += slice_["noticed_s"]
        times.back += slice_["back_s"]
    return found


def keep(path: Path, fault: Fault, times: Times) -> None:
    """Add a slice to the file."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps({"fault": fault.name, "noticed_s": times.noticed, "back_s": times.back}) + "\n")


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--runs", type=int, default=20)
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--fault", help="a part of a fault's name; default: all")
    asked.add_argument("--keep", type=Path, help="a file to which each fault's runs are added")
    asked.add_argument("--report", type=Path, help="measure nothing, show what is kept in this file")
    options = asked.parse_args()
    if options.report is not None:
        print(table(kept(options.report)))
        return
    faults = [fault for fault in FAULTS if options.fault is None or options.fault in fault.name]
    if not faults:
        asked.error(f"no such fault; there are: {', '.join(fault.name for fault in FAULTS)}")
    with tempfile.TemporaryDirectory() as folder:
        stage = await set_up(Path(folder) / "data")
        async with async_playwright() as playwright:
            red, blue = await asyncio.gather(
                chromium(playwright, RED, Path(folder)), chromium(playwright, BLUE, Path(folder))
            )
            print(f"{platform.machine()}, Python {platform.python_version()}, Chromium {red.version}")
            results: dict[Fault, Times] = {}
            for fault in faults:
                runs = range(options.runs)
                if options.keep is not None and fault in (before := kept(options.keep)):
                    done = len(before[fault].back) // 2  # Two sides in each run.
                    runs = range(done, done + options.runs)
                results[fault] = await measure(stage, red, blue, fault=fault, runs=runs, seed=options.seed)
                if options.keep is not None:
                    keep(options.keep, fault, results[fault])
            print(table(results if options.keep is None else kept(options.keep)))
            await red.close()
            await blue.close()
        await stage.close()


if __name__ == "__main__":
    asyncio.run(main())
