"""Looking after a leg in time: when silence is told, and when it is only what the page was told to do."""

from __future__ import annotations

from collections import Counter

import pytest

from media.dtls import generate_certificate
from media.events import LegId, LegInterrupted, MediaEvent
from media.forwarding import Forwarder
from media.leg import Leg
from media.observe import Stream
from media.rtcp import ReportBlock
from media.watch import Watch


def test_a_break_of_one_side_was_told_as_one_of_the_other_too() -> None:
    """Its page sends nothing while it hears nothing, and again when it has been told that it may."""
    told: list[MediaEvent] = []
    watch = Watch(Forwarder(Counter(), told.append), told.append)
    leg = Leg(LegId("l_1"), generate_certificate(), 0.0)
    leg.connected = True
    leg.heard_at = leg.last_audio_at = 100.0
    leg.expect_audio(due=False, now=100.2)
    watch.look(leg, 102.0)
    leg.expect_audio(due=True, now=102.1)
    for tenth in range(9):
        watch.look(leg, 102.1 + tenth / 10)
    assert told == []
    seen = leg.seen(102.9)
    assert seen.unsaid_ms is not None
    assert seen.unsaid_ms < 1_000
    watch.look(leg, 103.2)
    assert told == [LegInterrupted(leg.id, 3_200)]


@pytest.mark.parametrize("hears", [True, False])
def test_who_says_nothing_and_hears_is_told_from_who_hears_nothing(*, hears: bool) -> None:
    one, other = (Leg(LegId(name), generate_certificate(), 0.0) for name in ("l_1", "l_2"))
    one.peer = other
    # The numbers wrap on the way.
    sent = other.streams[7] = Stream(7, 111, 65_400)
    reached = 65_400
    for second in range(1, 12):
        for _ in range(50):
            sent.packet((sent.sequence + 1) & 0xFFFF, sent.received * 960, float(second))
        if second <= 4:
            one.last_audio_at = float(second)
        if hears or second <= 3:
            reached = sent.sequence
        if second % 3 == 0:
            sent.receiver_report(ReportBlock(7, 0, reached, 0, 0, 0), float(second))
        seen = one.seen(float(second))
        assert seen.hears is (hears and second >= 6), second
    assert seen.unsaid_ms == 7_000
