"""The dashboard and the alerts against the program: every metric is told, every alert is written down."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # PyYAML brings no types

from media.grading import Grade
from signaling.gaps import DIRECTIONS, KINDS, UNKNOWN
from signaling.quality_counts import QualityCounts
from tests.docs.conftest import ROOT

DASHBOARD = ROOT / "deploy" / "grafana" / "teduh.json"
RULES = ROOT / "deploy" / "prometheus" / "teduh.rules.yml"
OPERATIONS = (ROOT / "docs" / "operations.md").read_text()
SOURCES = "".join(
    path.read_text()
    for name in ("media", "recordings", "signaling", "web")
    for path in (ROOT / name).glob("*.py")
)
WORDS: dict[str, set[str]] = {
    "grade": set(Grade),
    "direction": {*DIRECTIONS, UNKNOWN},
    "kind": {*KINDS, UNKNOWN},
}
BY_HAND = {"job", "status", "le"}


def rules() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def panels() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    return found


def expressions() -> list[str]:
    shown = [target["expr"] for panel in panels() for target in panel.get("targets", [])]
    return [*shown, *(rule["expr"] for rule in rules())]


def test_every_metric_that_is_asked_for_is_told() -> None:
    histograms = {one.name for one in QualityCounts().measured()}
    asked = {name for one in expressions() for name in re.findall(r"\bteduh_[a-z_]+", one)}
    assert len(asked) > 15
    for name in asked:
        base = re.sub(r"^teduh_(calls|media|http|recordings)_", "", re.sub(r"_(bucket|count|sum)$", "", name))
        assert base in histograms or f'"{base}"' in SOURCES or name == "teduh_http_requests_total", name


@pytest.mark.parametrize("one", expressions())
def test_every_label_that_is_asked_for_has_such_a_word(one: str) -> None:
    for label, words in re.findall(r'(\w+)=~?"([^"]*)"', one):
        assert label in BY_HAND or set(words.split("|")) <= WORDS[label], one


def test_every_alert_is_written_down_with_what_it_is_worth() -> None:
    told = dict(re.findall(r"^\| `(Teduh\w+)` \| (\w+) \|", OPERATIONS, re.MULTILINE))
    assert told == {rule["alert"]: rule["labels"]["severity"] for rule in rules()}


def test_every_quality_metric_is_written_down() -> None:
    for one in QualityCounts().measured():
        assert f"`teduh_calls_{one.name}" in OPERATIONS, one.name


def test_the_dashboard_has_panels_that_do_not_lie_on_each_other() -> None:
    ids = [panel["id"] for panel in panels()]
    assert len(ids) == len(set(ids)) > 15
    taken: set[tuple[int, int]] = set()
    for panel in panels():
        at = panel["gridPos"]
        cells = {(at["x"] + x, at["y"] + y) for x in range(at["w"]) for y in range(at["h"])}
        assert not cells & taken
        assert max(x for x, _ in cells) < 24
        taken |= cells
