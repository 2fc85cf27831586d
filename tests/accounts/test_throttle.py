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


def test_a_delay_grows_to_its_end_and_goes_back() -> None:
    throttle = Throttle(per_s=2, burst=2)
    delays = [throttle.delay("a", 0.0, most_s=2) for _ in range(10)]
    assert delays == [0, 0, 0.5, 1, 1.5, 2, 2, 2, 2, 2]
    assert throttle.delay("b", 0.0, most_s=2) == 0
    assert throttle.delay("a", 3.0, most_s=2) == 0


def test_five_thousand_behind_one_address_wait_and_are_not_refused() -> None:
    throttle = Throttle(per_s=10, burst=200)
    delays = [throttle.delay("campus", 0.0, most_s=20) for _ in range(5_000)]
    assert delays[199] == 0
    assert max(delays) == 20
