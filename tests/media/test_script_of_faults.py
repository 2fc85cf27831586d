"""What a line does not lose altogether: each fault of the script is seen, and laid at the right door."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from media.grading import ORDER, Grade
from tests.media.two_lines import TwoLines
from tests.netem.faults import Deed, Fault, Kind, Side, script
from tests.netem.model import CLEAN

# The breaks are not the line's seconds' to name, and have their own tests; real browsers do all of them.
FAULTS = [one for one in script() if one.deed is Deed.LINE and one.kind is not Kind.CUT]
RIGHT_SHARE = 0.9


def named(fault: Fault, *, seed: int) -> Iterator[tuple[Grade, Side, str]]:
    """Each grade below good that either line got: which, whose, and for what."""
    call = TwoLines(seed=seed, video=fault.mode == "video")
    sides = dict(zip((Side.CLIENT, Side.COUNSELOR), call.sides, strict=True))
    call.run(8)
    before = {side: one.line.steady.grade for side, one in sides.items()}
    call.set(sides[fault.side], fault.up, fault.down)
    for second in range(int(fault.seconds) + 3):
        if second == int(fault.seconds):
            call.set(sides[fault.side], CLEAN, CLEAN)
        call.run(1)
        for side, one in sides.items():
            grade, cause = one.line.steady.grade, one.line.cause
            if grade is not before[side] and grade is not Grade.GOOD:
                yield grade, side, cause.kind.value if cause is not None else ""
            before[side] = grade


@pytest.fixture(scope="module")
def found() -> dict[Fault, list[tuple[Grade, Side, str]]]:
    """What was named in each."""
    return {fault: list(named(fault, seed=1)) for fault in FAULTS}


def test_each_fault_is_seen_and_blamed_on_nobody_else(
    found: dict[Fault, list[tuple[Grade, Side, str]]],
) -> None:
    assert len(FAULTS) >= 30
    for fault, grades in found.items():
        assert {side for _, side, _ in grades} == {fault.side}, fault.name


def test_nine_of_ten_are_named_by_what_they_are(found: dict[Fault, list[tuple[Grade, Side, str]]]) -> None:
    wrong = []
    for fault, grades in found.items():
        # Of the worst grade the first, as the report has it.
        worst = max(grades, key=lambda one: ORDER[one[0]])
        if worst[2] != fault.kind:
            wrong.append(f"{fault.name}: {worst[2]}")
    assert len(wrong) <= (1 - RIGHT_SHARE) * len(FAULTS), wrong
