"""The script of faults covers each kind on both sides, and does nothing but what it says."""

from __future__ import annotations

from tests.netem.faults import BOTH, DOWN, UP, Deed, Kind, Side, script
from tests.netem.model import CLEAN

SCRIPT = script()


def test_there_are_enough_faults_and_each_has_a_name_of_its_own() -> None:
    assert len(SCRIPT) >= 40
    assert len({fault.name for fault in SCRIPT}) == len(SCRIPT)


def test_each_kind_is_done_to_both_sides() -> None:
    done = {(fault.kind, fault.side) for fault in SCRIPT}
    people = {
        (kind, side) for kind in Kind if kind is not Kind.SERVER for side in (Side.CLIENT, Side.COUNSELOR)
    }
    assert done == people | {(Kind.SERVER, Side.SERVER)}


def test_a_fault_of_one_way_leaves_the_other_whole() -> None:
    for fault in SCRIPT:
        whole = {UP: fault.down, DOWN: fault.up}.get(fault.direction)
        if whole is not None:
            assert whole == CLEAN
            assert CLEAN not in {fault.up, fault.down} - {whole}


def test_only_what_is_done_to_a_line_or_the_server_has_an_end() -> None:
    for fault in SCRIPT:
        lasts = fault.deed in {Deed.LINE, Deed.STAND_STILL}
        assert (fault.seconds > 0) == lasts, fault.name
        assert lasts or fault.direction == BOTH
