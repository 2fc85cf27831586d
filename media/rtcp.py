"""RTCP (RFC 3550, section 6; RFC 4585): what the relay reads in passing, and the little it writes."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

SENDER_REPORT = 200
RECEIVER_REPORT = 201
PAYLOAD_FEEDBACK = 206
PICTURE_LOSS = 1

_HEADER = struct.Struct("!BBH")
_BLOCK = struct.Struct("!IIIIII")


@dataclass(frozen=True, slots=True)
class SenderReport:
    """``middle`` is the middle 32 bits of the NTP time stamp, as receiver reports echo it."""

    ssrc: int
    middle: int
    rtp_time: int


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """One report block (RFC 3550, 6.4.1). ``delay`` (DLSR) is in units of 1/65536 s."""

    ssrc: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


def read_reports(data: bytes | memoryview) -> Iterator[SenderReport | ReportBlock]:
    """Yield the sender reports and report blocks of a compound packet; stop where it is malformed."""
    at, end = 0, len(data)
    while at + 8 <= end:
        first, packet_type, words = _HEADER.unpack_from(data, at)
        until = at + 4 * (words + 1)
        if first >> 6 != 2 or until > end:
            return
        blocks = at + 8
        if packet_type == SENDER_REPORT and until - at >= 28:
            ssrc, seconds, fraction, rtp_time = struct.unpack_from("!IIII", data, at + 4)
            yield SenderReport(ssrc, ((seconds & 0xFFFF) << 16) | fraction >> 16, rtp_time)
            blocks = at + 28
        if packet_type in (SENDER_REPORT, RECEIVER_REPORT):
            for index in range(first & 31):
                start = blocks + 24 * index
                if start + 24 > until:
                    return
                yield _read_block(data, start)
        at = until


def _read_block(data: bytes | memoryview, at: int) -> ReportBlock:
    ssrc, loss, highest, jitter, last_report, delay = _BLOCK.unpack_from(data, at)
    lost = loss & 0xFFFFFF
    if lost & 0x800000:
        lost -= 1 << 24
    return ReportBlock(ssrc, lost, highest, jitter, last_report, delay)


def picture_loss(sender: int, media: int) -> bytes:
    """Return a Picture Loss Indication (RFC 4585, 6.3.1) behind the report that a compound needs."""
    return receiver_report(sender) + struct.pack(
        "!BBHII", 0x80 | PICTURE_LOSS, PAYLOAD_FEEDBACK, 2, sender, media
    )


def receiver_report(sender: int) -> bytes:
    """Return a receiver report without blocks: a sign of life, 8 bytes."""
    return struct.pack("!BBHI", 0x80, RECEIVER_REPORT, 1, sender)
