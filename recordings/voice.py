"""Packets of Opus out of RTP payloads, as they stand (RFC 7587) or said again (RED, RFC 2198)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from media.codecs import OPUS

RATE_PER_MS: Final = 48
SILENCE: Final = b"\xf8\xff\xfe"
"""20 ms of nothing: CELT, full band, mono (RFC 6716, 3.1: configuration 31)."""
SILENCE_MS: Final = 20

_FRAME_MS: Final = (10.0, 20.0, 40.0, 60.0) * 3 + (10.0, 20.0) * 2 + (2.5, 5.0, 10.0, 20.0) * 4
"""By configuration: SILK, hybrid, CELT."""
LONGEST_MS: Final = 120.0


def duration_ms(packet: bytes) -> float:
    """Say how long a packet of Opus sounds (RFC 6716, 3.1 and 3.2), 0 for one that is none."""
    if not packet:
        return 0.0
    frame_ms, code = _FRAME_MS[packet[0] >> 3], packet[0] & 0b11
    if not code:
        return frame_ms
    if code < 3:
        return 2 * frame_ms
    whole_ms = frame_ms * (packet[1] & 0b11_1111) if len(packet) > 1 else 0.0
    return whole_ms if whole_ms <= LONGEST_MS else 0.0


def unpack_red(payload: bytes, timestamp: int) -> Iterator[tuple[int, bytes]]:
    """Yield (RTP time, packet of Opus) of a RED payload, the oldest first; what is malformed ends it.

    RFC 2198, 3: headers of 4 bytes for what is said again, of 1 byte for what is new.
    """
    blocks: list[tuple[int, int]] = []
    at = 0
    while at < len(payload) and payload[at] & 0x80:
        if at + 4 > len(payload):
            return
        head = int.from_bytes(payload[at : at + 4], "big")
        blocks.append((head >> 10 & 0x3FFF, head & 0x3FF))
        if head >> 24 & 0x7F != OPUS.payload_type:
            return
        at += 4
    if at >= len(payload) or payload[at] & 0x7F != OPUS.payload_type:
        return
    at += 1
    if at + sum(size for _, size in blocks) > len(payload):
        return
    for offset, size in blocks:
        if size:
            yield timestamp - offset & 0xFFFFFFFF, payload[at : at + size]
        at += size
    if at < len(payload):
        yield timestamp, payload[at:]
