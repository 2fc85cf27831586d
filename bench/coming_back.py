"""How fast a call notices a fault and comes back: two Chromiums, a network that is cut, moved or blocked.

    python -m bench.coming_back --runs 20
    python -m bench.coming_back --fault "cut of 30 s" --runs 8 --keep FILE    a slice, kept behind the others
    python -m bench.coming_back --report FILE                                 what was kept, in one table

Each fault hits one participant's whole network (voice mode, as the targets are for audio). For both
sides: *noticed* is from the fault to the page's ``data-state="interrupted"``; *back* is from the end
of the fault (for a new address and for blocked UDP: from the fault itself) to the first voice packet
received after it; where UDP works again, to the pair that uses it. A run in which this process or a page
waited for a processor just then is void, counted, and done again. Prints a table of p50 and p90 with the
targets, and the machine it ran on. A slice goes on with the chances (the length of a cut, the moment of the
fault) where the kept runs of its fault ended.
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

from bench import starved
from tests.browser.conftest import Call, Stage, set_up, two_people
from tests.browser.driver import Person, chromium
from tests.browser.media import BLUE, RED

SAMPLE_MS = 25
# Later than this, the loop that carries the networks, or a page that looks each 25 ms, stood still.
LOOP_LATE_MS = 100.0
PAGE_LATE_MS = 200.0
NOTICED_S = 1.5
TRIES = 3
SETTLE_S = 2.5
CALM_S = 1.5
LIMIT_S = 60.0

Row = tuple[float, int, str, int]


@dataclass(slots=True)
class Times:
    """Seconds, one for each side and run; a run that never came back counts as infinite."""

    noticed: list[float] = field(default_factory=list)
    back: list[float] = field(default_factory=list)
    void: int = 0


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault, its targets in seconds (None: no target), and how to make it.

    ``make`` returns when the fault is over, with the time since when coming back counts. ``sides`` is how
    many of the two are measured.
    """

    name: str
    make: Callable[[Call, random.Random], Awaitable[float]]
    noticed_p90_s: float | None
    back_p50_s: float | None
    back_p90_s: float
    sides: int = 2


async def short_cut(call: Call, chance: random.Random) -> float:
    return await cut(call, chance.uniform(3, 10))


async def long_cut(call: Call, _chance: random.Random) -> float:
    return await cut(call, 30)


async def cut(call: Call, seconds: float) -> float:
    call.stage.red.cut()
    await asyncio.sleep(seconds)
    call.stage.red.heal()
    return time.time()


async def new_address(call: Call, _chance: random.Random) -> float:
    began = time.time()
    call.stage.red.move()
    return began


async def block_udp(call: Call, _chance: random.Random) -> float:
    began = time.time()
    call.stage.red.media.block_udp()
    return began


async def unblock_udp(call: Call, chance: random.Random) -> float:
    """Over TCP for a while, and then UDP works again."""
    call.stage.red.media.block_udp()
    await asyncio.sleep(SETTLE_S)
    await call.both_hear()
    await asyncio.sleep(chance.uniform(5, 15))
    call.stage.red.media.block_udp(blocked=False)
    return time.time()


FAULTS = (
    Fault("cut of 3 to 10 s", short_cut, 1.2, None, 0.3),
    Fault("cut of 30 s", long_cut, 1.2, 1.0, 2.5),
    Fault("new address", new_address, None, None, 5.0),
    Fault("UDP blocked", block_udp, None, None, 3.5),
    Fault("UDP works again", unblock_udp, None, None, 30.0, sides=1),
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


async def one_run(call: Call, fault: Fault, chance: random.Random, late: starved.Lateness) -> Times:
    """Do a fault once; the times are void where somebody waited for a processor."""
    for person in (call.red, call.blue):
        await person.page.evaluate(f"probe.watch({SAMPLE_MS})")
    await asyncio.sleep(SETTLE_S + chance.random())
    times = Times()
    late.begin()
    began = time.time()
    since = await fault.make(call, chance)
    for person in (call.red, call.blue)[: fault.sides]:
        back: float | None = None
        while back is None and time.time() - since < LIMIT_S:
            await asyncio.sleep(0.2)
            back = await back_of(fault, person, since)
        rows = await rows_of(person)
        times.back.append(float("inf") if back is None else back)
        if fault.noticed_p90_s is not None:
            noticed = noticed_after(rows, began)
            times.noticed.append(float("inf") if noticed is None else noticed)
        looks = ((began - 0.1, began + NOTICED_S), (since - 0.1, since + (back or 0.0) + 0.1))
        times.void |= int(any(stood_still(rows, look) for look in looks))
    times.void |= int(late.worst_ms > LOOP_LATE_MS)
    return times


async def back_of(fault: Fault, person: Person, since: float) -> float | None:
    """Seconds until a side is back, None while it is not."""
    if fault.make is unblock_udp:
        return time.time() - since if await person.transport() == {"udp"} else None
    measure = back_after if fault.noticed_p90_s is not None else over_after
    return measure(await rows_of(person), since)


def stood_still(rows: list[Row], look: tuple[float, float]) -> bool:
    """Whether a page did not look for too long, in this time."""
    times = [at for at, *_ in rows if look[0] <= at <= look[1]]
    return starved.longest_gap_ms([look[0], *times, min(look[1], rows[-1][0])]) > PAGE_LATE_MS


async def measure(
    stage: Stage, red: Browser, blue: Browser, *, fault: Fault, runs: range, seed: int
) -> Times:
    """Do a fault as often as asked; void runs are counted and done again, a few times at most."""
    times = Times()
    async with starved.watch() as late:
        for number in runs:
            for attempt in range(TRIES):
                chance = random.Random(f"{seed} {fault.name} {number}")
                async with two_people(stage, red, blue, mode="voice") as call:
                    await call.both_hear()
                    one = await one_run(call, fault, chance, late)
                said = " ".join(f"{value:.2f}" for value in (*one.noticed, *one.back))
                print(
                    f"  {fault.name} {number + 1}/{runs.stop}: {said}{' void' if one.void else ''}",
                    flush=True,
                )
                if not one.void:
                    times.noticed += one.noticed
                    times.back += one.back
                    break
                times.void += 1
                await asyncio.sleep(attempt + 1)
    return times


def percentile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else float("nan")


def table(results: dict[Fault, Times]) -> str:
    rows = ["| fault | what | runs | void | p50 | p90 | target p50 / p90 | |", "|" + " --- |" * 8]
    for fault, times in results.items():
        for what, values, middle, target in (
            ("noticed", times.noticed, None, fault.noticed_p90_s),
            ("back", times.back, fault.back_p50_s, fault.back_p90_s),
        ):
            if not values or target is None:
                continue
            p50, p90 = statistics.median(values), percentile(values, 0.9)
            met = p90 <= target and (middle is None or p50 <= middle)
            said = f"{target} s" if middle is None else f"{middle} / {target} s"
            runs, verdict = len(values) // fault.sides, "met" if met else "MISSED"
            cells = fault.name, what, runs, times.void, f"{p50:.2f} s", f"{p90:.2f} s", said, verdict
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
        times.void += slice_.get("void", 0)
    return found


def keep(path: Path, fault: Fault, times: Times) -> None:
    """Add a slice to the file."""
    with path.open("a", encoding="utf-8") as file:
        slice_ = {"fault": fault.name, "noticed_s": times.noticed, "back_s": times.back, "void": times.void}
        file.write(json.dumps(slice_) + "\n")


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
                    done = len(before[fault].back) // fault.sides
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
