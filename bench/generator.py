"""The load generator: a process of its own, told what to do by JSON lines on its standard input.

First line: ``{"groups": {name: [handle, ...]}}``; legs 0 and 1 of a group are a pair, and so on. Then
``{"group", "shape", "seconds"}``: it sends and answers with one line of counters. Between commands
every leg with keys says a word each second, so that its path stays alive.
"""

from __future__ import annotations

import json
import select
import sys
import time
from typing import Any

from bench.report import percentile
from bench.schedule import Shape, period
from bench.senders import OPUS, VP8, Sender

IDLE_S = 1.0
SETTLE_S = 0.3
LEAD_S = 0.02


def run(legs: list[Sender], shape: Shape, seconds: float) -> dict[str, Any]:
    """Send for so long, then wait for the last packets; counters of this run alone."""
    for leg in legs:
        leg.drain()
    before = [(leg.sent, leg.received, leg.disordered) for leg in legs]
    plan = period(shape, len(legs))
    late_s: list[float] = []
    start_s = time.perf_counter() + LEAD_S
    for turn in range(round(seconds / plan.length_s)):
        base_s = start_s + turn * plan.length_s
        for burst in plan.bursts:
            wait_s = base_s + burst.at_s - time.perf_counter()
            if wait_s > 0:
                time.sleep(wait_s)
                wait_s = base_s + burst.at_s - time.perf_counter()
            late_s.append(max(0.0, -wait_s))
            leg = legs[burst.leg]
            if burst.audio:
                leg.send(OPUS)
            for _ in range(burst.video):
                leg.send(VP8)
            leg.drain_sometimes()
    time.sleep(SETTLE_S)
    for leg in legs:
        leg.drain()
    sent, received, disordered = (
        [now - then for now, then in zip(values, column, strict=True)]
        for values, column in zip(
            zip(*((leg.sent, leg.received, leg.disordered) for leg in legs), strict=True),
            zip(*before, strict=True),
            strict=True,
        )
    )
    return {
        "sent": sum(sent),
        "received": sum(received),
        "disordered": sum(disordered),
        "silent_legs": sum(1 for count in received if not count),
        "worst_leg_lost": max(sent[at ^ 1] - received[at] for at in range(len(legs))),
        "late_p99_ms": percentile(late_s, 0.99) * 1000,
        "late_max_ms": max(late_s) * 1000,
        "seconds": time.perf_counter() - start_s,
    }


def keep_alive(groups: dict[str, list[Sender]]) -> None:
    """One voice packet from each leg."""
    for legs in groups.values():
        for leg in legs:
            leg.send(OPUS)
            leg.drain()


def main() -> None:
    groups = {
        name: [Sender(handle) for handle in handles]
        for name, handles in json.loads(sys.stdin.readline())["groups"].items()
    }
    print(json.dumps({"ready": True}), flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], IDLE_S)
        if not readable:
            keep_alive(groups)
            continue
        line = sys.stdin.readline()
        if not line:
            return
        asked = json.loads(line)
        done = run(groups[asked["group"]], Shape(asked["shape"]), float(asked["seconds"]))
        print(json.dumps(done), flush=True)


if __name__ == "__main__":
    main()
