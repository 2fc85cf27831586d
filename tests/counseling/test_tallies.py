"""What a report may show: never a group so small that somebody could be recognised, nor by taking away."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from counseling.tallies import SMALLEST, Row, tally, times

COUNTS = st.dictionaries(st.text("abcdefgh", min_size=1, max_size=2), st.integers(0, 30), max_size=8)


def test_large_groups_are_shown_with_their_total() -> None:
    found = tally({"a": 5, "b": 20, "c": 0})
    assert found.rows == (Row("b", 20), Row("a", 5))
    assert found.total == 25


def test_one_small_group_takes_the_next_smallest_with_it() -> None:
    found = tally({"a": 30, "b": 9, "c": 1})
    assert found.rows == (Row("a", 30), Row("b", None), Row("c", None))
    assert found.total == 40


def test_few_in_all_are_not_even_counted() -> None:
    assert tally({"a": 3, "b": 1}).total is None
    assert tally({}).total is None


@given(COUNTS)
def test_nothing_small_is_shown_or_can_be_had_by_taking_away(counts: dict[str, int]) -> None:
    found = tally(counts)
    shown = [row.count for row in found.rows if row.count is not None]
    held = [counts[row.word] for row in found.rows if row.count is None]
    assert all(count >= SMALLEST for count in shown)
    if found.total is not None and held:
        assert found.total - sum(shown) == sum(held) >= SMALLEST
        assert len(held) > 1 or not shown


def test_percentiles_stand_on_enough_cases() -> None:
    assert times([1.0, 2.0, 3.0, 4.0]) is None
    found = times([50.0, 10.0, 20.0, 40.0, 30.0])
    assert found is not None
    assert (found.count, found.p50, found.p90) == (5, 30.0, 50.0)
