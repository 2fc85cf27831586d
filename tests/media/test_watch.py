"""Looking after a leg in time: when silence is told, and when it is only what the page was told to do."""

from __future__ import annotations

from collections import Counter

from media.dtls import generate_certificate
from media.events import LegId, LegInterrupted, MediaEvent
from media.forwarding import Forwarder
from media.leg import Leg
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
