"""How long packets of Opus are, and what a RED payload holds."""

from __future__ import annotations

import random

import pytest

from recordings.voice import SILENCE, duration_ms, unpack_red


@pytest.mark.parametrize(
    ("packet", "ms"),
    [
        (b"", 0),
        *((bytes([configuration << 3]) + b"x", ms) for configuration, ms in enumerate((10, 20, 40, 60) * 3)),
        *((bytes([configuration << 3]) + b"x", ms) for configuration, ms in enumerate((10, 20) * 2, 12)),
        *(
            (bytes([configuration << 3]) + b"x", ms)
            for configuration, ms in enumerate((2.5, 5, 10, 20) * 4, 16)
        ),
        (b"\x79x", 40),
        (b"\x7ax", 40),
        (b"\x7b\x03x", 60),
        (b"\x7b", 0),
        (b"\x7b\x00", 0),
        (b"\x1b\x03x", 0),  # 180 ms: no packet is that long
        (SILENCE, 20),
    ],
)
def test_a_packet_says_how_long_it_is(packet: bytes, ms: float) -> None:
    """RFC 6716, 3.1 and 3.2."""
    assert duration_ms(packet) == ms


def red(*again: tuple[int, bytes], new: bytes) -> bytes:
    heads = b"".join(((0x80 | 111) << 24 | ago << 10 | len(data)).to_bytes(4, "big") for ago, data in again)
    return heads + bytes([111]) + b"".join(data for _, data in again) + new


def test_what_is_said_again_comes_first() -> None:
    payload = red((1920, b"older"), (960, b"old"), new=b"new")
    assert list(unpack_red(payload, 500)) == [
        (500 - 1920 & 0xFFFFFFFF, b"older"),
        (500 - 960 & 0xFFFFFFFF, b"old"),
        (500, b"new"),
    ]
    assert list(unpack_red(red((960, b""), new=b"new"), 960)) == [(960, b"new")]
    assert list(unpack_red(red(new=b"new"), 7)) == [(7, b"new")]


def test_what_is_malformed_is_nothing() -> None:
    whole = red((960, b"old"), new=b"new")
    for size in range(5 + len(b"old")):
        assert list(unpack_red(whole[:size], 0)) == []
    assert list(unpack_red(whole.replace(b"\xef", b"\xe0"), 0)) == []
    assert list(unpack_red(b"\x60new", 0)) == []
    source = random.Random(2)
    for _ in range(2_000):
        for stamp, data in unpack_red(source.randbytes(source.randrange(30)), source.getrandbits(32)):
            assert 0 <= stamp < 1 << 32
            assert data
