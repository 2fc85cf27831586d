from __future__ import annotations

from datetime import UTC, datetime

import pytest

from media.events import LegId, LegSample
from media.grading import Grade
from signaling.chat import MAX_BYTES, MAX_LINES, Transcript
from signaling.client_messages import Candidate, QualityReport
from signaling.device import describe
from signaling.grades import grade
from signaling.quality_log import Meter, clamped
from signaling.refs import MAX_REFS, Refs
from signaling.server_messages import Error, Ok, encode
from signaling.wire import MAX_QUEUED_BYTES
from tests.signaling.relay import sample

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEG = LegId("l")


@pytest.mark.parametrize(
    ("one", "expected", "graded"),
    [
        (sample(LEG), True, Grade.GOOD),
        (sample(LEG, rtt_ms=None, loss_up_pct=None, loss_down_pct=None, silent_ms=None), True, Grade.GOOD),
        (sample(LEG, loss_up_pct=3.0), True, Grade.GOOD),
        (sample(LEG, loss_up_pct=3.1), True, Grade.FAIR),
        (sample(LEG, loss_down_pct=8.1), True, Grade.POOR),
        (sample(LEG, rtt_ms=301), True, Grade.FAIR),
        (sample(LEG, rtt_ms=701), True, Grade.POOR),
        (sample(LEG, silent_ms=3_000), True, Grade.LOST),
        (sample(LEG, silent_ms=3_000), False, Grade.GOOD),
    ],
)
def test_grades(one: LegSample, graded: Grade, *, expected: bool) -> None:
    assert grade(one, rtt_ms=one.rtt_ms, expected=expected) is graded


def test_a_transcript_of_control_characters_stays_small_enough_to_be_sent_at_once() -> None:
    transcript = Transcript()
    for _ in range(100):
        transcript.say(sender="p", ref="r", text="\x01" * 4_000, tag="", now=NOW)
    sent = sum(len(encode(line, seq=1)) for line in transcript.lines)
    assert MAX_BYTES / 2 < sent < 1.1 * MAX_BYTES < MAX_QUEUED_BYTES


@pytest.mark.parametrize(
    ("agent", "device"),
    [
        ("Mozilla/5.0 (Android 14; Mobile; rv:140.0) Gecko/140.0 Firefox/140.0", "Firefox, Android"),
        ("Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 Chrome/138.0 Safari/537.36", "Chrome, Linux"),
        ("Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) CriOS/138 Safari/604", "Chrome, iPhone"),
        ("<script>", "unknown"),
        ("", "unknown"),
    ],
)
def test_a_device_is_described_in_words_of_ours(agent: str, device: str) -> None:
    assert describe(agent) == device


def test_a_transcript_keeps_the_newest_lines() -> None:
    transcript = Transcript()
    for number in range(MAX_LINES + 5):
        transcript.say(sender="p", ref="r", text=str(number), tag="t", now=NOW)
    assert transcript.lines[0].text == "5"
    for _ in range(100):
        transcript.say(sender="p", ref="r", text="x" * 4_000, tag="t", now=NOW)
    assert sum(len(line.text) for line in transcript.lines) <= 256 * 1024


def test_refs_keep_the_newest_answers() -> None:
    refs = Refs()
    refs.keep("first", Error(code="x", message=""))
    for number in range(MAX_REFS):
        refs.keep(str(number), Ok(ref=str(number)))
    assert refs.answered("first") is None
    assert refs.answered("0") == Ok(ref="0")


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -1, 100_000])
def test_numbers_without_sense_are_unknown(value: float | None) -> None:
    assert clamped(value, most=60_000) is None


def test_a_report_stands_in_for_a_round_trip_for_a_while() -> None:
    meter = Meter()
    report = QualityReport(leg="l", rtt_ms=120, candidate=Candidate(network="wifi"))
    assert meter.report(report, 10.0)
    assert not meter.report(report, 10.4), "too soon"
    unknown = sample(LEG, rtt_ms=None)
    assert meter.rtt_ms(unknown, 20.0) == 120
    assert meter.rtt_ms(unknown, 60.0) is None
    assert meter.rtt_ms(sample(LEG, rtt_ms=7), 20.0) == 7
    assert meter.network == "wifi"


def test_bytes_of_former_legs_count() -> None:
    meter = Meter()
    former = sample(LEG)
    meter.close(bytes_up=former.bytes_up, bytes_down=former.bytes_down)
    assert meter.line(None, now_s=0.0, expected=True).bytes == 3_000
    assert meter.line(sample(LEG), now_s=0.0, expected=True).bytes == 6_000
