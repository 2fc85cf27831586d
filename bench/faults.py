"""Does the monitor see each fault and name side and kind? Two Chromiums, 56 faults, a confusion matrix.

    python -m bench.faults                                  all faults, then 10 minutes without one
    python -m bench.faults --keep FILE --limit-s 420        a slice: those that FILE does not hold yet
    python -m bench.faults --keep FILE --clean-s 300        a slice without faults
    python -m bench.faults --fault jitter                   those with this in their name or kind
    python -m bench.faults --report FILE                    what was kept, in tables

Each fault is done to one side in a session of its own, in which both have talked for a while; what the
monitor said of it is read as any program reads it, from the session's record by the API. A trial in which
this process or a page waited for a processor is void, counted, and done again by the next slice.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import starved
from bench.coming_back import Row, arrivals, back_after, over_after, rows_of
from bench.confusion import GRADE, INTERRUPTED, RESUMED, Said, Trial, figures, kinds, sides, wrong
from bench.lab import Doing, laboratory
from bench.report import Figure, publish
from bench.trials import Clean, Kept, Times, keep, keep_clean, read, recovery
from tests.browser.conftest import two_people
from tests.netem.faults import Deed, Fault, Kind, script

SAMPLE_MS = 50
SETTLE_S = 5.0
AFTER_S = 3.0  # what is still said of a fault behind its end
WELL_S = 25.0
CLEAN_S = 600.0
COMES_BACK = {Kind.CUT, Kind.SERVER}
ENDLESS = {Kind.PATH_CHANGED, Kind.UDP_BLOCKED}
ALARMS = {INTERRUPTED, GRADE}


@dataclass(frozen=True, slots=True)
class Done:
    """A fault that was done, what was said before it, when it began, and whether that counts for nothing."""

    trial: Trial
    times: Times
    before: Clean
    began: float
    void: bool


def is_well(said: Sequence[Said]) -> bool:
    """Whether all that was said to be wrong is said to be over."""
    for side in {one.side for one in said}:
        own = [one for one in said if one.side == side]
        if sum(one.event == INTERRUPTED for one in own) > sum(one.event == RESUMED for one in own):
            return False
        grades = [one.grade for one in own if one.event == GRADE]
        if grades and grades[-1] != "good":
            return False
    return True


def times_of(
    fault: Fault, began: float, since: float, rows: Sequence[list[Row]], well: float | None
) -> Times:
    """What a trial took, by the pages' own looks at what they hear."""
    back: list[float | None] = []
    if fault.kind in COMES_BACK:
        back = [back_after(own, since) for own in rows]
    elif fault.kind in ENDLESS:
        back = [over_after(own, since) for own in rows]
    gaps = [
        starved.longest_gap_ms([began, *arrivals(own, began)]) / 1000
        for own in rows
        if fault.kind is not Kind.BROWSER_CLOSED
    ]
    known = tuple(float("inf") if one is None else round(one, 3) for one in back)
    return Times(known, tuple(round(gap, 3) for gap in gaps), well)


async def one_trial(doing: Doing, fault: Fault, lateness: starved.Lateness, well_s: float) -> Done:
    """Do one fault."""
    call = doing.call
    await call.both_hear()
    people = [one for one in (call.red, call.blue) if fault.deed is not Deed.CLOSE_PAGE]
    for person in people:
        await person.page.evaluate(f"probe.watch({SAMPLE_MS})")
    await asyncio.sleep(SETTLE_S)
    early = [one for one in await doing.said(0.0) if one.event in ALARMS]
    lateness.begin()
    began = time.time()
    since = await doing.do(fault)
    ended = since if fault.seconds else began
    await asyncio.sleep(AFTER_S if fault.seconds else 0.0)
    said = await doing.said(began)
    well: float | None = None
    if fault.deed is not Deed.CLOSE_PAGE:
        until = time.time() + well_s
        while not is_well(said) and time.time() < until:
            await asyncio.sleep(0.5)
            said = await doing.said(began)
        ends = [one.after_s - (ended - began) for one in said if one.grade == "good" or one.event == RESUMED]
        if is_well(said):
            well = max(ends, default=None)
        elif well_s:
            well = float("inf")
    rows = [await rows_of(person) for person in people]
    stood_s = max((starved.longest_gap_ms([row[0] for row in own]) for own in rows), default=0.0)
    void = lateness.worst_ms > starved.LATE_MS or stood_s > starved.PAGE_LATE_MS
    times = times_of(fault, began, since, rows, well)
    early_time = Clean(SETTLE_S, tuple(map(str, early)))
    return Done(Trial(fault, tuple(said)), times, early_time, began, void)


