"""What counts as speech in the file that the voice bench plays."""

from __future__ import annotations

import array
import itertools
from pathlib import Path

import pytest

from bench.activity import activity_factor
from bench.speech import SHARE, write_speech

RATE = 1_400
LOUD, FAINT, QUIET = 5_000, 300, 0


def sound(*parts: tuple[int, int]) -> array.array[int]:
    """Samples of (loudness, ms) one after another, of either sign in turn."""
    sign = itertools.cycle((1, -1))
    return array.array("h", [next(sign) * value for value, ms in parts for _ in range(ms * RATE // 1000)])


def test_silence_is_no_speech() -> None:
    assert activity_factor(sound((QUIET, 1_000)), RATE) == 0
    assert activity_factor(array.array("h"), RATE) == 0


def test_what_never_pauses_is_all_speech() -> None:
    assert activity_factor(sound((LOUD, 5_000)), RATE) == pytest.approx(1, abs=0.02)


def test_the_200_ms_behind_speech_belong_to_it_and_the_rest_of_a_pause_does_not() -> None:
    pause = sound((LOUD, 4_000), (QUIET, 4_000))
    assert activity_factor(pause, RATE) == pytest.approx((4_000 + 200 + 70) / 8_000, abs=0.02)


def test_a_short_gap_is_speech() -> None:
    gaps = sound(*[(LOUD, 400), (QUIET, 150)] * 10)
    assert activity_factor(gaps, RATE) == pytest.approx(1, abs=0.02)


def test_what_is_far_below_the_speech_is_none() -> None:
    noisy = sound((LOUD, 4_000), (FAINT, 4_000))
    assert activity_factor(noisy, RATE) == pytest.approx((4_000 + 200 + 70) / 8_000, abs=0.02)


def test_the_file_is_71_percent_speech_with_pauses_as_people_make(tmp_path: Path) -> None:
    speech = write_speech(tmp_path / "speech.wav")
    assert speech.share == pytest.approx(SHARE, abs=0.005)
    assert 40 < speech.seconds < 60
    assert all(0.5 < pause < 3 for pause in speech.pauses_s)
