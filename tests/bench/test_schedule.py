"""The load is what the reports say it is."""

from __future__ import annotations

import itertools
from collections import Counter

import pytest

from bench.schedule import PACKET_S, Shape, period

RATES = {Shape.CALL: (50, 120), Shape.SPREAD: (50, 120), Shape.VOICE: (50, 0), Shape.THIN: (10, 10)}


@pytest.mark.parametrize("shape", Shape)
@pytest.mark.parametrize("legs", [1, 2, 40])
def test_each_leg_sends_its_rate(shape: Shape, legs: int) -> None:
    plan = period(shape, legs)
    for leg in range(legs):
        mine = [burst for burst in plan.bursts if burst.leg == leg]
        audio = sum(burst.audio for burst in mine) / plan.length_s
        video = sum(burst.video for burst in mine) / plan.length_s
        assert (round(audio), round(video)) == RATES[shape]
    assert round(plan.packets_per_s()) == legs * sum(RATES[shape])


@pytest.mark.parametrize("shape", Shape)
def test_bursts_come_in_order_within_the_period(shape: Shape) -> None:
    plan = period(shape, 40)
    times = [burst.at_s for burst in plan.bursts]
    assert times == sorted(times)
    assert times[0] >= 0
    assert times[-1] < plan.length_s


def test_legs_are_spread_evenly_over_a_packet() -> None:
    times = [burst.at_s for burst in period(Shape.VOICE, 20).bursts]
    gaps = [later - earlier for earlier, later in itertools.pairwise(times)]
    assert all(abs(gap - PACKET_S / 20) < 1e-9 for gap in gaps)


def test_many_voice_legs_are_spread_evenly_over_its_milliseconds() -> None:
    at_once = Counter(round(burst.at_s * 1000, 6) for burst in period(Shape.VOICE, 100).bursts)
    assert at_once == dict.fromkeys(range(20), 5)
