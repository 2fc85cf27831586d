"""What the doctor says of recordings: which do not get on, what is lost, a store that is down."""

from __future__ import annotations

import dataclasses
from datetime import UTC, datetime, timedelta

import pytest

from recordings.figures import Figures
from recordings.leap import Seen
from recordings.orphans import Lack
from recordings.reserve import RESERVE_BYTES
from recordings.states import State
from web.doctor import Level
from web.doctor_recordings import RecordingFacts, examine_recordings

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEAPT = Seen(NOW, NOW, NOW - timedelta(days=400))
NOTHING = dict.fromkeys(State, 0)
WHOLE = dict.fromkeys(Lack, 0)
FINE = RecordingFacts(
    figures=Figures(NOTHING | {State.STORED: 3}, stored_bytes=2_500_000_000, unstored=0, undestroyed=0),
    place="the data directory",
    problem=None,
    lost=WHOLE,
    clock=Seen(NOW),
    free_bytes=RESERVE_BYTES,
)


def figures(**changed: object) -> Figures:
    return dataclasses.replace(FINE.figures, **changed)  # type: ignore[arg-type]  # a case names its fields


def test_all_is_well() -> None:
    [found] = examine_recordings(FINE)
    assert (found.level, found.text) == (Level.FINE, "3 recordings are stored in the data directory, 2.5 GB.")


@pytest.mark.parametrize(
    ("facts", "said"),
    [
        (dataclasses.replace(FINE, figures=figures(unstored=2)), "2 ended more than an hour ago"),
        (dataclasses.replace(FINE, figures=figures(undestroyed=1)), "1 should have been destroyed"),
        (dataclasses.replace(FINE, figures=figures(states=NOTHING | {State.BROKEN: 4})), "4 do not hold"),
        (dataclasses.replace(FINE, lost=WHOLE | {Lack.MEDIA: 1}), "1 stored files that rows tell of"),
        (dataclasses.replace(FINE, lost=WHOLE | {Lack.KEY: 2}), "2 recordings have no key"),
        (
            dataclasses.replace(FINE, clock=LEAPT),
            "The clock was 2025-01-26 09:00 UTC, and at the next look 2026-03-02 09:00 UTC: it leapt, or",
        ),
        (dataclasses.replace(FINE, clock=LEAPT), "is destroyed before 2026-03-03 09:00 UTC."),
        (dataclasses.replace(FINE, free_bytes=RESERVE_BYTES - 1), "Nothing is recorded: 255 MB are free"),
        (dataclasses.replace(FINE, problem="It is down.", lost=None), "does not answer: It is down."),
    ],
)
def test_what_is_wrong_is_said(facts: RecordingFacts, said: str) -> None:
    [wrong] = [one for one in examine_recordings(facts) if one.level is Level.WRONG]
    assert said in wrong.text


def test_a_clock_that_leapt_where_there_is_no_recording_holds_nothing_up() -> None:
    [found] = examine_recordings(dataclasses.replace(FINE, clock=LEAPT, figures=figures(states=NOTHING)))
    assert found.level is Level.FINE


def test_a_bucket_that_was_not_asked_is_no_fault() -> None:
    [found] = examine_recordings(dataclasses.replace(FINE, lost=None))
    assert found.level is Level.NOTE