async def clean_time(doing: Doing, seconds: float, lateness: starved.Lateness) -> tuple[Clean, bool]:
    """Let two people talk on a whole network; half of the time one is muted."""
    await doing.call.both_hear()
    lateness.begin()
    began = time.time()
    await asyncio.sleep(seconds / 2)
    await doing.call.red.act("mute")
    await asyncio.sleep(seconds / 2)
    said = [one for one in await doing.said(began) if one.event in ALARMS and one.grade != "good"]
    return Clean(seconds, tuple(map(str, said))), lateness.worst_ms > starved.LATE_MS


async def run(options: argparse.Namespace, path: Path) -> None:
    """Do what is asked and not kept yet, as long as there is time."""
    until = time.monotonic() + options.limit_s
    faults = [] if options.clean_s else [one for one in script() if options.fault in f"{one.name} {one.kind}"]
    clean_s = options.clean_s or (
        CLEAN_S if not options.fault and not options.limit_s < float("inf") else 0.0
    )
    async with laboratory() as (stage, red, blue), starved.watch() as lateness:
        for fault in faults:
            if read(path).has(fault) or time.monotonic() + fault.seconds + 2 * SETTLE_S > until:
                continue
            async with two_people(stage, red, blue, mode=fault.mode) as call:
                doing = Doing(call)
                done = await one_trial(doing, fault, lateness, options.well_s)
                await doing.end()
            keep(path, done.trial, done.times, began=done.began, void=done.void)
            keep_clean(path, done.before, void=done.void)
            named = done.trial.verdict
            right = "void" if done.void else "right" if named and named.is_right(fault) else "WRONG"
            late = f"late {lateness.worst_ms:.0f} ms, well after {done.times.well} s"
            print(f"  {fault.name}: {named} {right}, {late}", flush=True)
        if clean_s:
            async with two_people(stage, red, blue) as call:
                doing = Doing(call)
                clean, void = await clean_time(doing, clean_s, lateness)
                await doing.end()
            keep_clean(path, clean, void=void)
            print(f"  {clean}{', void' if void else ''}, late {lateness.worst_ms:.0f} ms", flush=True)


def report(kept: Kept) -> None:
    """Print everything a file holds."""
    trials = [trial for trial, _ in kept.trials]
    clean_s = sum(one.seconds for one in kept.clean)
    alarms = [alarm for one in kept.clean for alarm in one.alarms]
    said = f"{len(alarms)} in {clean_s / 60:.0f} min"
    missing = [fault.name for fault in script() if not kept.has(fault)]
    met = not alarms if clean_s >= CLEAN_S else None
    publish(
        "Faults: seen, and named right",
        [*figures(trials), Figure("alarms on a clean network", said, "none in 10 min", met)],
        f"void: {kept.void} trials and {kept.void_clean_s:.0f} s without faults; not done: {len(missing)}",
    )
    print(f"Kinds:\n\n{kinds(trials)}\n\nSides:\n\n{sides(trials)}\n")
    print(f"Recovery, p50 / p90 in seconds:\n\n{recovery(kept.trials)}\n")
    for line in (*wrong(trials), *alarms):
        print(f"- {line}")


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--fault", default="", help="a part of a fault's name or kind; default: all")
    asked.add_argument(
        "--keep", type=Path, help="a file to which every trial is added, and what it holds is not done"
    )
    asked.add_argument("--limit-s", type=float, default=float("inf"), help="begin no fault later than this")
    asked.add_argument("--clean-s", type=float, default=0.0, help="no fault, but so many seconds without one")
    asked.add_argument(
        "--well-s", type=float, default=WELL_S, help="wait so long for a line to be called good; 0: do not"
    )
    asked.add_argument("--report", type=Path, help="measure nothing, show what is kept in this file")
    options = asked.parse_args()
    if options.report is not None:
        report(read(options.report))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = options.keep or Path(folder) / "trials.jsonl"
        asyncio.run(run(options, path))
        report(read(path))


if __name__ == "__main__":
    main()
