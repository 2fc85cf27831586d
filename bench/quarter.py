"""A bad quarter of an hour: two Chromiums talk through eleven faults, and nobody is lost for long.

    python -m bench.quarter                    the whole quarter
    python -m bench.quarter --calm-s 12        shortened: so much calm before each fault, none over 12 s

Prints for each fault how long each side heard nothing beyond the fault itself, with the target, and what the
record says of it; then whether the API, the metrics and the report of the session tell the same.
"""

from __future__ import annotations

import argparse
import asyncio
import datetime as dt
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.agreement import by_api, by_metrics, by_report, differences, page_differences
from bench.coming_back import Row, arrivals, rows_of
from bench.confusion import Said, Trial, Verdict
from bench.lab import Doing, laboratory, metrics, report_page
from bench.report import Figure, publish
from bench.starved import LATE_MS, longest_gap_ms, watch
from media.codecs import Mode
from tests.browser.conftest import two_people
from tests.netem.faults import Kind
from tests.netem.quarter import LENGTH_S, Episode, shortened, whole

SAMPLE_MS = 100
LONGEST_S = 12.0
LAST_S = 8.0  # behind the last fault
# Voice again after the fault is over, or has begun where it has no end (p90 targets of quality.md).
BACK_S = {Kind.CUT: 0.3, Kind.PATH_CHANGED: 5.0, Kind.UDP_BLOCKED: 3.5}
# On a line that is merely bad nobody is lost: a second of silence is a pause, two are a drop.
BAD_S = 2.0


@dataclass(frozen=True, slots=True)
class Played:
    """One fault as it was done: seconds since the epoch."""

    episode: Episode
    began: float
    over: float


async def play(doing: Doing, episodes: Sequence[Episode], *, length_s: float) -> list[Played]:
    """Do the faults at their times, and go on to the end."""
    found: list[Played] = []
    start = time.time()
    for each in episodes:
        await asyncio.sleep(max(0.0, start + each.at_s - time.time()))
        began = time.time()
        over = await doing.do(each.fault, at_once_s=0.0)
        found.append(Played(each, began, over))
    await asyncio.sleep(max(0.0, start + length_s - time.time()))
    return found


def lost_s(played: Played, rows: Sequence[Row], until: float) -> float:
    """How long this side heard nothing because of the fault, beyond the time that nothing could pass.

    The longest silence that touches it, less what lies within a cut.
    """
    heard = [played.began, *(at for at in arrivals(list(rows), played.began) if at < until)]
    if played.episode.fault.kind is Kind.CUT:
        later = [at for at in heard if at > played.over]
        return round(later[0] - played.over, 3) if later else float("inf")
    return round(longest_gap_ms(heard) / 1000, 3)


def in_chat_since(record: Mapping[str, Any]) -> float:
    """When the talk went on in writing for good (seconds since the epoch), infinite when it did not.

    A line that carries no voice brings it there, and nothing but a person brings it back: from then on nobody
    is lost who hears nothing.
    """
    modes = [event for event in record["events"] if event["kind"] == "mode"]
    if not modes or modes[-1]["detail"]["mode"] != Mode.CHAT:
        return float("inf")
    return dt.datetime.fromisoformat(modes[-1]["at"]).timestamp()


def target_s(kind: Kind) -> float:
    """The longest silence that this kind may cost."""
    return BACK_S.get(kind, BAD_S)


def trials(played: Sequence[Played], said: Sequence[Said], ends: float, began: float) -> list[Trial]:
    """What was said between the beginning of each fault and that of the next; it counts from ``began``."""
    found = []
    for number, one in enumerate(played):
        until = played[number + 1].began if number + 1 < len(played) else ends
        of_it = tuple(each for each in said if one.began - began <= each.after_s < until - began)
        found.append(Trial(one.episode.fault, of_it))
    return found


def silences(
    played: Sequence[Played],
    heard: Sequence[Sequence[Row]],
    found: Sequence[Trial],
    ends: float,
    *,
    in_chat: float = float("inf"),
) -> list[Figure]:
    """One line for each fault: the longest silence of either side, its target, and what the record says."""
    lines = []
    for number, (one, trial) in enumerate(zip(played, found, strict=True)):
        until = played[number + 1].began if number + 1 < len(played) else ends
        limit_s = target_s(one.episode.fault.kind)
        said = "not seen" if trial.verdict is None else _words(trial.verdict)
        what = f"{one.episode.at_s:.0f} s, {one.episode.fault.name}: {said}"
        if in_chat < until:
            lines.append(Figure(what, "in writing", f"{limit_s} s"))
            continue
        worst_s = max(lost_s(one, rows, until) for rows in heard)
        lines.append(Figure(what, f"{worst_s:.2f} s", f"{limit_s} s", worst_s <= limit_s))
    return lines


def _words(named: Verdict) -> str:
    return f"{named.side} {named.kind} {named.direction}"


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--calm-s", type=float, help="shorten it: so much calm before each fault")
    asked.add_argument("--longest-s", type=float, default=LONGEST_S, help="shortened: no fault is longer")
    options = asked.parse_args()
    episodes = whole()
    length_s = LENGTH_S
    if options.calm_s is not None:
        episodes = shortened(calm_s=options.calm_s, longest_s=options.longest_s)
        length_s = episodes[-1].ends_s + LAST_S
    async with laboratory() as (stage, red, blue), watch() as lateness:
        before = await metrics(stage)
        async with two_people(stage, red, blue) as call:
            doing = Doing(call)
            await call.both_decode()
            for person in (call.red, call.blue):
                await person.page.evaluate(f"probe.watch({SAMPLE_MS})")
            lateness.begin()
            began = time.time()
            played = await play(doing, episodes, length_s=length_s)
            ends = time.time()
            heard = [await rows_of(person) for person in (call.red, call.blue)]
            said = await doing.said(began)
            await doing.end()
        quality = await doing.record()
        unlike = differences(by_api(quality), by_metrics(before, await metrics(stage)))
        unlike += page_differences(quality, by_report(await report_page(stage, call.session.id)))
    found = trials(played, said, ends, began)
    named = sum(trial.verdict is not None and trial.verdict.is_right(trial.fault) for trial in found)
    void = "void: a processor was missing; " if lateness.worst_ms > LATE_MS else ""
    publish(
        "A bad quarter of an hour",
        [
            *silences(played, heard, found, ends, in_chat=in_chat_since(quality)),
            Figure("faults whose side and kind the record names", f"{named} of {len(found)}"),
            Figure(
                "what API and metrics tell differently", "; ".join(unlike) or "nothing", "nothing", not unlike
            ),
        ],
        f"{void}this process woke up {lateness.worst_ms:.0f} ms late at worst",
    )


if __name__ == "__main__":
    asyncio.run(main())
