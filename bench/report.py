"""What a bench hands back: rows of measured, target and whether it was reached."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any

from bench import machine


@dataclass(frozen=True)
class Row:
    """One figure. ``target`` None means that it is told without a target."""

    what: str
    value: float
    unit: str
    target: float | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """Say whether the target was reached."""
        if self.target is None:
            return ""
        return "reached" if self.value <= self.target else "MISSED"


@dataclass
class Report:
    """The rows of one bench, the runs that do not count, and the raw numbers."""

    name: str
    method: str
    rows: list[Row] = field(default_factory=list)
    void: list[str] = field(default_factory=list)
    raw: list[dict[str, Any]] = field(default_factory=list)


def show(report: Report) -> str:
    """Write a report as Markdown."""
    lines = [f"### {report.name}", "", report.method, ""]
    lines += ["| figure | measured | target | |", "| --- | ---: | ---: | --- |"]
    for row in report.rows:
        target = "" if row.target is None else f"{row.target:g} {row.unit}"
        verdict = " ".join(filter(None, [row.verdict, row.note]))
        lines.append(f"| {row.what} | {row.value:.4g} {row.unit} | {target} | {verdict} |")
    lines += ["", *(f"Void: {each}" for each in report.void)]
    return "\n".join(lines).rstrip() + "\n"


def alone(measure: Callable[[], Report]) -> None:
    """Run one bench as a program: the machine, the figures, with ``--json`` the raw numbers."""
    about = machine.describe()
    made = measure()
    if "--json" in sys.argv:
        print(json.dumps({"machine": about, **asdict(made)}, indent=1))
        return
    for name, value in about.items():
        print(f"{name:<9} {value}")
    print()
    print(show(made))
