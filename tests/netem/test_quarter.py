"""The bad quarter of an hour lasts one, leaves calm between its faults, and can be shortened."""

from __future__ import annotations

import itertools

from tests.netem.faults import Kind, Side
from tests.netem.quarter import LENGTH_S, shortened, whole


def test_no_fault_begins_before_the_last_was_over_for_a_while() -> None:
    assert all(after.at_s - before.ends_s >= 30 for before, after in itertools.pairwise(whole()))
    assert whole()[0].at_s >= 30
    assert whole()[-1].ends_s + 30 <= LENGTH_S


def test_both_lines_are_bad_in_several_ways() -> None:
    for side in (Side.CLIENT, Side.COUNSELOR):
        assert len({one.fault.kind for one in whole() if one.fault.side is side}) >= 4
    assert {one.fault.kind for one in whole()} >= {Kind.CUT, Kind.LOSS, Kind.RATE, Kind.DELAY, Kind.JITTER}


def test_shortened_it_has_the_same_faults_with_the_calm_that_was_asked_for() -> None:
    short = shortened(calm_s=6, longest_s=8)
    assert [one.fault.name for one in short] == [one.fault.name for one in whole()]
    assert max(one.fault.seconds for one in short) <= 8
    assert all(after.at_s - before.ends_s == 6 for before, after in itertools.pairwise(short))
