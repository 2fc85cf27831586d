"""Every kind of event that is kept has words, and every cause of a break."""

from __future__ import annotations

import ast
import itertools
from pathlib import Path
from typing import Any

import pytest

from media.codecs import Mode
from media.diagnosis import Direction, Trouble
from signaling.gaps import Blame
from web.quality_words import KINDS, Words
from web.render import LANGUAGES, make_renderer

SIGNALING = Path(__file__).parents[2] / "signaling"
# Where the kind of an event stands in a call that makes one.
MADE_BY = {"RecordEvent": 0, "_note": 2, "Noted": 0, "EventRecord": 2}


def kinds_made() -> set[str]:
    """Every kind that a call in signaling writes down in plain sight."""
    found = set()
    for path in SIGNALING.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = MADE_BY.get(name)
            given = node.args[:3] if place is not None else []
            for one in given:
                constants = [one.body, one.orelse] if isinstance(one, ast.IfExp) else [one]
                found |= {each.value for each in constants if isinstance(each, ast.Constant)}
    return {kind for kind in found if isinstance(kind, str)}


def words(language: str = "en") -> Words:
    return Words(make_renderer(), language)


def test_every_kind_that_is_written_down_has_words() -> None:
    made = kinds_made()
    assert {"left_quickly", "picture", "resumed", "grade", "freeze", "phone"} <= made
    assert made <= KINDS


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_event_is_said_in_both_languages(language: str) -> None:
    said = words(language)
    other = said.text("quality.event_other")
    details: list[dict[str, Any]] = [
        {"gap_ms": 1_200, "kind": "cut", "direction": "up"},
        {"mode": "voice", "reason": "data"},
        {"device": "audio"},
        {"step": "paused", "by": "user"},
        {"to": "poor", "kind": "rate", "direction": "down"},
        {"transport": "tcp", "ip_version": 4, "first": False},
        {"ms": 2_400},
        {"mb": 50},
        {},
    ]
    for kind in KINDS:
        told = {said.event(kind, detail, "client") for detail in details}
        assert told - {other}, kind


@pytest.mark.parametrize(
    ("kind", "way"), [*itertools.product([*Trouble, "unknown"], [*Direction, "unknown"])]
)
def test_every_cause_is_said_of_both_sides_and_of_none(kind: str, way: str) -> None:
    for language, role in itertools.product(LANGUAGES, ("client", "counselor", None)):
        assert words(language).cause(Blame(way, kind), role)


@pytest.mark.parametrize("mode", list(Mode))
def test_what_a_session_began_in_is_no_move(mode: Mode) -> None:
    began = words().event("mode", {"mode": mode, "reason": "began"}, None)
    assert began.startswith("Began")


def test_what_is_of_nobody_s_line_names_no_way() -> None:
    assert words().cause(Blame("both", "server"), "client") == "Our server stood still"
    assert words().cause(Blame("up", "loss"), "counselor") == "Packets were lost, from the counselor to us"


def test_a_kind_or_a_value_that_nobody_knows_is_said_in_general_words() -> None:
    assert words().event("eclipse", {}, None) == "Something else"
    assert words().event("mode", {"mode": "<b>"}, None) == "Something else"
    why = {"step": "small", "by": "line", "whose": "counselor", "kind": "rate", "direction": "down"}
    assert words().event("picture", why, "client") == (
        "The picture was made small: More was sent than the line carries, from us to the counselor"
    )
    assert words().event("picture", {"step": "small", "by": "line", "left_out": 3}, "client") == (
        "The picture was made small: for the line (and 3 more that were not kept)"
    )


@pytest.mark.parametrize(
    ("ms", "said"), [(0, "0.0 s"), (1_250, "1.2 s"), (90_000, "1.5 min"), (5_400_000, "1.5 h")]
)
def test_durations_are_in_the_unit_that_says_enough(ms: float, said: str) -> None:
    assert words().long(ms) == said


def test_numbers_are_the_reader_s() -> None:
    assert words("id").number(1_234.56, 1) == "1.234,6"
    assert words("en").number(1_234.56, 1) == "1,234.6"
    assert words("id").figure(None, "ms") == "tidak diketahui"
