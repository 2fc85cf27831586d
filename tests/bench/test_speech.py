"""What counts as speech in the file that the voice bench plays."""

from __future__ import annotations

import array

from bench.speech import active_share

RATE = 1_000
LOUD, QUIET = 5_000, 0


def sound(*parts: tuple[int, int]) -> array.array[int]:
    """Samples of (loudness, ms) one after another."""
    return array.array("h", [value for value, ms in parts for _ in range(ms)])


def test_silence_is_no_speech() -> None:
    assert active_share(sound((QUIET, 1_000)), RATE) == 0
    assert active_share(sound((LOUD, 1_000)), RATE) == 1


def test_a_pause_is_no_speech() -> None:
    assert active_share(sound((LOUD, 500), (QUIET, 500)), RATE) == 0.5
    assert active_share(sound((LOUD, 400), (QUIET, 400), (LOUD, 200)), RATE) == 0.6


def test_a_gap_of_200_ms_belongs_to_the_talkspurt_around_it() -> None:
    assert active_share(sound((LOUD, 400), (QUIET, 200), (LOUD, 400)), RATE) == 1
