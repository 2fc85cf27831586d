"""Numbers of EBML, when key frames are asked for, and what a cutter holds back."""

from __future__ import annotations

import random

import pytest

from recordings.container import OPUS_TRACK, SIMPLE_BLOCK, Codec, Frame, Track, cluster, live_head
from recordings.cutter import MOST_BYTES, Cutter
from recordings.depacketize import Picture
from recordings.ebml import EbmlBroken, element, number, read_number, walk
from recordings.key_frames import KeyFrames
from recordings.log import MAX_RECORD_BYTES
from recordings.survey import Survey


@pytest.mark.parametrize(
    ("value", "written"),
    [(0, "80"), (126, "fe"), (127, "407f"), (16_382, "7ffe"), (16_383, "203fff"), (1 << 21, "10200000")],
)
def test_numbers_are_as_short_as_they_can_be(value: int, written: str) -> None:
    """RFC 8794, 4: all ones are reserved for an unknown size."""
    assert number(value).hex() == written
    assert read_number(bytes.fromhex(written), 0) == (value, len(written) // 2)


@pytest.mark.parametrize("junk", ["00", "ec", "ec82aa", "1a45", "40", "0000000000", "ec01ffff"])
def test_elements_that_are_none_are_refused(junk: str) -> None:
    with pytest.raises(EbmlBroken):
        list(walk(bytes.fromhex(junk)))


def test_whatever_bytes_a_record_holds_it_is_read_or_refused() -> None:
    source = random.Random(4)
    real = live_head([Track(Codec.VP8, 640, 360), OPUS_TRACK])
    for _ in range(3_000):
        data = bytearray(real)
        for _ in range(source.randrange(1, 6)):
            data[source.randrange(len(data))] = source.randrange(256)
        try:
            Survey().take(bytes(data))
        except EbmlBroken:
            continue


def test_an_element_stands_in_another() -> None:
    whole = element(0xA3, element(0xEC, b"x") + element(0xE7, b""))
    (outer,) = walk(whole)
    assert [(one.identifier, whole[one.content : one.end]) for one in walk(whole, outer.content)] == [
        (0xEC, b"x"),
        (0xE7, b""),
    ]


@pytest.mark.parametrize("size", [0, 1, 0x3FFA, 0x3FFB, 0x3FFC, 70_000])
def test_a_block_holds_a_frame_of_any_size(size: int) -> None:
    frames = [
        Frame(Codec.OPUS, 1_000, key=True, data=b"before"),
        Frame(Codec.VP8, 1_100, key=False, data=bytes(size)),
    ]
    made = cluster(frames)
    (outer,) = walk(made)
    blocks = [
        made[one.content : one.end] for one in walk(made, outer.content) if one.identifier == SIMPLE_BLOCK
    ]
    assert blocks == [b"\x82\x00\x00\x80before", b"\x81\x00\x64\x00" + bytes(size)]


def test_a_key_frame_is_asked_for_once_for_each_need() -> None:
    keys = KeyFrames()
    keys.want()
    assert not keys.due(0.0)  # nobody shows anything
    keys.seen(1.0)
    assert keys.due(1.0)
    assert not keys.due(1.5)
    keys.seen(2.0)
    assert keys.due(2.0)
    keys.came(2.1)
    keys.seen(11.9)
    assert not keys.due(11.9)
    keys.seen(12.2)
    assert keys.due(12.2)
    assert not keys.due(14.0)


def test_a_flood_of_key_frames_makes_few_records_and_no_large_one() -> None:
    cutter = Cutter()
    for at in range(1_000):
        cutter.picture(float(at), Picture(Codec.VP8, at, 0.0, bytes(50_000), key=True, width=64, height=64))
    cutter.cut()
    assert max(len(piece.plain) for piece in cutter.pieces) < MOST_BYTES + 100_000 < MAX_RECORD_BYTES
    assert len(cutter.pieces) < 20


def test_hours_of_nothing_are_a_small_record() -> None:
    cutter = Cutter()
    cutter.voice(0.0, b"\x78" + bytes(30))
    cutter.voice(4 * 3_600_000.0, b"\x78" + bytes(30))
    cutter.cut()
    assert max(len(piece.plain) for piece in cutter.pieces) < MAX_RECORD_BYTES / 2
    assert cutter.pieces[-1].until_ms == 4 * 3_600_000 + 20


def test_more_pictures_than_milliseconds_run_no_further_ahead_than_a_second() -> None:
    cutter = Cutter()
    for place in range(40_000):
        cutter.picture(0.0, Picture(Codec.VP8, place, 0.0, b"x", key=place == 0, width=64, height=64))
    cutter.cut()
    assert max(piece.until_ms for piece in cutter.pieces) <= 1_100
