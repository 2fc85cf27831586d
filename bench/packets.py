"""RTP and RTCP as a browser would write them: the offered header extensions, sender reports."""

from __future__ import annotations

import struct
import time

AUDIO_TYPE = 111
VIDEO_TYPE = 96
NTP_EPOCH_S = 2_208_988_800

# One-byte header extensions (RFC 8285): mid, audio level; mid, abs-send-time, transport-wide number.
_AUDIO = struct.Struct("!BBHIIHH4s")
_VIDEO = struct.Struct("!BBHIIHH12s")
_AUDIO_EXTENSIONS = b"\x10" + b"0" + b"\x40\x30"


def audio_packet(seq: int, stamp: int, ssrc: int, payload: bytes) -> bytes:
    """Write one Opus packet."""
    return (
        _AUDIO.pack(0x90, AUDIO_TYPE, seq, stamp & 0xFFFFFFFF, ssrc, 0xBEDE, 1, _AUDIO_EXTENSIONS) + payload
    )


def video_packet(seq: int, stamp: int, ssrc: int, wide: int, payload: bytes, *, last: bool) -> bytes:
    """Write one VP8 packet; ``last`` of its frame carries the marker."""
    extensions = b"\x10" + b"1" + b"\x22\x00\x00\x00" + b"\x31" + wide.to_bytes(2, "big") + b"\x00\x00\x00"
    marker = 0x80 if last else 0
    return (
        _VIDEO.pack(0x90, VIDEO_TYPE | marker, seq, stamp & 0xFFFFFFFF, ssrc, 0xBEDE, 3, extensions) + payload
    )


def sender_report(ssrc: int, stamp: int, packets: int, octets: int) -> bytes:
    """Write an SR without report blocks (RFC 3550, 6.4.1)."""
    now = time.time() + NTP_EPOCH_S
    return struct.pack(
        "!BBHIIIIII",
        0x80,
        200,
        6,
        ssrc,
        int(now) & 0xFFFFFFFF,
        int((now % 1) * 2**32),
        stamp & 0xFFFFFFFF,
        packets & 0xFFFFFFFF,
        octets & 0xFFFFFFFF,
    )


def receiver_report(own: int, other: int, highest: int, middle_ntp: int, delay_s: float) -> bytes:
    """Write an RR with one block that answers the SR whose middle 32 bits are ``middle_ntp``."""
    return struct.pack(
        "!BBHIIIIIII",
        0x81,
        201,
        7,
        own,
        other,
        0,
        highest & 0xFFFFFFFF,
        8,
        middle_ntp,
        int(delay_s * 65536) & 0xFFFFFFFF,
    )
