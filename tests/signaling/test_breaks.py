"""Breaks of a line: told at once, ended with what is known by then, each with its cause."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from media.events import LegId, PathChanged, Seen, Transport
from signaling.breaks import Breaks, Noted, State

BEGAN = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
LEG = LegId("l_1")


class Story:
    """One side's line; every step names the second at which it happens."""

    def __init__(self, transport: Transport | None = Transport.UDP) -> None:
        self.breaks = Breaks(transport=transport)
        self.told: list[Noted] = []

    def at(self, now_s: float) -> tuple[datetime, float]:
        return BEGAN + timedelta(seconds=now_s), 1_000.0 + now_s

    def silent(self, now_s: float, gap_ms: int = 1_200) -> None:
        self.breaks.silent(gap_ms, *self.at(now_s))
        self.look(now_s)

    def back(self, now_s: float) -> None:
        self.breaks.back(*self.at(now_s))
        self.look(now_s)

    def closed(self, now_s: float, code: int | None) -> None:
        self.breaks.closed(code, *self.at(now_s))
        self.look(now_s)

    def heard(self, now_s: float) -> None:
        self.breaks.socket_heard(1_000.0 + now_s)

    def moved(
        self, transport: Transport = Transport.UDP, *, moved: bool = False, renewed: bool = False
    ) -> None:
        self.breaks.path_changed(PathChanged(LEG, transport, 4, first=False, moved=moved, renewed=renewed))

    def look(self, now_s: float, silent_ms: int | None = 0, **seen: float | None) -> None:
        self.told += self.breaks.look(Seen(at=now_s, **seen), silent_ms, *self.at(now_s))  # type: ignore[arg-type]  # fields by name

    @property
    def causes(self) -> list[tuple[str, object, object, object]]:
        return [
            (one.kind, one.detail["kind"], one.detail["direction"], one.detail["gap_ms"]) for one in self.told
        ]


@pytest.mark.parametrize(("lost", "direction"), [(0.0, "up"), (0.1, "up"), (0.9, "both"), (None, "both")])
def test_a_cut_is_told_at_once_and_its_way_with_the_first_report(lost: float | None, direction: str) -> None:
    story = Story()
    story.silent(1.2)
    story.back(5.0)
    assert [one[0] for one in story.causes] == ["interrupted"]
    story.look(5.5, gap_lost=lost)
    story.look(8.0)
    assert story.causes == [("interrupted", "cut", "both", 1_200), ("resumed", "cut", direction, 5_000)]
    assert story.told[1].at == BEGAN + timedelta(seconds=5)
    assert story.breaks.state is State.WHOLE


def test_a_page_that_hears_nothing_has_a_cut_way_down() -> None:
    story = Story()
    story.look(1.0, stalled_ms=1_000)
    story.look(2.0, stalled_ms=2_000)
    story.look(3.0, stalled_ms=3_000)
    story.look(6.0, stalled_ms=None)
    story.look(9.0)
    assert story.causes == [("interrupted", "cut", "down", 2_000), ("resumed", "cut", "down", 6_000)]


def test_a_line_that_died_while_its_way_down_was_cut_was_told_as_mended() -> None:
    story = Story()
    story.look(0.0, 20, stalled_ms=2_500)
    story.breaks.silent(1_200, *story.at(2.0))
    for second in range(3, 60):
        # What it reported last is too old to say anything after 8 s.
        stalled_ms = 2_500 + 1_000 * second if second <= 8 else None
        story.look(float(second), 1_000 * second, stalled_ms=stalled_ms, unsaid_ms=1_000 * second)
    assert [one.kind for one in story.told] == ["interrupted"]
    story.breaks.back(*story.at(60.0), gap_ms=59_000)
    story.look(63.0)
    assert story.causes[1:] == [("resumed", "cut", "down", 59_000)]


def test_voice_that_stops_though_checks_come_is_a_page_that_hears_nothing() -> None:
    story = Story()
    story.look(1.0, silent_ms=300, unsaid_ms=2_600)
    assert story.causes == [("interrupted", "cut", "down", 2_600)]
    quiet = Story()
    quiet.look(1.0, silent_ms=300, unsaid_ms=None)
    quiet.look(2.0, silent_ms=300, unsaid_ms=900)
    assert quiet.causes == []


