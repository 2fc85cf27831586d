"""Meters: what browsers say is clamped, bytes of all legs count, and lies raise no alarm."""

from __future__ import annotations

import random

import pytest

from media.events import LegId, Seen
from media.grading import Grade
from signaling.browser_reports import BrowserReports, clamped
from signaling.client_messages import Candidate, Inbound, QualityReport
from signaling.quality_log import Meter
from tests.signaling.relay import sample

LEG, NEXT = LegId("l_1"), LegId("l_2")


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), float("-inf"), -1, 100_000, 1e308])
def test_numbers_without_sense_are_unknown(value: float | None) -> None:
    assert clamped(value, most=60_000) is None


def test_a_report_stands_in_for_a_round_trip_for_a_while() -> None:
    meter = Meter()
    report = QualityReport(leg="l", rtt_ms=120, candidate=Candidate(network="wifi"))
    assert meter.report(report, 10.0)
    assert not meter.report(report, 10.4), "too soon"
    meter.take(sample(LEG, rtt_ms=None), 20.0)
    assert meter.rtt_ms(20.0) == 120
    assert meter.rtt_ms(60.0) is None
    meter.take(sample(LEG, rtt_ms=7), 61.0)
    assert meter.rtt_ms(61.0) == 7
    assert meter.reports.network == "wifi"


def test_bytes_of_all_legs_count_once() -> None:
    meter = Meter()
    meter.take(sample(LEG), 1.0)
    meter.take(sample(NEXT), 2.0)
    assert (meter.bytes_up, meter.bytes_down) == (2_000, 4_000)
    meter.close(LEG, bytes_up=1_500, bytes_down=2_500)
    assert (meter.bytes_up, meter.bytes_down) == (2_500, 4_500)
    meter.take(None, 3.0)
    assert meter.quality(3.0).bytes == 7_000
    assert meter.quality(3.0).grade is None


def picture(freezes: float | None, freeze_ms: float | None, leg: str = "l_1") -> QualityReport:
    return QualityReport(leg=leg, inbound=[Inbound(kind="video", freezes=freezes, freeze_ms=freeze_ms)])


def test_freezes_are_counted_over_legs_and_lies_are_cut() -> None:
    reports = BrowserReports()
    for at_s, report in (
        (0.0, picture(2, 900)),
        (2.0, picture(3, 2_400)),
        (4.0, picture(1, 300)),  # goes back: begins anew
        (6.0, picture(1, 300, leg="l_2")),
        (8.0, picture(None, None)),
    ):
        assert reports.take(report, at_s)
    assert reports.freezes == 4
    reports.take(picture(1e9, 1e9, leg="l_2"), 10.0)
    assert reports.freezes <= 4 + 2_000 / 150


def test_the_first_lie_of_a_page_was_believed() -> None:
    """Before it there was no time in which anything could freeze; ``freezes`` is a smallint."""
    reports = BrowserReports()
    reports.take(picture(1e9, 1e9), 1_000.0)
    assert reports.freezes < 200
    reports.take(picture(1.0, 1e9, leg="l_2"), 2_000.0)
    assert reports.frozen_ms <= 2 * (25_000 + 3_000)


def test_counters_that_go_to_and_fro_froze_longer_than_it_was() -> None:
    reports = BrowserReports()
    for number in range(20):
        reports.take(picture(number, 0 if number % 2 else 1e9), number / 2)
    assert reports.frozen_ms <= 25_000 + 3_000 + 10_000


def test_a_freeze_is_told_when_it_is_long_and_not_too_often() -> None:
    meter = Meter()
    meter.report(picture(0, 0), 0.0)
    meter.report(picture(1, 900), 2.0)
    assert meter.frozen_ms(2.0) is None
    meter.report(picture(2, 2_500), 4.0)
    assert meter.frozen_ms(4.0) == 1_600
    meter.report(picture(3, 4_500), 6.0)
    assert meter.frozen_ms(6.0) is None
    assert meter.frozen_ms(14.0) == 2_000


def test_ten_short_freezes_were_told_as_one_of_a_second() -> None:
    meter = Meter()
    for number in range(12):
        meter.report(picture(number, 100 * number), 2.0 * number)
        assert meter.frozen_ms(2.0 * number) is None
    assert meter.reports.freezes == 11


def looked(unsaid_ms: int | None) -> Meter:
    """A side's meter after some seconds of a whole line; ``unsaid_ms`` since its last voice."""
    meter, peer = Meter(), Meter()
    for second in range(4):
        seen = Seen(at=float(second), rtts_ms=(35.0,), unsaid_ms=unsaid_ms)
        meter.take(sample(LEG, rtt_ms=35.0, seen=seen), float(second))
        meter.look(peer, now_s=float(second))
    return meter


@pytest.mark.parametrize(
    ("peer", "is_heard"),
    [
        (Meter(), False),  # alone
        (looked(None), False),  # muted, or in chat
        (looked(5_000), False),  # its line is cut
        (looked(20), True),
        (looked(420), True),  # DTX: comfort noise alone
    ],
)
def test_a_voice_that_nobody_hears_was_scored(peer: Meter, *, is_heard: bool) -> None:
    meter = looked(20)
    meter.look(peer, now_s=4.0)
    assert (meter.mos is not None) is is_heard
    assert (meter.quality(4.0).mos is not None) is is_heard


def hostile(source: random.Random) -> QualityReport:
    def number() -> float | None:
        kinds = (None, 0.0, -1.0, 1e308, float("nan"), float("inf"), source.random() * 1e6)
        return source.choice(kinds)

    streams = [
        Inbound(
            kind=source.choice(("audio", "video")),
            freezes=number(),
            freeze_ms=number(),
            concealed_pct=number(),
            buffer_ms=number(),
            fps=number(),
            height=number(),
        )
        for _ in range(source.randrange(8))
    ]
    candidate = Candidate(network=source.choice((None, "wifi", "<script>")))
    return QualityReport(
        leg="l_1", rtt_ms=number(), available_kbps=number(), candidate=candidate, inbound=streams
    )


def test_a_flood_of_lies_leaves_a_whole_line_good_and_a_row_that_can_be_kept() -> None:
    source, meter, peer = random.Random(9), Meter(), Meter()
    for tick in range(600):
        for _ in range(5):
            meter.report(hostile(source), tick / 2)
        if tick % 2:
            sent = 25 * tick
            seen = Seen(
                at=tick / 2, expected_up=sent, expected_down=sent, rtts_ms=(35.0,), voice=1, unsaid_ms=20
            )
            meter.take(sample(LEG, rtt_ms=35.0, seen=seen), tick / 2)
            assert not meter.look(peer, now_s=tick / 2)
    assert meter.grade is Grade.GOOD
    assert meter.reports.freezes <= 300 * 1000 / 150
    said = meter.reports
    assert all(
        value is None or 0 <= value < 1e8
        for value in (said.rtt_ms, said.available_kbps, said.buffer_ms, said.fps, said.height)
    )
    assert said.network in (None, "wifi")
