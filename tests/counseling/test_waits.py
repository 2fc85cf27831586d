from __future__ import annotations

import pytest

from counseling.waits import STEPS_S, Range, usual_s, wait

TALK_S = 2_400.0


@pytest.mark.parametrize(
    ("before", "free", "there", "expected"),
    [
        (0, 1, 1, Range(0, 120)),
        (4, 5, 9, Range(0, 120)),
        (0, 0, 0, None),
        (0, 0, 40, Range(0, 120)),
        (0, 0, 4, Range(300, 1200)),
        (1, 1, 4, Range(300, 1200)),
        (3, 0, 4, Range(1200, 3600)),
        (20, 0, 4, None),
    ],
)
def test_a_wait_is_a_range(before: int, free: int, there: int, expected: Range | None) -> None:
    assert wait(before=before, free=free, there=there, talk_s=TALK_S) == expected


def test_nothing_is_said_where_talks_are_not_known() -> None:
    assert wait(before=1, free=0, there=3, talk_s=None) is None
    assert wait(before=0, free=1, there=1, talk_s=None) == Range(0, 120)
    assert usual_s([600.0] * 4) is None
    assert usual_s([600.0, 600.0, 1_200.0, 6_000.0, 60.0]) == 600.0


@pytest.mark.parametrize("before", range(0, 60, 7))
@pytest.mark.parametrize("there", [1, 3, 10, 50])
def test_a_range_holds_what_is_expected_and_changes_by_steps(before: int, there: int) -> None:
    found = wait(before=before, free=0, there=there, talk_s=TALK_S)
    expected_s = (before + 1) * TALK_S / there
    if found is None:
        assert expected_s * 1.5 > STEPS_S[-1]
    else:
        assert found.from_s <= expected_s <= found.to_s
        assert {found.from_s, found.to_s} <= set(STEPS_S)
