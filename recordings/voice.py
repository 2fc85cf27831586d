"""Packets of Opus out of RTP payloads, as they stand (RFC 7587) or said again (RED, RFC 2198)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from media.codecs import OPUS

RATE_PER_MS: Final = 48
SILENCE: Final = b"\xf8\xff\xfe"
"""20 ms of nothing: CELT, full band, mono (RFC 6716, 3.1: configuration 31)."""
SILENCE_MS: Final = 20

_SILK_MS: Final = (10, 20, 40, 60)
_HYBRID_MS: Final = (10, 20)
_CELT_MS: Final = (2.5, 5, 10, 20)
LONGEST_MS: Final = 120.0


def duration_ms(packet: bytes) -> float:
    """Say how long a packet of Opus sounds (RFC 6716, 3.1 and 3.2), 0 for one that is none."""
    if not packet:
        return 0.0
    configuration, code = packet[0] >> 3, packet[0] & 0b11
    if configuration < 12:
        frame_ms: float = _SILK_MS[configuration & 3]
    elif configuration < 16:
        frame_ms = _HYBRID_MS[configuration & 1]
    else:
        frame_ms = _CELT_MS[configuration & 3]
    counts = (1, 2, 2, packet[1] & 0b11_1111 if len(packet) > 1 else 0)
    whole_ms = frame_ms * counts[code]
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
