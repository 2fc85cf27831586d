"""Loss, reordering, jitter, round trips, key frames and silence, from tables."""

from __future__ import annotations

import random
import struct

import pytest

from media.keyframes import begins_key_frame, payload_offset
from media.observe import Stream, Totals, Window
from media.rtcp import ReportBlock, SenderReport, picture_loss, read_reports, receiver_report
from media.silence import silence_limit_s


def arrive(sequences: list[int]) -> Stream:
    stream = Stream(1, 111, sequences[0])
    for index, sequence in enumerate(sequences):
        stream.packet(sequence & 0xFFFF, index * 960, index * 0.02)
    return stream


@pytest.mark.parametrize(
    ("sequences", "expected", "lost", "reordered", "duplicates"),
    [
        ([5, 6, 7, 8], 4, 0, 0, 0),
        ([5, 8], 4, 2, 0, 0),
        ([5, 7, 6, 8], 4, 0, 1, 0),
        ([5, 6, 6, 7], 3, 0, 0, 1),
        ([65534, 65535, 65536, 65537], 4, 0, 0, 0),
        ([65535, 65538], 4, 2, 0, 0),
    ],
)
def test_gaps_are_loss_and_late_packets_are_not(
    sequences: list[int], expected: int, lost: int, reordered: int, duplicates: int
) -> None:
    stream = arrive(sequences)
    found = (stream.expected, stream.lost, stream.reordered, stream.duplicates)
    assert found == (expected, lost, reordered, duplicates)


def test_jitter_follows_rfc_3550() -> None:
    source = random.Random(7)
    stream, want, before = Stream(1, 111, 0), 0.0, None
    for index in range(500):
        at = index * 0.02 + source.random() * 0.01
        stream.packet(index, index * 960, at)
        transit = at * 48000 - index * 960
        if before is not None:
            want += (abs(transit - before) - want) / 16
        before = transit
    assert stream.jitter == pytest.approx(want)
    assert 1 < stream.jitter_ms < 6


def test_a_jump_of_the_time_stamp_is_not_jitter() -> None:
    stream = arrive([1, 2, 3])
    stream.packet(4, 3_000_000_000, 0.08)
    assert stream.jitter_ms < 1


def test_the_round_trip_is_read_from_reports_that_pass() -> None:
    stream = arrive([1, 2])
    stream.sender_report(SenderReport(1, 0xAABBCCDD, 0), now=10.0)
    block = ReportBlock(1, 0, 2, 0, last_report=0xAABBCCDD, delay=65536 // 2)
    assert stream.receiver_report(block, now=10.58) == pytest.approx(80.0)
    assert stream.receiver_report(ReportBlock(1, 0, 2, 0, 1, 0), now=11.0) is None
    assert stream.receiver_report(block, now=10.1) is None


def test_percentages_are_of_the_last_ten_seconds() -> None:
    window = Window()
    assert window.loss_up_pct() is None
    for second in range(30):
        lost = 0 if second < 25 else (second - 24) * 10
        window.add(Totals(at=second, expected=second * 100, lost=lost, bytes_up=second * 1000, bytes_down=0))
    assert window.loss_up_pct() == pytest.approx(5.0)
    assert window.kbps() == pytest.approx((8.0, 0.0))


def report(*, lost: int) -> bytes:
    block = struct.pack("!IIIIII", 99, lost & 0xFFFFFF, 7, 8, 9, 10)
    return struct.pack("!BBHIIIIII", 0x81, 200, 12, 5, 0x11112222, 0x33334444, 6, 0, 0) + block


def test_a_compound_is_read_and_a_torn_one_ends_it() -> None:
    data = report(lost=-3) + receiver_report(4) + picture_loss(1, 2)
    found = list(read_reports(data))
    assert found == [SenderReport(5, 0x22223333, 6), ReportBlock(99, -3, 7, 8, 9, 10)]
    for cut in range(len(data)):
        assert len(list(read_reports(data[:cut]))) <= 2
    for seed in range(2_000):
        list(read_reports(random.Random(seed).randbytes(seed % 120)))


HEADER = struct.pack("!BBHII", 0x80, 96, 1, 0, 1)


@pytest.mark.parametrize(
    ("number", "payload", "begins"),
    [
        (96, "10 00", True),
        (96, "10 01", False),
        (96, "00 00", False),
        (96, "11 00", False),
        (96, "90 80 81 23 00", True),
        (96, "90 f0 81 23 01 02 01", False),
        (96, "90", False),
        (98, "08 00", True),
        (98, "48 00", False),
        (100, "65 00", True),
        (100, "67 00", True),
        (100, "41 00", False),
        (100, "7c 85", True),
        (100, "7c 05", False),
        (100, "78 00 04 67", True),
        (102, "18 00", True),
        (102, "10 00", False),
    ],
)
def test_key_frames_are_known_by_their_first_bytes(number: int, payload: str, begins: bool) -> None:
    packet = memoryview(HEADER + bytes.fromhex(payload))
    assert begins_key_frame(packet, number) is begins


def test_the_payload_is_found_behind_sources_and_extensions() -> None:
    extended = bytes([0x92]) + HEADER[1:] + b"c" * 8 + struct.pack("!HH", 0xBEDE, 1) + b"eeee" + b"p"
    assert payload_offset(memoryview(extended)) == 28
    assert payload_offset(memoryview(extended[:-1])) is None
    assert payload_offset(memoryview(extended[:21])) is None


@pytest.mark.parametrize(
    ("expects", "last", "loss_pct", "limit"),
    [
        (True, 99.0, None, 1.0),
        (True, 99.0, 2.0, 1.0),
        (True, 99.0, 2.1, 1.4),
        (True, 94.0, 0.0, 15.0),
        (True, None, 0.0, 15.0),
        (False, 99.9, 50.0, 15.0),
    ],
)
def test_silence_counts_only_against_what_is_expected(
    expects: bool, last: float | None, loss_pct: float | None, limit: float
) -> None:
    asked = silence_limit_s(expects_audio=expects, last_audio_at=last, loss_pct=loss_pct, now=100.0)
    assert asked == limit
