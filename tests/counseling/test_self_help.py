"""The exercises that ship are whole, and a file that is not is refused with the place that is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from core.errors import ConfigError
from counseling.self_help import OURS, read_self_help, shipped

WHOLE = """
version = 1
written = 2026-03-02
[breath]
minutes = 3
source = "WHO"
title = { id = "Napas", en = "Breath" }
lead = { id = "a", en = "b" }
steps = [{ id = "a", en = "b" }]
last = { id = "a", en = "b" }
"""


def test_what_ships_is_whole_and_small() -> None:
    ours = shipped()
    assert ours == read_self_help(OURS)
    assert {one.key for one in ours.exercises} == {"breath", "ground", "kind"}
    for one in ours.exercises:
        assert all(words["id"] != words["en"] for words in one.words().values()), one.key
    assert all(1 <= ours.size_kb(language) <= 5 for language in ("id", "en"))


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("version = 1", "version = 0", "version"),
        ("version = 1", "", "version"),
        ("written = 2026-03-02", 'written = "today"', "written"),
        ("minutes = 3", "minutes = 0", "breath.minutes"),
        ('source = "WHO"', 'source = ""', "breath.source"),
        ('title = { id = "Napas", en = "Breath" }', 'title = { id = "Napas" }', "breath.title"),
        ('steps = [{ id = "a", en = "b" }]', "steps = []", "breath.steps"),
        ('steps = [{ id = "a", en = "b" }]', 'steps = [{ id = "a" }]', r"breath.steps\[0\]"),
        ("minutes = 3", "minutes = 3\nvideo = true", "breath must hold"),
        (WHOLE.partition("[")[2], "", "not TOML"),
        ("[breath]" + WHOLE.partition("[breath]")[2], "", "no exercise"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(tmp_path: Path, before: str, after: str, said: str) -> None:
    path = tmp_path / "own.toml"
    path.write_text(WHOLE)
    assert read_self_help(path).exercises[0].steps[0]["en"] == "b"
    assert before in WHOLE
    path.write_text(WHOLE.replace(before, after))
    with pytest.raises(ConfigError, match=said):
        read_self_help(path)
