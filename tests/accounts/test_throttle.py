from __future__ import annotations

import pytest

from accounts.throttle import MOST_SUBJECTS, Throttle
from core.errors import TooMany


def test_a_burst_passes_and_the_next_is_told_when_to_come_back() -> None:
    throttle = Throttle(per_s=2, burst=3)
    for _ in range(3):
        throttle.spend("a", 10.0)
    with pytest.raises(TooMany) as refused:
        throttle.spend("a", 10.0)
    assert refused.value.retry_after_s == pytest.approx(0.5)
    throttle.spend("a", 10.5)


def test_one_subject_does_not_spend_for_another() -> None:
    throttle = Throttle(per_s=1, burst=1)
    throttle.spend("a", 0.0)
    throttle.spend("b", 0.0)
    with pytest.raises(TooMany):
        throttle.spend("a", 0.1)


def test_waiting_long_saves_up_no_more_than_the_burst() -> None:
    throttle = Throttle(per_s=1, burst=2)
    throttle.spend("a", 0.0)
    for _ in range(2):
        throttle.spend("a", 1_000.0)
    with pytest.raises(TooMany):
        throttle.spend("a", 1_000.0)


def test_many_subjects_do_not_fill_the_memory() -> None:
    throttle = Throttle(per_s=1, burst=1)
    for number in range(MOST_SUBJECTS + 10):
        throttle.spend(str(number), 0.0)
    assert len(throttle._levels) == MOST_SUBJECTS
    with pytest.raises(TooMany):
        throttle.spend(str(MOST_SUBJECTS), 0.0)
