"""Memory for each session: the slope of the server's PSS between 20 and 120 sessions.

    python -m bench.memory [--few 20] [--many 120] [--seconds 60]

Each count is reached, every leg sends for 60 s (ten voice and ten video packets a second: all streams
and buffers are there), then the proportional set size is read (/proc/PID/smaps_rollup).
"""

from __future__ import annotations

import argparse
import asyncio

from bench.process import pss_kb
from bench.report import Figure, publish
from bench.schedule import Shape
from bench.senders import Handle
from bench.sessions import Stage, load, serving

LIMIT_MB = 0.3


async def after_traffic(stage: Stage, handles: list[Handle], seconds: float) -> float:
    """PSS in MB once every leg has sent for so long."""
    async with load({"relay": handles}) as generator:
        done = await generator.ask(group="relay", shape=Shape.THIN.value, seconds=seconds)
    if done["silent_legs"]:
        raise RuntimeError(f"{done['silent_legs']} legs got nothing")
    return pss_kb(stage.pid) / 1000


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--few", type=int, default=20)
    asked.add_argument("--many", type=int, default=120)
    asked.add_argument("--seconds", type=float, default=60.0)
    options = asked.parse_args()
    async with serving() as stage:
        empty_mb = pss_kb(stage.pid) / 1000
        handles = await stage.handles(options.few)
        few_mb = await after_traffic(stage, handles, options.seconds)
        # The next generator goes on behind the numbers that the first legs have used.
        old = [handle | {"first": round(20 * options.seconds)} for handle in handles]
        more = await stage.handles(options.many - options.few)
        many_mb = await after_traffic(stage, old + more, options.seconds)
        here = stage.still_here()
    slope_mb = (many_mb - few_mb) / (options.many - options.few)
    publish(
        "Memory",
        [
            Figure(
                f"memory per session, {options.few} to {options.many} sessions",
                f"{slope_mb:.3f} MB",
                f"at most {LIMIT_MB} MB",
                slope_mb <= LIMIT_MB,
            ),
            Figure(
                "server without sessions, with few, with many",
                f"{empty_mb:.0f}, {few_mb:.0f}, {many_mb:.0f} MB",
            ),
        ],
        f"{here} of {2 * options.many} WebSockets open at the end",
    )


if __name__ == "__main__":
    asyncio.run(main())
