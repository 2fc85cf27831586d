"""Grades: the limits, and how long each must hold before it is believed."""

from __future__ import annotations

import itertools
import random

import pytest

from core.shapes import QualityLimits
from media.grading import Grade, Limits, Steady, grade

GOOD, FAIR, POOR, LOST = Grade


@pytest.mark.parametrize(
    ("loss_pct", "rtt_ms", "mos", "graded"),
    [
        (None, None, None, GOOD),
        (3.0, 300, 3.6, GOOD),
        (3.1, 20, 4.2, FAIR),
        (0, 301, 4.2, FAIR),
        (0, 20, 3.59, FAIR),
        (8.0, 700, 3.1, FAIR),
        (8.1, 20, 4.2, POOR),
        (0, 701, 4.2, POOR),
        (0, 20, 3.09, POOR),
    ],
)
def test_a_moment_is_graded_by_loss_round_trip_and_score(
    loss_pct: float | None, rtt_ms: float | None, mos: float | None, graded: Grade
) -> None:
    assert grade(loss_pct=loss_pct, rtt_ms=rtt_ms, mos=mos) is graded


def test_the_operator_sets_the_limits() -> None:
    strict = Limits(QualityLimits(1, 100, 4.2), QualityLimits(2, 200, 4.0))
    assert grade(loss_pct=1.5, rtt_ms=50, mos=4.4, limits=strict) is FAIR
    assert grade(loss_pct=0, rtt_ms=250, mos=4.4, limits=strict) is POOR


def shown(moments: list[Grade], steady: Steady | None = None) -> list[Grade]:
    """What is shown each second while these are heard, a second each."""
    steady = steady or Steady()
    found = []
    for at_s, moment in enumerate(moments):
        steady.hear(moment, 100.0 + at_s)
        found.append(steady.grade)
    return found


def test_worse_is_believed_after_four_seconds_and_better_after_ten() -> None:
    assert shown([FAIR] * 5) == [GOOD] * 4 + [FAIR]
    assert shown([FAIR] * 5 + [GOOD] * 11)[4:] == [FAIR] * 11 + [GOOD]


def test_a_short_dip_is_not_shown() -> None:
    assert set(shown([GOOD, POOR, POOR, POOR, GOOD] * 20)) == {GOOD}


def test_the_mildest_of_the_wait_is_shown() -> None:
    assert shown([POOR, FAIR, POOR, FAIR, POOR])[-1] is FAIR
    assert shown([POOR] * 5 + [GOOD, FAIR] * 6)[-1] is FAIR


def test_lost_comes_and_goes_at_once() -> None:
    assert shown([GOOD, LOST, LOST, GOOD]) == [GOOD, LOST, LOST, GOOD]
    assert shown([POOR] * 5 + [LOST, GOOD])[-2:] == [LOST, POOR]
    assert shown([GOOD, LOST, POOR])[-1] is POOR


def test_a_clock_that_jumps_proves_nothing() -> None:
    steady = Steady()
    assert not steady.hear(POOR, 100.0)
    assert not steady.hear(POOR, 5_000.0)
    assert not steady.hear(POOR, 40.0)
    assert steady.grade is GOOD
    assert [steady.hear(POOR, 41.0 + at_s) for at_s in range(4)] == [False, False, False, True]


def test_nothing_flaps_in_an_hour_of_noise() -> None:
    source, steady = random.Random(11), Steady()
    moments = source.choices([GOOD, FAIR, POOR], [6, 2, 1], k=3_600)
    changes = [at_s for at_s, moment in enumerate(moments) if steady.hear(moment, at_s)]
    assert len(changes) < 60
    assert all(after - before >= 4 for before, after in itertools.pairwise(changes))
