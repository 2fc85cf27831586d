"""Which gaps a story of events tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from core.ids import ParticipantId
from signaling.gaps import Blame, Gap, blame_of, gaps_of
from signaling.quality_record import SessionEvent

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
ME, OTHER = ParticipantId("p_1"), ParticipantId("p_2")
UNKNOWN = Blame("unknown", "unknown")
CUT = Blame("both", "cut")

Told = tuple[float, str, dict[str, Any]]


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def look(*told: Told, who: ParticipantId = ME) -> list[tuple[float, int, str, bool]]:
    events = [SessionEvent(after(at_s), who, kind, detail) for at_s, kind, detail in told]
    found = gaps_of(events, ME, until=after(100))
    return [((gap.began_at - NOW).total_seconds(), gap.gap_ms, str(gap.cause), gap.returned) for gap in found]


CAUSE = {"direction": "both", "kind": "cut"}


@pytest.mark.parametrize(
    ("told", "found"),
    [
        ([], []),
        (
            [(11.2, "interrupted", {"gap_ms": 1_200}), (14, "resumed", {"gap_ms": 4_003, **CAUSE})],
            [(9.997, 4_003, "both_cut", True)],
        ),
        (
            [(11.2, "interrupted", {"gap_ms": 1_200, **CAUSE}), (14, "resumed", {"gap_ms": 4_003})],
            [(9.997, 4_003, "both_cut", True)],
        ),
        # Never seen again.
        ([(90, "interrupted", {"gap_ms": 1_000})], [(89.0, 11_000, "unknown_unknown", False)]),
        # Began in chat, and the other side went to voice before the socket came again.
        (
            [
                (0, "mode", {"mode": "chat"}),
                (10, "socket_lost", {}),
                (12, "mode", {"mode": "voice"}),
                (14, "socket_resumed", {"gap_ms": 4_000}),
            ],
            [(10.0, 4_000, "unknown_unknown", True)],
        ),
        # Began before anything was known of its voice.
        (
            [(1, "socket_lost", {}), (2, "path_changed", {}), (3, "socket_resumed", {"gap_ms": 2_000})],
            [(1.0, 2_000, "unknown_unknown", True)],
        ),
        # Left while it was broken.
        (
            [
                (11, "interrupted", {"gap_ms": 1_000}),
                (20, "left_quickly", {}),
                (30, "resumed", {"gap_ms": 20_000}),
            ],
            [(10.0, 10_000, "unknown_unknown", False)],
        ),
        # A fresh leg takes over: what it was is known when it carries.
        (
            [
                (11, "interrupted", {"gap_ms": 1_000}),
                (14, "path_changed", {"first": True}),
                (15, "resumed", {"gap_ms": 5_000, **CAUSE}),
            ],
            [(10.0, 5_000, "both_cut", True)],
        ),
        # Told twice, counted once.
        (
            [
                (11, "interrupted", {"gap_ms": 1_000}),
                (12, "interrupted", {}),
                (13, "resumed", {"gap_ms": 3_000}),
            ],
            [(10.0, 3_000, "unknown_unknown", True)],
        ),
        # On in chat: what the voice's line does now is no gap of the talk, but a lost socket is.
        (
            [
                (11, "interrupted", {"gap_ms": 1_000}),
                (16, "mode", {"mode": "chat"}),
                (20, "resumed", {"gap_ms": 10_000}),
                (30, "interrupted", {"gap_ms": 1_000}),
                (40, "socket_lost", {}),
                (42, "socket_resumed", {"gap_ms": 2_000}),
            ],
            [(10.0, 6_000, "unknown_unknown", False), (40.0, 2_000, "unknown_unknown", True)],
        ),
        # A socket that is lost while the voice goes on.
        (
            [
                (1, "path_changed", {"first": True}),
                (40, "socket_lost", {}),
                (42, "socket_resumed", {"gap_ms": 2_000}),
            ],
            [],
        ),
        # Times that make no sense.
        (
            [(11, "interrupted", {"gap_ms": -5}), (10, "resumed", {"gap_ms": "long"})],
            [(10.0, 0, "unknown_unknown", True)],
        ),
    ],
)
def test_a_story_has_its_gaps(told: list[Told], found: list[tuple[float, int, str, bool]]) -> None:
    assert look(*told) == found


def test_without_a_voice_the_socket_is_the_line() -> None:
    told = [(40.0, "socket_lost", {}), (42.0, "socket_resumed", {"gap_ms": 2_000})]
    assert look(*told) == [(40.0, 2_000, "unknown_unknown", True)]
    voice: Told = (43.0, "mode", {"mode": "voice"})
    assert look(*told, voice, *told) == [(40.0, 2_000, "unknown_unknown", True)]


def test_the_gaps_of_the_other_are_theirs() -> None:
    assert look((11.0, "interrupted", {"gap_ms": 1_000}), who=OTHER) == []


def test_what_the_server_missed_is_a_gap_of_both_and_ends_no_other() -> None:
    server = {"gap_ms": 3_000, "direction": "both", "kind": "server"}
    story = [
        SessionEvent(after(at_s), who, kind, detail)
        for at_s, who, kind, detail in (
            (11.0, ME, "interrupted", {"gap_ms": 1_000}),
            (12.0, None, "interrupted", server),
            (15.0, None, "resumed", server),
            (16.0, ME, "resumed", {"gap_ms": 6_000, **CAUSE}),
        )
    ]
    mine, theirs = (gaps_of(story, who, until=after(100)) for who in (ME, OTHER))
    assert [(gap.gap_ms, str(gap.cause)) for gap in mine] == [(6_000, "both_cut")]
    assert [(gap.gap_ms, str(gap.cause)) for gap in theirs] == [(3_000, "both_server")]


def test_words_that_are_not_ours_are_no_cause() -> None:
    assert blame_of({"direction": "up", "kind": "loss"}) == Blame("up", "loss")
    assert blame_of({"direction": "sideways", "kind": ["loss"]}) == UNKNOWN
    assert Gap(NOW, 1, CUT, returned=True).cause == CUT
