"""Trials as they are kept in a file, a line of JSON each, and the table of recovery that they make."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.confusion import Said, Trial
from bench.report import percentile
from tests.netem.faults import Fault, Kind, script


@dataclass(frozen=True, slots=True)
class Times:
    """What one trial took, in seconds; empty or None where it says nothing.

    ``back`` is from the fault's end (where it cannot be undone: from its beginning) to voice again, of each
    side; ``gaps`` the longest time without a voice packet, of each side, from the fault's beginning on;
    ``well`` from its end until the record says so.
    """

    back: tuple[float, ...] = ()
    gaps: tuple[float, ...] = ()
    well: float | None = None


@dataclass(frozen=True, slots=True)
class Clean:
    """Talk on a network without a fault, and everything that was said against it."""

    seconds: float
    alarms: tuple[str, ...]


@dataclass(slots=True)
class Kept:
    """All that a file holds. ``void``: trials that counted for nothing, because a processor was missing."""

    trials: list[tuple[Trial, Times]] = field(default_factory=list)
    clean: list[Clean] = field(default_factory=list)
    void: int = 0
    void_clean_s: float = 0.0

    def has(self, fault: Fault) -> bool:
        """Whether this fault was done already."""
        return any(trial.fault == fault for trial, _ in self.trials)


def read(path: Path) -> Kept:
    """Read the file; nothing when there is none. A fault that the script lost since is left out."""
    known = {fault.name: fault for fault in script()}
    kept = Kept()
    for line in path.read_text(encoding="utf-8").splitlines() if path.exists() else ():
        row = json.loads(line)
        if "clean_s" in row and row["void"]:
            kept.void_clean_s += row["clean_s"]
        elif "clean_s" in row:
            kept.clean.append(Clean(row["clean_s"], tuple(row["alarms"])))
        elif row["void"]:
            kept.void += 1
        elif row["fault"] in known:
            said = tuple(Said(**one) for one in row["said"])
            times = Times(tuple(row["back"]), tuple(row["gaps"]), row["well"])
            kept.trials.append((Trial(known[row["fault"]], said), times))
    return kept


def keep(path: Path, trial: Trial, times: Times, *, began: float, void: bool) -> None:
    """Add a trial. ``began``, in seconds since the epoch, finds its lines in logs."""
    said = [asdict(one) for one in trial.said]
    row = {"fault": trial.fault.name, "began": began, "void": void, "said": said}
    _add(path, row | asdict(times))


def keep_clean(path: Path, clean: Clean, *, void: bool) -> None:
    """Add a time without faults."""
    _add(path, {"clean_s": clean.seconds, "void": void, "alarms": clean.alarms})


def _add(path: Path, row: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def recovery(trials: Sequence[tuple[Trial, Times]]) -> str:
    """How soon each kind was seen, how long nobody was heard, and when it was over: p50 / p90 in seconds."""
    rows = [
        "| fault | trials | named after | longest silence | voice back | well again |",
        "|" + " --- |" * 6,
    ]
    for kind in Kind:
        of_kind = [(trial, times) for trial, times in trials if trial.fault.kind is kind]
        if not of_kind:
            continue
        found = [[one.after_s for one in trial.said if one.accuses] for trial, _ in of_kind]
        named = [min(after_s) for after_s in found if after_s]
        cells = (
            named,
            [gap for _, times in of_kind for gap in times.gaps],
            [back for _, times in of_kind for back in times.back],
            [times.well for _, times in of_kind if times.well is not None],
        )
        rows.append(f"| {kind} | {len(of_kind)} | " + " | ".join(map(_both, cells)) + " |")
    return "\n".join(rows)


def _both(values: Sequence[float]) -> str:
    if not values:
        return ""
    shown = (statistics.median(values), percentile(values, 0.9))
    return " / ".join("never" if math.isinf(value) else f"{value:.1f}" for value in shown)
