"""The E-model against the Recommendations' own numbers."""

from __future__ import annotations

import pytest

from media.emodel import (
    BEST_RATING,
    OPUS,
    Codec,
    delay_impairment,
    loss_impairment,
    mos_of,
    rating,
    voice_mos,
)

TRANSPARENT = Codec(ie=0.0, bpl=4.3)


def test_the_defaults_rate_93_2() -> None:
    """G.107, 7.7: with all parameters at their defaults R is 93.2."""
    assert rating(delay_ms=0, loss_pct=0, codec=TRANSPARENT) == pytest.approx(93.2, abs=0.05)
    assert mos_of(BEST_RATING) == pytest.approx(4.41, abs=0.005)


@pytest.mark.parametrize(("r", "mos"), [(90, 4.34), (80, 4.03), (70, 3.60), (60, 3.10), (50, 2.58)])
def test_ratings_score_as_in_table_b_1(r: float, mos: float) -> None:
    """G.107, Table B.1: the lower limits of the categories of user satisfaction."""
    assert mos_of(r) == pytest.approx(mos, abs=0.01)


@pytest.mark.parametrize(("r", "mos"), [(-20, 1.0), (0, 1.0), (5, 1.0), (6.5, 1.0), (100, 4.5), (140, 4.5)])
def test_a_score_stays_between_1_and_4_5(r: float, mos: float) -> None:
    assert mos_of(r) == pytest.approx(mos, abs=0.01)


# G.113 (12/98) Appendix I, the table of Ie under random loss; with the Ie and Bpl that G.113 (02/2002) gives.
G_729A = {0: 11, 0.5: 13, 1: 15, 1.5: 17, 2: 19, 3: 23, 4: 26, 8: 36, 16: 49}
G_723_1 = {0: 15, 0.5: 17, 1: 19, 1.5: 22, 2: 24, 3: 27, 4: 32, 8: 41, 16: 55}


@pytest.mark.parametrize(
    ("codec", "pct", "impairment"),
    [
        *((Codec(ie=11, bpl=19.0), pct, ie) for pct, ie in G_729A.items()),
        *((Codec(ie=15, bpl=16.1), pct, ie) for pct, ie in G_723_1.items()),
    ],
)
def test_loss_costs_what_g_113_tabulates(codec: Codec, pct: float, impairment: float) -> None:
    assert loss_impairment(pct, codec=codec) == pytest.approx(impairment, abs=1.3)


@pytest.mark.parametrize(
    ("delay_ms", "impairment"),
    [(0, 0), (100, 0), (150, 0.16), (200, 3.04), (300, 14.76), (400, 24.07)],
)
def test_delay_costs_what_g_107_says(delay_ms: float, impairment: float) -> None:
    """Worked by hand from (7-27): at 200 ms X is 1, so Idd = 25 (2^(1/6) - 3 (1 + 3^-6)^(1/6) + 2)."""
    assert delay_impairment(delay_ms) == pytest.approx(impairment, abs=0.01)


def test_g_114_s_limits_fall_where_it_draws_them() -> None:
    """G.114: up to 150 ms nearly everybody is content, at 400 ms the planner's limit is reached."""
    assert rating(delay_ms=150, loss_pct=0, codec=TRANSPARENT) > 90
    assert 60 < rating(delay_ms=400, loss_pct=0, codec=TRANSPARENT) < 70


def test_opus_meets_the_grades_where_they_stand() -> None:
    """Fair begins under 3.6 and poor under 3.1 (R of 70 and 60): 8 % is the limit of both."""
    assert voice_mos(delay_ms=20, loss_pct=0) > 4.3
    assert 3.6 < voice_mos(delay_ms=20, loss_pct=3) < 4.0
    assert voice_mos(delay_ms=20, loss_pct=8) == pytest.approx(3.1, abs=0.05)
    assert OPUS.bpl > TRANSPARENT.bpl


def test_bursts_cost_more_than_random_loss() -> None:
    assert loss_impairment(5, burst_ratio=2) > loss_impairment(5)


def test_more_of_either_never_sounds_better() -> None:
    for delay_ms in range(0, 1500, 50):
        for loss in range(0, 100, 5):
            here = voice_mos(delay_ms=delay_ms, loss_pct=loss)
            assert voice_mos(delay_ms=delay_ms + 50, loss_pct=loss) <= here
            assert voice_mos(delay_ms=delay_ms, loss_pct=loss + 5) <= here
