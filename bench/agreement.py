"""Whether the API, the metrics and the report page of a session tell the same of its lines. Pure."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

TROUBLES, GAPS, EVENTS = "teduh_calls_troubles", "teduh_calls_gap_seconds", "teduh_calls_events"
# The metrics add seconds, the API milliseconds.
ROUNDED_MS = 1.0


@dataclass(frozen=True, slots=True)
class Told:
    """What one of them tells: ``causes`` by "direction_kind", ``events`` by kind."""

    drops: int
    gone_ms: float
    causes: Mapping[str, int]
    events: Mapping[str, int]


def by_api(quality: Mapping[str, Any]) -> Told:
    """Sum up a session's quality record: both sides together, as the metrics do."""
    causes: Counter[str] = Counter()
    for side in quality["summary"]["participants"].values():
        causes.update(side["causes"])
    return Told(
        drops=len(quality["drops"]),
        gone_ms=sum(drop["gap_ms"] for drop in quality["drops"]),
        causes=causes,
        events=Counter(event["kind"] for event in quality["events"]),
    )


def by_metrics(before: str, after: str) -> Told:
    """Read what was added between two answers of ``/metrics``."""
    first, then = _read(before), _read(after)
    return Told(
        drops=then.drops - first.drops,
        gone_ms=then.gone_ms - first.gone_ms,
        causes=Counter(then.causes) - Counter(first.causes),
        events=Counter(then.events) - Counter(first.events),
    )


def _read(text: str) -> Told:
    drops, gone_ms = 0, 0.0
    causes: Counter[str] = Counter()
    events: Counter[str] = Counter()
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            if sample.name == f"{GAPS}_count":
                drops = int(sample.value)
            elif sample.name == f"{GAPS}_sum":
                gone_ms = 1000 * sample.value
            elif sample.name == f"{TROUBLES}_total":
                causes[f"{sample.labels['direction']}_{sample.labels['kind']}"] = int(sample.value)
            elif sample.name == f"{EVENTS}_total":
                events[sample.labels["kind"]] = int(sample.value)
    return Told(drops, gone_ms, causes, events)


def differences(api: Told, metrics: Told) -> list[str]:
    """Each thing that the two tell differently."""
    found = []
    if api.drops != metrics.drops:
        found.append(f"drops: {api.drops} by the API, {metrics.drops} by the metrics")
    if not math.isclose(api.gone_ms, metrics.gone_ms, abs_tol=ROUNDED_MS):
        found.append(f"time gone: {api.gone_ms:.0f} ms by the API, {metrics.gone_ms:.0f} ms by the metrics")
    for what, said, counted in (
        ("cause", api.causes, metrics.causes),
        ("event", api.events, metrics.events),
    ):
        found += [
            f"{what} {name}: {said.get(name, 0)} by the API, {counted.get(name, 0)} by the metrics"
            for name in sorted({*said, *counted})
            if said.get(name, 0) != counted.get(name, 0)
        ]
    return found


@dataclass(frozen=True, slots=True)
class Page:
    """What the report page shows in its tables, row by row: whose line it was, and how many events."""

    drops: Sequence[str]
    events: int


def by_report(html: str) -> Page:
    """Read the tables of the report page."""
    drops, _, events = html.partition('<h2 id="drops">')[2].partition('<h2 id="events">')
    return Page([_cells(row)[1] for row in _rows(drops)], len(_rows(events)))


def _rows(html: str) -> list[str]:
    return re.findall(r"<tr><th scope=\"row\">.*?</tr>", html, re.DOTALL)


def _cells(row: str) -> list[str]:
    return [re.sub(r"<[^>]+>", "", cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL)]


def page_differences(quality: Mapping[str, Any], page: Page) -> list[str]:
    """Each thing that the report page shows otherwise than the API: whose drops, and how many events."""
    found = []
    told = [drop["participant"] for drop in quality["drops"]]
    # The page has words for the sides; the same drop has to be the same side's on both.
    if len(told) != len(page.drops):
        found.append(f"drops: {len(told)} by the API, {len(page.drops)} on the page")
    elif len(set(zip(told, page.drops, strict=True))) != len(set(told)):
        found.append("drops: the page lays them at other doors than the API")
    if len(quality["events"]) != page.events:
        found.append(f"events: {len(quality['events'])} by the API, {page.events} on the page")
    return found
