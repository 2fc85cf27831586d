from __future__ import annotations

import pytest

from core.percentiles import nearest_rank


@pytest.mark.parametrize(
    ("values", "share", "found"),
    [
        ([7.0], 0.0, 7.0),
        ([7.0], 1.0, 7.0),
        ([1.0, 2.0], 0.5, 1.0),
        ([1.0, 2.0, 3.0], 0.5, 2.0),
        ([float(n) for n in range(1, 101)], 0.95, 95.0),
        ([float(n) for n in range(1, 101)], 0.05, 5.0),
        ([15.0, 20.0, 35.0, 40.0, 50.0], 0.4, 20.0),
    ],
)
def test_it_is_the_nearest_rank(values: list[float], share: float, found: float) -> None:
    assert nearest_rank(values, share) == found
