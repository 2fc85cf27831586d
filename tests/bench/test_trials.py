"""Trials are kept one behind the other; what a processor spoiled counts for nothing but is counted."""

from __future__ import annotations

import math
from pathlib import Path

from bench.confusion import Said, Trial
from bench.faults import is_well, times_of
from bench.starved import longest_gap_ms
from bench.trials import Clean, Times, keep, keep_clean, read, recovery
from tests.netem.faults import Kind, script

CUT = next(fault for fault in script() if fault.kind is Kind.CUT)
MOVED = next(fault for fault in script() if fault.kind is Kind.PATH_CHANGED)
BROKE_OFF = Said(1.25, "interrupted", CUT.side, "cut", CUT.direction)
RESUMED = Said(5.5, "resumed", CUT.side, "cut", CUT.direction)


def test_what_is_kept_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "trials.jsonl"
    assert not read(path).has(CUT)
    trial, times = Trial(CUT, (BROKE_OFF, RESUMED)), Times((0.2, math.inf), (5.2,), 0.5)
    keep(path, trial, times, began=1_700_000_000.0, void=False)
    keep(path, Trial(MOVED, ()), Times(), began=1_700_000_060.0, void=True)
    keep_clean(path, Clean(300, ("one",)), void=False)
    keep_clean(path, Clean(300, ()), void=True)
    kept = read(path)
    assert kept.trials == [(trial, times)]
    assert kept.clean == [Clean(300, ("one",))]
    assert (kept.void, kept.void_clean_s) == (1, 300)
    assert kept.has(CUT)
    assert not kept.has(MOVED), "a void trial is done again"


def test_the_table_tells_of_each_kind_how_long_it_took() -> None:
    found = recovery([(Trial(CUT, (BROKE_OFF, RESUMED)), Times((0.2, 0.4), (5.2, 5.4), 0.5))])
    assert found.splitlines()[2:] == ["| cut | 1 | 1.2 / 1.2 | 5.3 / 5.4 | 0.3 / 0.4 | 0.5 / 0.5 |"]
    changed = Said(0.5, "path_changed", CUT.side)
    assert recovery([(Trial(CUT, (changed,)), Times())]).splitlines()[2:] == ["| cut | 1 |  |  |  |  |"]
    assert "never" in recovery([(Trial(CUT, ()), Times((math.inf,)))])


def test_a_line_is_well_when_all_that_was_said_is_said_to_be_over() -> None:
    poor = Said(5, "grade", "client", "loss", "up", "poor")
    good = Said(20, "grade", "client", "", "", "good")
    assert is_well([])
    assert is_well([BROKE_OFF, RESUMED, poor, good])
    assert not is_well([BROKE_OFF])
    assert not is_well([poor, RESUMED])
    assert not is_well([poor, Said(20, "grade", "counselor", "", "", "good")])


def test_silence_is_what_the_pages_heard() -> None:
    heard = [
        (10 + 0.05 * number, number if number < 20 or number > 120 else 20, "connected", 1)
        for number in range(160)
    ]
    times = times_of(CUT, 10.0, 16.0, [heard], 0.5)
    assert times.gaps == (5.05,)
    assert times.back == (0.05,)
    assert longest_gap_ms([1.0, 1.5, 1.75]) == 500
    assert longest_gap_ms([1.0]) == 0