def test_a_microphone_that_gives_nothing_was_told_as_a_line_that_is_cut() -> None:
    story = Story()
    for second in range(1, 60):
        story.look(float(second), silent_ms=300, unsaid_ms=1_000 * second, hears=True)
    assert story.causes == []
    late = Story()
    late.look(3.0, silent_ms=300, unsaid_ms=3_000)
    for second in range(7, 60):
        late.look(float(second), silent_ms=300, unsaid_ms=1_000 * second, hears=True)
    assert late.causes == [("interrupted", "cut", "down", 3_000), ("resumed", "cut", "down", 7_000)]


def test_media_that_stops_while_the_socket_lives_is_blocked_udp() -> None:
    story = Story()
    story.heard(0.8)
    story.silent(1.2)
    story.moved(Transport.TCP, renewed=True)
    story.back(3.0)
    story.look(6.0)
    assert story.causes == [
        ("interrupted", "udp_blocked", "both", 1_200),
        ("resumed", "udp_blocked", "both", 3_000),
    ]


def test_what_came_over_the_socket_before_the_break_proves_nothing() -> None:
    story = Story()
    story.heard(0.1)
    story.silent(1.2)
    assert story.causes == [("interrupted", "cut", "both", 1_200)]


@pytest.mark.parametrize(
    ("moved", "renewed", "reset", "kind"),
    [
        (False, False, False, "path_changed"),  # the NAT forgot: another port, and nobody asked
        (True, True, False, "path_changed"),  # another address
        (False, True, True, "path_changed"),  # sockets reset with the media
        (False, True, False, "cut"),  # only the restart's own new port
    ],
)
def test_a_new_way_is_told_from_a_restart_on_the_old_one(
    kind: str, *, moved: bool, renewed: bool, reset: bool
) -> None:
    story = Story()
    if reset:
        story.closed(0.3, 1006)
    story.silent(1.2)
    story.moved(moved=moved, renewed=renewed)
    story.back(4.0)
    story.look(7.0)
    assert story.causes[-1][1] == kind


def test_a_page_that_goes_away_is_told_by_its_close_code() -> None:
    story = Story()
    story.closed(1.0, 1001)
    story.silent(2.2)
    assert story.causes == [("interrupted", "browser_closed", "both", 0)]
    story.back(4.0)
    story.look(7.0)
    assert story.causes[-1] == ("resumed", "browser_closed", "both", 3_000)


@pytest.mark.parametrize("code", [1000, 1005, 1006, None])
def test_any_other_end_of_a_socket_breaks_no_line(code: int | None) -> None:
    story = Story()
    story.closed(1.0, code)
    assert story.causes == []


def test_without_media_a_page_that_goes_breaks_no_line() -> None:
    story = Story(transport=None)
    story.closed(1.0, 1001)
    assert story.causes == []


def test_what_breaks_while_the_server_stood_still_is_the_servers() -> None:
    story = Story()
    story.breaks.stood(1_003.0)
    story.silent(4.0, gap_ms=3_500)
    assert story.causes == [("interrupted", "server", "both", 3_500)]


def test_what_a_page_misses_behind_a_standstill_ends_too() -> None:
    story = Story()
    story.breaks.stood(1_003.0)
    story.look(4.0, stalled_ms=2_500)
    story.look(6.0)
    story.look(9.0)
    assert story.causes == [("interrupted", "server", "both", 2_500), ("resumed", "server", "both", 4_500)]


def test_what_comes_back_over_udp_was_not_blocked() -> None:
    story = Story()
    story.heard(0.8)
    story.silent(1.2)
    story.back(2.0)
    story.look(2.5, gap_lost=0.0)
    assert [one[1] for one in story.causes] == ["udp_blocked", "cut"]


def test_a_page_that_is_back_may_take_a_while_to_speak() -> None:
    story = Story()
    story.silent(1.2)
    story.moved(Transport.TCP, renewed=True)
    story.back(2.8)
    story.look(3.5, unsaid_ms=3_400)
    story.look(5.5)
    assert [one[:2] for one in story.causes] == [("interrupted", "cut"), ("resumed", "udp_blocked")]


def test_who_leaves_has_no_broken_line() -> None:
    story = Story()
    story.silent(1.2)
    story.breaks.left()
    story.look(5.0)
    story.back(6.0)
    story.look(9.0)
    assert [one[0] for one in story.causes] == ["interrupted"]


def test_a_second_break_ends_the_first() -> None:
    story = Story()
    story.silent(1.2)
    story.back(3.0)
    story.silent(5.2)
    assert [one[0] for one in story.causes] == ["interrupted", "resumed", "interrupted"]
    story.silent(6.0)
    assert len(story.causes) == 3
