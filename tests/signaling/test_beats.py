"""A socket's heartbeat: how long a line may be dark before it is noticed, and what is no drop."""

from __future__ import annotations

import pytest

from signaling.beats import Beats, Due, Pace
from tests.fakes import FakeClock

CHAT, DANGER, VIDEO = Pace(15, 2), Pace(5, 2), Pace(2, 2)


def beaten(clock: FakeClock, beats: Beats, pace: Pace, *, seconds: float) -> list[tuple[float, Due]]:
    """What is due when, seconds from now, with two looks a second as the hub has them."""
    began_s = clock.monotonic()
    found: list[tuple[float, Due]] = []
    for _ in range(int(2 * seconds)):
        clock.advance(0.5)
        due = beats.due(clock.monotonic(), pace)
        if due is not Due.NOTHING:
            found.append((clock.monotonic() - began_s, due))
    return found


@pytest.mark.parametrize(
    ("pace", "pings_s", "lost_s"), [(CHAT, [15, 17, 19], 21), (DANGER, [5, 7, 9], 11), (VIDEO, [2, 4, 6], 8)]
)
def test_a_line_that_goes_dark_right_after_an_answer(pace: Pace, pings_s: list[float], lost_s: float) -> None:
    clock = FakeClock()
    found = beaten(clock, Beats(clock.monotonic()), pace, seconds=lost_s)
    assert found == [*((at_s, Due.PING) for at_s in pings_s), (lost_s, Due.LOST)]


def test_an_answer_that_comes_late_is_an_answer_and_the_line_rests_again() -> None:
    clock = FakeClock()
    beats = Beats(clock.monotonic())
    assert beaten(clock, beats, CHAT, seconds=20.5)[-1] == (19, Due.PING)
    beats.heard()
    assert beaten(clock, beats, CHAT, seconds=15) == [(13.5, Due.PING)], "fifteen seconds after the last"


def test_a_line_that_answers_is_asked_no_more_often_for_it() -> None:
    clock = FakeClock()
    beats = Beats(clock.monotonic())
    pings = 0
    for _ in range(240):
        pings += len(beaten(clock, beats, CHAT, seconds=15))
        beats.heard()
    assert pings == 240, "four a minute, an hour long"


def test_a_flag_that_is_raised_counts_from_the_last_ping() -> None:
    clock = FakeClock()
    beats = Beats(clock.monotonic())
    assert beaten(clock, beats, CHAT, seconds=10) == []
    assert beaten(clock, beats, DANGER, seconds=7)[-1] == (6.5, Due.LOST)
