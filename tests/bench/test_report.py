"""Reports say what was measured and whether it is enough."""

from __future__ import annotations

import pytest

from bench.forward import Pair, Run, figure
from bench.report import Figure, machine, percentile, table, versions


def test_a_percentile_is_a_value_that_was_measured() -> None:
    values = [float(number) for number in range(100, 0, -1)]
    assert percentile(values, 0.5) == 51
    assert percentile(values, 0.99) == 100
    assert percentile([7.0], 0.99) == 7
    with pytest.raises(ValueError, match="nothing"):
        percentile([], 0.5)


def test_a_table_says_met_and_missed() -> None:
    said = table(
        [Figure("a", "1", "2", met=True), Figure("b", "3", "2", met=False), Figure("c", "4")]
    ).splitlines()
    assert said[2] == "| a | 1 | 2 | met |"
    assert said[3] == "| b | 3 | 2 | MISSED |"
    assert said[4] == "| c | 4 |  |  |"


def test_the_machine_and_the_versions_are_named() -> None:
    assert "cores" in machine()
    assert "aiortc" in versions()


def test_the_median_of_the_pairs_counts_and_a_late_generator_voids_its_pair() -> None:
    pairs = [Pair(Run(cost, 0, 1.0), Run(10.0, 0, 1.0)) for cost in (15.0, 30.0, 19.0)]
    assert not any(pair.void for pair in pairs)
    assert Pair(Run(1.0, 0, 5.1), Run(1.0, 0, 0.0)).void
    said = figure(pairs, 1, what="CPU", target=2.0)
    assert said.measured.startswith("1.90")
    assert said.met
    assert figure([], 9, what="CPU", target=2.0).met is None
