"""The ring of seconds: what goes in comes out, the oldest gives way, and it stays small."""

from __future__ import annotations

import random
import tracemalloc

import pytest

from media.ring import SECONDS, Ring, Second


def some_second(source: random.Random, at_s: int) -> Second:
    return Second(
        at_s=at_s,
        packets_up=source.randrange(500),
        bytes_up=source.randrange(10**6),
        expected_up=source.randrange(500),
        lost_down=source.randrange(-50, 50),
        rtt_ms=source.choice([None, source.randrange(60_000)]),
        delay_up_ms=source.choice([None, 0, source.randrange(5_000)]),
        cut=source.random() < 0.1,
    )


def test_what_goes_in_comes_out_in_order() -> None:
    source, ring = random.Random(3), Ring()
    kept = [some_second(source, at_s) for at_s in range(SECONDS + 250)]
    for number, second in enumerate(kept):
        ring.add(second)
        assert ring.last(5) == kept[max(0, number - 4) : number + 1]
    assert len(ring) == SECONDS
    assert ring.last(10_000) == kept[-SECONDS:]
    assert ring.column("rtt_ms", 60) == [one.rtt_ms for one in kept[-60:] if one.rtt_ms is not None]


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (Second(1, packets_up=70_000), Second(1, packets_up=0xFFFE)),
        (Second(1, lost_down=-70_000, rtt_ms=-4), Second(1, lost_down=-0x8000, rtt_ms=0)),
        (Second(1, bytes_up=10**12), Second(1, bytes_up=0xFFFF_FFFE)),
    ],
)
def test_values_are_cut_to_what_a_column_holds(given: Second, kept: Second) -> None:
    ring = Ring()
    ring.add(given)
    assert ring.last(1) == [kept]


def test_two_lines_of_a_session_take_less_than_100_kb() -> None:
    source = random.Random(4)
    tracemalloc.start()
    rings = (Ring(), Ring())
    for at_s in range(2 * SECONDS):
        for ring in rings:
            ring.add(some_second(source, at_s))
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert taken < 100_000
    assert sum(ring.size_bytes for ring in rings) <= taken
