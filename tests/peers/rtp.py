"""RTP and RTCP packets for tests (RFC 3550): made and read with struct, nothing borrowed."""

from __future__ import annotations

import struct
from dataclasses import dataclass

OPUS = 111
VP8 = 96
RTX = 97
_RTP = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True)
class Rtp:
    """The fields of an RTP packet without extensions and padding."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def pack(self) -> bytes:
        """The packet's bytes."""
        second = self.payload_type | (0x80 if self.marker else 0)
        header = _RTP.pack(0x80, second, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc)
        return header + self.payload


def with_mid(packet: Rtp, mid: str, *, extension: int = 1) -> bytes:
    """The packet with the mid header extension in one-byte form (RFC 8285, 4.2)."""
    body = bytes([extension << 4 | (len(mid) - 1)]) + mid.encode()
    body += bytes(-len(body) % 4)
    plain = packet.pack()
    header = bytes([plain[0] | 0x10]) + plain[1:12]
    return header + struct.pack("!HH", 0xBEDE, len(body) // 4) + body + packet.payload


def ssrc_of(packet: bytes) -> int:
    """The SSRC of an RTP packet."""
    return int.from_bytes(packet[8:12], "big")


def payload_type_of(packet: bytes) -> int:
    """The payload type of an RTP packet."""
    return packet[1] & 0x7F


def is_rtcp(packet: bytes) -> bool:
    """RFC 5761, 4: packet types 192 to 223 are RTCP."""
    return len(packet) > 1 and 192 <= packet[1] <= 223


def receiver_report(sender: int) -> bytes:
    """An RTCP RR without report blocks (RFC 3550, 6.4.2)."""
    return struct.pack("!BBHI", 0x80, 201, 1, sender)


def sender_report(sender: int, *, ntp: int, timestamp: int, packets: int, octets: int) -> bytes:
    """An RTCP SR without report blocks (RFC 3550, 6.4.1); ``ntp`` is the 64-bit time stamp."""
    return struct.pack("!BBHIQIII", 0x80, 200, 6, sender, ntp, timestamp, packets, octets)


def picture_loss(sender: int, media: int) -> bytes:
    """An RTCP PLI (RFC 4585, 6.3.1)."""
    return struct.pack("!BBHII", 0x81, 206, 2, sender, media)


def transport_feedback(sender: int, media: int, body: bytes) -> bytes:
    """A transport-layer feedback message of format 15 with an opaque body of whole words."""
    return struct.pack("!BBHII", 0x80 | 15, 205, 2 + len(body) // 4, sender, media) + body


def parts(compound: bytes) -> list[tuple[int, int, bytes]]:
    """The packets of an RTCP compound as (type, count or format, bytes). Raises ValueError."""
    found: list[tuple[int, int, bytes]] = []
    while compound:
        if len(compound) < 4 or compound[0] >> 6 != 2:
            raise ValueError("not RTCP")
        size = 4 * (int.from_bytes(compound[2:4], "big") + 1)
        if size > len(compound):
            raise ValueError("RTCP is cut short")
        found.append((compound[1], compound[0] & 0x1F, compound[:size]))
        compound = compound[size:]
    return found
