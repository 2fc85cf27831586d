"""Slices of the coming-back bench are kept one behind the other, and counted together."""

from __future__ import annotations

import math
from pathlib import Path

from bench.coming_back import (
    FAULTS,
    Times,
    arrivals,
    back_after,
    keep,
    kept,
    over_after,
    stood_still,
    table,
)

SHORT, LONG, MOVED, _, UDP = FAULTS


def test_slices_of_one_fault_add_up(tmp_path: Path) -> None:
    path = tmp_path / "slices.jsonl"
    assert kept(path) == {}
    keep(path, SHORT, Times([1.0, 1.1], [0.2, 0.3], void=2))
    keep(path, MOVED, Times([], [3.0, math.inf]))
    keep(path, SHORT, Times([1.2, 1.3], [0.4, 0.1], void=1))
    assert kept(path) == {
        SHORT: Times([1.0, 1.1, 1.2, 1.3], [0.2, 0.3, 0.4, 0.1], void=3),
        MOVED: Times([], [3.0, math.inf]),
    }


def test_the_table_holds_each_figure_against_its_target() -> None:
    rows = table(
        {
            SHORT: Times([1.0, 1.1], [0.2, 0.3], void=4),
            LONG: Times([1.0, 1.6], [1.1, 1.3]),
            UDP: Times([], [2.0, 31.0]),
        }
    ).splitlines()
    assert rows[2:] == [
        "| cut of 3 to 10 s | noticed | 1 | 4 | 1.05 s | 1.10 s | 1.2 s | met |",
        "| cut of 3 to 10 s | back | 1 | 4 | 0.25 s | 0.30 s | 0.3 s | met |",
        "| cut of 30 s | noticed | 1 | 0 | 1.30 s | 1.60 s | 1.2 s | MISSED |",
        "| cut of 30 s | back | 1 | 0 | 1.20 s | 1.30 s | 1.0 / 2.5 s | MISSED |",
        "| UDP works again | back | 2 | 0 | 16.50 s | 31.00 s | 30.0 s | MISSED |",
    ]


def test_a_page_that_does_not_look_makes_a_run_void() -> None:
    rows = [(0.025 * number, number, "connected", 1) for number in range(200)]
    assert not stood_still(rows, (1.0, 2.0))
    assert not stood_still(rows, (4.0, 9.0)), "what was not watched any more is no gap"
    assert stood_still([row for row in rows if not 1.2 < row[0] < 1.5], (1.0, 2.0))


def test_a_new_connection_counts_its_packets_from_nothing() -> None:
    rows = [
        (1.0, 50, "connected", 1),
        (1.1, 50, "interrupted", 1),
        (1.2, 0, "interrupted", 2),
        (1.3, 2, "connected", 2),
    ]
    assert arrivals(rows, 1.05) == [1.3]
    assert back_after(rows, 1.05) == 1.3 - 1.05


def test_a_fault_is_over_behind_its_longest_gap() -> None:
    rows = [(0.1 * number, number, "connected", 1) for number in range(5)]
    rows += [(0.4 + 0.1 * number, 4, "interrupted", 1) for number in range(1, 20)]
    rows += [(2.4 + 0.1 * number, 5 + number, "connected", 1) for number in range(20)]
    assert over_after(rows, 0.0) == 2.4
    assert over_after(rows[:20], 0.0) is None, "it lasts"
