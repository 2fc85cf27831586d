"""What a bad quarter of an hour cost each side, and what the record says of each fault in it."""

from __future__ import annotations

import math

from bench.coming_back import Row
from bench.confusion import Said
from bench.quarter import Played, in_chat_since, lost_s, silences, target_s, trials
from tests.netem.faults import Kind
from tests.netem.quarter import whole

LOSS = next(one for one in whole() if one.fault.kind is Kind.LOSS)
CUT = next(one for one in whole() if one.fault.kind is Kind.CUT)


def heard(*spans: tuple[float, float]) -> list[Row]:
    """Looks each 0.1 s; a packet came before each look that lies in a span."""
    rows: list[Row] = []
    packets = 0
    for tick in range(400):
        at = round(tick * 0.1, 1)
        packets += any(begins <= at <= ends for begins, ends in spans)
        rows.append((at, packets, "connected", 1))
    return rows


def test_what_lies_within_a_cut_is_not_held_against_the_way_back() -> None:
    cut = Played(CUT, began=10.0, over=18.0)
    assert lost_s(cut, heard((0, 10), (18.3, 40)), until=39.0) == 0.3
    assert lost_s(cut, heard((0, 10)), until=39.0) == math.inf
    assert target_s(Kind.CUT) == 0.3


def test_on_a_bad_line_the_longest_silence_counts() -> None:
    loss = Played(LOSS, began=10.0, over=20.0)
    assert lost_s(loss, heard((0, 12), (13.5, 40)), until=30.0) == 1.5


def test_what_is_said_belongs_to_the_fault_before_it() -> None:
    played = [Played(LOSS, 110.0, 120.0), Played(CUT, 130.0, 138.0)]
    said = [
        Said(2.0, "grade", "counselor", "rate", "up", "fair"),
        Said(15.0, "grade", "client", "loss", "down", "fair"),
        Said(31.3, "interrupted", "client", "cut", "both"),
    ]
    found = trials(played, said, ends=160.0, began=100.0)
    assert [one.said for one in found] == [(said[1],), (said[2],)]
    rows = [heard((0, 39))]
    lines = silences([Played(LOSS, 10.0, 20.0), Played(CUT, 22.0, 30.0)], rows, found, 39.0)
    assert [line.met for line in lines] == [True, True]
    assert "client loss down" in lines[0].what
    written = silences([Played(LOSS, 10.0, 20.0), Played(CUT, 22.0, 30.0)], rows, found, 39.0, in_chat=25.0)
    assert [(line.measured, line.met) for line in written] == [("0.10 s", True), ("in writing", None)]


def test_a_talk_is_in_writing_from_the_last_time_it_went_there() -> None:
    def mode(at: str, name: str) -> dict[str, object]:
        return {"kind": "mode", "at": f"2026-03-02T09:{at}Z", "detail": {"mode": name}}

    assert in_chat_since({"events": []}) == math.inf
    assert in_chat_since({"events": [mode("01:00", "chat"), mode("02:00", "voice")]}) == math.inf
    assert in_chat_since({"events": [mode("01:00", "voice"), mode("02:00", "chat")]}) == 1772442120.0
