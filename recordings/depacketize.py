"""Whole coded pictures out of RTP payloads, without decoding: VP8 (RFC 7741) and VP9 (RFC 9628).

A picture is the packets of one time stamp: the first says that it begins one, the last has the marker. What
lost a packet is left out whole, and so is everything after it up to the next key frame: it would be decoded
from what is not there. AV1 has its own rules for pieces (``recordings/av1.py``), and the same ones for
pictures.
"""

from __future__ import annotations

import abc
import struct
from dataclasses import dataclass
from typing import Final

import msgspec

from recordings.container import Codec
from recordings.reorder import Packet

MOST_BYTES: Final = 2 << 20
"""No picture of a call is larger; whatever is gives way."""
_VP8_SIZE: Final = struct.Struct("<HH")


class Picture(msgspec.Struct, frozen=True, gc=False):
    """One whole picture. Width and height are those of a key frame, 0 otherwise."""

    codec: Codec
    timestamp: int
    came_s: float
    data: bytes
    key: bool
    width: int = 0
    height: int = 0
    private: bytes = b""


@dataclass(frozen=True, slots=True)
class Key:
    """What a key frame says of itself."""

    width: int
    height: int
    private: bytes = b""


class Malformed(ValueError):
    """A payload is not what its RFC says: the packet is as good as lost."""


class Pictures(abc.ABC):
    """Puts the packets of one stream together. ``broken``: nothing comes out before the next key frame."""

    codec: Codec

    def __init__(self) -> None:
        self.broken = True
        self._timestamp: int | None = None
        self._whole = False
        self._bytes = 0
        self._parts: list[bytes] = []

    def take(self, packet: Packet) -> Picture | None:
        """Take the next packet in order; return the picture that it completes."""
        if packet.after_loss:
            self._spoil()
        try:
            begins, payload = self._strip(packet.payload)
            if packet.timestamp != self._timestamp:
                if self._timestamp is not None:
                    self._spoil()  # The one before never had its end.
                self._timestamp, self._whole, self._bytes, self._parts = packet.timestamp, begins, 0, []
            self._bytes += len(payload)
            if self._bytes > MOST_BYTES:
                self._parts = []
                self._spoil()
                return None
            self._parts.append(payload)
            return self._end(packet) if packet.marker else None
        except (Malformed, IndexError, struct.error):
            self._spoil()
            return None

    def _end(self, packet: Packet) -> Picture | None:
        """Make the picture of which this packet is the last."""
        self._timestamp = None
        if not self._whole:
            self.broken = True
            return None
        data, key = self._join(self._parts)
        if key is None and self.broken:
            return None
        self.broken = False
        if key is None:
            return Picture(self.codec, packet.timestamp, packet.came_s, data, key=False)
        size = key.width, key.height, key.private
        return Picture(self.codec, packet.timestamp, packet.came_s, data, True, *size)  # noqa: FBT003  # key, as above

    def _spoil(self) -> None:
        """Give up the picture that is being put together."""
        self.broken, self._whole = True, False

    @abc.abstractmethod
    def _strip(self, payload: bytes) -> tuple[bool, bytes]:
        """Return whether a picture begins here, and the payload as ``_join`` takes it."""

    @abc.abstractmethod
    def _join(self, parts: list[bytes]) -> tuple[bytes, Key | None]:
        """Put the pieces of a picture together, one of each packet; None: it is no key frame."""


class Vp8(Pictures):
    """RFC 7741: descriptor (4.2), payload header (4.3); a key frame begins as RFC 6386, 9.1 says."""

    codec = Codec.VP8

    def _strip(self, payload: bytes) -> tuple[bool, bytes]:
        first = payload[0]
        at = 1
        if first & 0x80:  # X: extensions
            extensions = payload[1]
            at = 2
            if extensions & 0x80:  # I: a picture id of one byte or two
                at += 2 if payload[at] & 0x80 else 1
            at += bool(extensions & 0x40) + bool(extensions & 0x30)  # L; T or K
        if at >= len(payload):
            raise Malformed
        return first & 0b0001_0111 == 0b0001_0000, payload[at:]  # S, and partition 0

    def _join(self, parts: list[bytes]) -> tuple[bytes, Key | None]:
        data = b"".join(parts)
        if data[0] & 1:  # P, the inverse key frame flag
            return data, None
        if data[3:6] != b"\x9d\x01\x2a":
            raise Malformed
        width, height = _VP8_SIZE.unpack_from(data, 6)
        return data, Key(width & 0x3FFF, height & 0x3FFF)  # the upper bits say how to scale


class Vp9(Pictures):
    """RFC 9628, 4.2. Layers of one picture are kept as they come, one behind the other."""

    codec = Codec.VP9

    def _strip(self, payload: bytes) -> tuple[bool, bytes]:
        first = payload[0]
        at = 1
        if first & 0x80:  # I
            at += 2 if payload[at] & 0x80 else 1
        layer = 0
        if first & 0x20:  # L: layer indices, and TL0PICIDX unless F
            layer = payload[at] >> 1 & 0b111
            at += 1 if first & 0x10 else 2
        if first & 0x50 == 0x50:  # P and F: up to three reference indices
            for _ in range(3):
                at += 1
                if not payload[at - 1] & 1:
                    break
        if first & 0x02:  # V
            at = _scalability_end(payload, at)
        if at >= len(payload):
            raise Malformed
        return bool(first & 0x08) and not layer, payload[at:]  # B

    def _join(self, parts: list[bytes]) -> tuple[bytes, Key | None]:
        data = b"".join(parts)
        return data, _vp9_key(data)


def _scalability_end(payload: bytes, at: int) -> int:
    """Return where the scalability structure ends (RFC 9628, 4.2.1)."""
    head = payload[at]
    at += 1
    if head & 0x10:  # Y: a size for each layer
        at += 4 * ((head >> 5) + 1)
    if head & 0x08:  # G: a group of pictures
        count = payload[at]
        at += 1
        for _ in range(count):
            at += 1 + (payload[at] >> 2 & 0b11)
    return at


def _vp9_key(data: bytes) -> Key | None:
    """Read the uncompressed header (VP9 bitstream specification, 6.2); profile 0 alone is negotiated."""
    bits = int.from_bytes(data[:10].ljust(10, b"\0"), "big")

    def field(at: int, width: int) -> int:
        return bits >> 80 - at - width & (1 << width) - 1

    if field(0, 2) != 0b10 or field(2, 2):
        raise Malformed
    if field(4, 1) or field(5, 1):  # show_existing_frame; frame_type
        return None
    if field(8, 24) != 0x498342:
        raise Malformed
    at = 35 if field(32, 3) == 7 else 36  # color_space (7, sRGB, is not of profile 0); color_range
    return Key(field(at, 16) + 1, field(at + 16, 16) + 1)
