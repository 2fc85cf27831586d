"""Sequence headers of AV1 that somebody made to harm."""

from __future__ import annotations

import pytest

from recordings.av1_sequence import NotRead, read_sequence


def bits(text: str) -> bytes:
    text = text.replace(" ", "")
    return int(text.ljust(-(-len(text) // 8) * 8, "0"), 2).to_bytes(-(-len(text) // 8), "big")


TIMED = "000 0 0 1" + "0" * 64 + "1"
"""Profile 0, with timing information and equal intervals: what follows is a uvlc."""


def test_zeros_without_an_end_are_refused_at_once() -> None:
    with pytest.raises(NotRead, match="too large"):
        read_sequence(bits(TIMED) + bytes(2_000_000))


def test_nothing_behind_the_longest_header_is_looked_at() -> None:
    endless = bits(TIMED + "1" + "1" + "11111" + "0" * 42 + "0" + "11111") + b"\xff" * 2_000_000
    with pytest.raises(NotRead):
        read_sequence(endless[:20])
    header = read_sequence(endless)
    assert header.width > 0
