"""A record of a session is read as a reader would, and each fault counts once."""

from __future__ import annotations

from bench.confusion import NOTHING, Said, Trial, Verdict, figures, kinds, matrix, sides, verdict, wrong
from tests.netem.faults import BOTH, DOWN, UP, Fault, Kind, Side

LOSS = Fault(Kind.LOSS, Side.CLIENT, "loss", 12.0, UP)
CUT = Fault(Kind.CUT, Side.COUNSELOR, "cut", 3.0)
SERVER = Fault(Kind.SERVER, Side.SERVER, "stands still", 3.0)


def grade(after_s: float, to: str, kind: str, direction: str = UP, side: str = "client") -> Said:
    return Said(after_s, "grade", side, kind, direction, to)


def test_the_worst_grade_tells_the_cause_and_of_equals_the_first() -> None:
    said = [grade(5, "fair", "jitter"), grade(7, "poor", "loss"), grade(9, "poor", "rate")]
    assert verdict(said) == Verdict("client", "loss", UP)


def test_an_interruption_tells_more_than_a_grade_and_its_end_more_than_its_beginning() -> None:
    broke_off = Said(1.2, "interrupted", "client", "cut", BOTH)
    over = Said(4.0, "resumed", "client", "udp_blocked", BOTH)
    assert verdict([broke_off, grade(3, "lost", "loss")]) == Verdict("client", "cut", BOTH)
    assert verdict([broke_off, grade(3, "lost", "loss"), over]) == Verdict("client", "udp_blocked", BOTH)


def test_a_way_that_changed_is_taken_for_the_cause_only_when_nothing_else_is_said() -> None:
    changed = Said(0.5, "path_changed", "client")
    assert verdict([changed]) == Verdict("client", "path_changed", BOTH)
    assert verdict([changed, grade(5, "fair", "loss")]) == Verdict("client", "loss", UP)


def test_a_record_that_blames_nothing_saw_nothing() -> None:
    assert verdict([]) is None
    assert verdict([Said(12, "grade", "client", grade="good"), Said(2, "socket_lost", "client")]) is None


def test_the_server_is_a_side_of_its_own_whoever_s_row_it_is() -> None:
    named = Verdict("client", "server", BOTH)
    assert named.is_right(SERVER)
    assert not named.names_side(LOSS)


def test_the_figures_count_each_fault_once() -> None:
    trials = [
        Trial(LOSS, (grade(5, "fair", "loss"), grade(8, "poor", "loss", DOWN))),
        Trial(CUT, (Said(1, "interrupted", "client", "cut", BOTH),)),
        Trial(SERVER, ()),
    ]
    table = {one.what.split(",")[0]: (one.measured, one.met) for one in figures(trials)}
    assert table == {
        "faults seen": ("2 of 3 (66.7%)", False),
        "side and kind named right (recall)": ("1 of 3 (33.3%)", False),
        "side named right": ("1 of 3 (33.3%)", None),
        "kind named right": ("2 of 3 (66.7%)", None),
        "way (up or down) named right": ("0 of 1 (0.0%)", None),
        "of all single accusations right (precision)": ("2 of 3 (66.7%)", None),
    }
    assert wrong(trials) == [
        "counselor: cut, video: client cut both",
        f"server: stands still, video: {NOTHING}",
    ]
    assert "| **loss** | 1 |" in kinds(trials)
    assert "| **counselor** | 1 |  |  |  |" in sides(trials)


def test_a_name_that_nobody_gave_a_fault_has_a_column_too() -> None:
    assert matrix([("a", "a"), ("a", "z"), ("b", NOTHING)], ["a", "b"]).splitlines() == [
        "| done \\ named | a | b | z | nothing |",
        "| --- | --- | --- | --- | --- |",
        "| **a** | 1 |  | 1 |  |",
        "| **b** |  |  |  | 1 |",
    ]
