"""Server CPU per forwarded packet, against a bare forwarder under the same load.

python -m bench.forward
"""

from __future__ import annotations

from bench import stage
from bench.measure import median
from bench.report import Report, Row, alone
from tests.e2e.server import Server

SESSIONS = 20
PAIRS = 5
SECONDS = "8"


def measure() -> Report:
    """Run five interleaved pairs: bare forwarder, whole server, and the blocking forwarder beside them."""
    report = Report(
        "CPU per forwarded packet",
        f"{SESSIONS} sessions of 340 packets/s, real ICE and DTLS-SRTP, observation on, the whole "
        f"`teduh serve`; CPU of all its threads by /proc/PID/task/*/schedstat over {SECONDS} s. "
        f"Median of {PAIRS} pairs, each beside a bare forwarder under the same load in the same minute.",
    )
    found: dict[str, list[float]] = {"server": [], "forwarder": [], "blocking": []}
    ratios: list[float] = []
    strict: list[float] = []
    with stage.server() as made:
        for pair in range(PAIRS):
            bare = _bare(report, blocking=False)
            load = _server(report, made)
            blocking = _bare(report, blocking=True)
            if bare is None or load is None or blocking is None:
                report.void.append(f"pair {pair + 1}: the generator was more than 5 ms late at p99")
                continue
            found["forwarder"].append(bare)
            found["server"].append(load)
            found["blocking"].append(blocking)
            ratios.append(load / bare)
            strict.append(load / blocking)
    report.rows += [
        Row("ratio to the bare forwarder", median(ratios), "", 2.0),
        Row("ratio to one that blocks, without an event loop", median(strict), "", None, "told for honesty"),
        Row("server, per packet", median(found["server"]), "µs"),
        Row("bare forwarder, per packet", median(found["forwarder"]), "µs"),
        Row("blocking forwarder, per packet", median(found["blocking"]), "µs"),
    ]
    return report


def _bare(report: Report, *, blocking: bool) -> float | None:
    with stage.forwarder(blocking=blocking) as (pid, port):
        words = ["--bare", f"127.0.0.1:{port}", "--sessions", str(SESSIONS)]
        return _run(report, f"blocking={blocking}", [*words, "--watch", str(pid), "--seconds", SECONDS], None)


def _server(report: Report, made: Server) -> float | None:
    rows = stage.places(made, SESSIONS)
    return _run(report, "server", ["--watch", str(stage.pid_of(made)), "--seconds", SECONDS], rows)


def _run(report: Report, what: str, words: list[str], rows: list[list[str]] | None) -> float | None:
    with stage.generator(*words, rows=rows) as load:
        load.go()
        ran = load.report()
    report.raw.append({"run": what, **load.joined, **ran})
    return None if ran["void"] else float(ran["watched_cpu_us"]) / float(ran["received"])


if __name__ == "__main__":
    alone(measure)
