"""The last ten minutes of a line in words, from its ring of seconds."""

from __future__ import annotations

from media.grading import Limits
from media.ring import Ring, Second
from signaling.quality_recent import recent


def ring(*seconds: Second) -> Ring:
    made = Ring()
    for second in seconds:
        made.add(second)
    return made


GOOD = Second(0, expected_up=50, expected_down=50, rtt_ms=40)
LOSSY = Second(0, expected_up=50, lost_up=6, expected_down=50, rtt_ms=40)
SLOW = Second(0, expected_up=50, expected_down=50, rtt_ms=400)
CUT = Second(0, cut=True)


def test_each_ten_seconds_have_a_word_and_what_was_before_the_line_has_none() -> None:
    words = recent(ring(*[GOOD] * 10, *[LOSSY] * 10, *[SLOW] * 10, *[GOOD] * 9, CUT), Limits())
    assert len(words) == 60
    assert words[-4:] == ("good", "poor", "fair", "gap")
    assert set(words[:-4]) == {""}


def test_a_line_of_more_than_ten_minutes_forgets_the_oldest() -> None:
    words = recent(ring(*[LOSSY] * 100, *[GOOD] * 600), Limits())
    assert words == ("good",) * 60


def test_a_report_that_takes_loss_back_is_no_gain() -> None:
    back = Second(0, expected_up=50, expected_down=50, lost_down=-400)
    assert recent(ring(*[back] * 10), Limits())[-1] == "good"


def test_what_was_only_overtaken_is_no_loss() -> None:
    missing = Second(0, expected_up=50, lost_up=4, rtt_ms=40)
    come = Second(0, expected_up=50, lost_up=-4, rtt_ms=40)
    assert recent(ring(*[missing, come] * 20), Limits())[-4:] == ("good",) * 4


def test_two_packets_of_a_pause_are_chance_as_for_the_grade() -> None:
    pause = [Second(0, expected_up=25, lost_up=2, rtt_ms=40), *[Second(0, rtt_ms=40)] * 9]
    assert recent(ring(*pause), Limits())[-1] == "good"


def test_in_chat_the_socket_tells_and_where_nothing_does_there_is_no_word() -> None:
    words = recent(ring(*[Second(0, ws_rtt_ms=900)] * 10, *[Second(0)] * 10), Limits())
    assert words[-2:] == ("poor", "")
