"""Descriptors of every form, pictures that are whole, and those that are not."""

from __future__ import annotations

import itertools
import random

import pytest

from recordings.av1 import Av1
from recordings.container import Codec
from recordings.depacketize import MOST_BYTES, Picture, Pictures, Vp8, Vp9
from recordings.reorder import Packet
from tests.recordings.coded import pictures
from tests.recordings.sending import PACKETIZERS

KINDS: dict[Codec, type[Pictures]] = {Codec.VP8: Vp8, Codec.VP9: Vp9, Codec.AV1: Av1}
KEY_VP8 = b"\x10\x02\x00\x9d\x01\x2a\x80\x02\x68\x41" + b"rest"  # 640x360, scaled 1 upwards
KEY_VP9 = bytes.fromhex("824983420027f01670") + b"rest"  # profile 0, 640x360


def packet(payload: bytes, *, stamp: int = 1, marker: bool = True, after_loss: bool = False) -> Packet:
    return Packet(stamp, marker, 96, payload, 0.0, after_loss)


def only(kind: Pictures, *packets: Packet) -> list[Picture]:
    return [picture for one in packets if (picture := kind.take(one)) is not None]


@pytest.mark.parametrize(
    "descriptor",
    ["10", "9000", "908005", "90808005", "904007", "902041", "90104f", "90e0050741", "90f080050741", "b000"],
)
def test_vp8_descriptors_of_every_length(descriptor: str) -> None:
    """RFC 7741, 4.2: X, then I with 7 or 15 bits, L, and T or K."""
    (picture,) = only(Vp8(), packet(bytes.fromhex(descriptor) + KEY_VP8))
    assert picture.data == KEY_VP8
    assert (picture.key, picture.width, picture.height) == (True, 640, 360)


@pytest.mark.parametrize(
    "descriptor",
    [
        *("08", "880f", "88800f", "2820ff", "3820", "a80f20ff"),
        *("0a00", "0a1002800168", "0a08010401", "0a080208010100", "0a3802800168014000b40100"),
    ],
)
def test_vp9_descriptors_of_every_length(descriptor: str) -> None:
    """RFC 9628, 4.2: I, L with and without F, and the scalability structure."""
    (picture,) = only(Vp9(), packet(bytes.fromhex(descriptor) + KEY_VP9))
    assert picture.data == KEY_VP9
    assert (picture.key, picture.width, picture.height) == (True, 640, 360)


def test_vp9_reference_indices_are_passed_over() -> None:
    kind = Vp9()
    assert only(kind, packet(b"\x08" + KEY_VP9, stamp=1))
    for stamp, indices in enumerate(("02", "0302", "030302", "030303"), 2):
        later = b"\x86rest"
        (picture,) = only(kind, packet(bytes.fromhex("58" + indices) + later, stamp=stamp))
        assert (picture.data, picture.key) == (later, False)


def test_vp9_layers_of_a_picture_stay_together() -> None:
    first, second = packet(b"\x2c\x00\xff" + KEY_VP9, marker=False), packet(b"\x2c\x02\xffmore")
    (picture,) = only(Vp9(), first, second)
    assert picture.data == KEY_VP9 + b"more"


@pytest.mark.parametrize("codec", list(KINDS))
def test_what_was_cut_into_packets_comes_out_whole(codec: Codec) -> None:
    coded, kind = pictures(codec, 20, size=(640, 360), keys=10), KINDS[codec]()
    for number, one in enumerate(coded):
        payloads = PACKETIZERS[codec](one, number)
        packets = [packet(p, stamp=number, marker=i == len(payloads) - 1) for i, p in enumerate(payloads)]
        (picture,) = only(kind, *packets)
        if codec is not Codec.AV1:
            assert picture.data == one.data
        assert (picture.key, picture.timestamp) == (one.key, number)
        if one.key:
            assert (picture.width, picture.height) == (640, 360)


@pytest.mark.parametrize("codec", list(KINDS))
@pytest.mark.parametrize("where", ["first", "middle", "last"])
def test_a_picture_that_lost_a_packet_is_left_out_and_all_up_to_the_next_key_frame(
    codec: Codec, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tests.recordings.sending.MTU", 30)
    coded, kind = pictures(codec, 30, size=(640, 360), keys=10), KINDS[codec]()
    came = list[int]()
    for number, one in enumerate(coded):
        payloads = PACKETIZERS[codec](one, number)
        lost = {"first": 0, "middle": len(payloads) // 2, "last": len(payloads) - 1}[where]
        gap = False
        for index, payload in enumerate(payloads):
            if number == 10 and index == lost:
                gap = True
                continue
            marker = index == len(payloads) - 1
            after = gap or (number == 11 and index == 0 and where == "last")
            if kind.take(packet(payload, stamp=number, marker=marker, after_loss=after)) is not None:
                came.append(number)
            gap = False
    assert len(PACKETIZERS[codec](coded[10], 10)) > 2
    back = next(number for number in range(11, 30) if coded[number].key)
    assert came == [*range(10), *range(back, 30)]


def test_nothing_comes_out_before_the_first_key_frame() -> None:
    kind = Vp8()
    assert only(kind, packet(b"\x10\x11rest", stamp=1)) == []
    assert kind.broken
    assert len(only(kind, packet(b"\x10" + KEY_VP8, stamp=2), packet(b"\x10\x11rest", stamp=3))) == 2


def test_a_picture_without_an_end_grows_up_to_a_bound() -> None:
    kind = Vp8()
    kind.take(packet(b"\x10" + KEY_VP8, marker=False))
    for _ in range(MOST_BYTES // 1_000 + 5):
        assert kind.take(packet(b"\x00" + bytes(1_000), marker=False)) is None
    assert kind.take(packet(b"\x00" + bytes(1_000))) is None
    assert len(only(kind, packet(b"\x10" + KEY_VP8, stamp=2))) == 1


@pytest.mark.parametrize("codec", list(KINDS))
def test_av1_and_the_others_refuse_junk_without_a_sound(codec: Codec) -> None:
    source, kind = random.Random(7), KINDS[codec]()
    real = list(itertools.chain(*(PACKETIZERS[codec](one, 0) for one in pictures(codec, 3))))
    for turn in range(3_000):
        payload = bytearray(source.choice(real))
        for _ in range(source.randrange(4)):
            payload[source.randrange(len(payload))] = source.randrange(256)
        kind.take(
            packet(
                bytes(payload[: source.randrange(len(payload) + 1)]), stamp=turn // 2, marker=turn % 2 == 1
            )
        )
    kind.take(packet(b"", after_loss=True))
    (fresh,) = pictures(codec, 1)
    payloads = PACKETIZERS[codec](fresh, 1)
    packets = [packet(p, stamp=9_999, marker=i == len(payloads) - 1) for i, p in enumerate(payloads)]
    assert len(only(kind, *packets)) == 1


def test_av1_units_get_sizes_and_delimiters_go() -> None:
    """AV1 RTP specification, 4.4: two OBUs in one packet, the second without a length (W is 2)."""
    kind = Av1()
    (coded,) = pictures(Codec.AV1, 1)
    (sequence, frame) = [payload[1:] for payload in PACKETIZERS[Codec.AV1](coded, 0)]
    aggregated = bytes([0x28, len(sequence)]) + sequence + frame
    delimiter = b"\x12\x00"
    (picture,) = only(kind, packet(aggregated))
    assert picture.data == coded.data.removeprefix(delimiter)
    assert picture.private[:1] == b"\x81"
    assert sequence[1:] in picture.private
