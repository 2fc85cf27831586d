"""AV1 pictures out of RTP payloads (AV1 RTP specification 1.0, 4.3 to 4.5), and what a WebM says of them.

Packets carry OBUs or pieces of them, without their sizes; WebM wants every OBU with its size and no temporal
delimiters ("AV1 in Matroska", Block data), and an ``av1C`` of the sequence header as CodecPrivate.
"""

from __future__ import annotations

from typing import Final

from recordings.av1_sequence import NotRead, read_sequence
from recordings.container import Codec
from recordings.depacketize import Key, Malformed, Pictures

# AV1 bitstream specification, 6.2.2.
_SEQUENCE_HEADER, _TEMPORAL_DELIMITER, _FRAME_HEADER, _FRAME, _TILE_LIST, _PADDING = 1, 2, 3, 6, 8, 15
_LEFT_OUT: Final = {_TEMPORAL_DELIMITER, _TILE_LIST, _PADDING}
_EXTENSION, _HAS_SIZE = 0b100, 0b010


class Av1(Pictures):
    """One temporal unit is one picture."""

    codec = Codec.AV1

    def _strip(self, payload: bytes) -> tuple[bool, bytes]:
        return not payload[0] & 0x80, payload  # Z: goes on with an OBU of the packet before

    def _join(self, parts: list[bytes]) -> tuple[bytes, Key | None]:
        made, sequence, key = list[bytes](), b"", False
        seen = False
        for unit in map(bytes, _units(parts)):
            if not unit:
                continue
            kind, content = unit[0] >> 3 & 0b1111, _content(unit)
            if kind in _LEFT_OUT:
                continue
            sized = _sized(unit, content)
            made.append(sized)
            if kind == _SEQUENCE_HEADER:
                sequence = sized
            elif kind in (_FRAME_HEADER, _FRAME) and not seen:
                # 5.9.2: show_existing_frame off, and frame_type 0.
                seen, key = True, content[0] >> 5 == 0
        data = b"".join(made)
        if not data:
            raise Malformed
        if not (key and sequence):
            return data, None
        try:
            described = read_sequence(_content(sequence))
        except NotRead as error:
            raise Malformed from error
        return data, Key(described.width, described.height, described.configuration + sequence)


def _units(payloads: list[bytes]) -> list[bytearray]:
    """Return the OBUs of a picture's packets (4.4: Z, Y, W and N of the aggregation header)."""
    units, is_open = list[bytearray](), False
    for payload in payloads:
        head, count, at = payload[0], payload[0] >> 4 & 0b11, 1
        continues = bool(head & 0x80)
        if continues != is_open:
            raise Malformed
        index = 0
        while at < len(payload):
            index += 1
            if index == count:
                size = len(payload) - at
            else:
                size, at = _leb128(payload, at)
            piece = payload[at : at + size]
            if len(piece) != size:
                raise Malformed
            at += size
            if continues:
                units[-1] += piece
                continues = False
            else:
                units.append(bytearray(piece))
        is_open = bool(head & 0x40)
    if is_open:
        raise Malformed
    return units


def _content(unit: bytes) -> bytes:
    """What is behind the header of an OBU, and behind its size if it has one (5.3)."""
    at = 2 if unit[0] & _EXTENSION else 1
    if not unit[0] & _HAS_SIZE:
        return unit[at:]
    size, at = _leb128(unit, at)
    return unit[at : at + size]


def _sized(unit: bytes, content: bytes) -> bytes:
    """The same OBU with a size."""
    head = bytes([unit[0] | _HAS_SIZE]) + (unit[1:2] if unit[0] & _EXTENSION else b"")
    size, number = b"", len(content)
    while number > 0x7F:
        size += bytes([number & 0x7F | 0x80])
        number >>= 7
    return head + size + bytes([number]) + content


def _leb128(data: bytes, at: int) -> tuple[int, int]:
    """Read a little-endian base 128 number (4.10.5); returns it and where it ends."""
    value = 0
    for index in range(8):
        byte = data[at + index]
        value |= (byte & 0x7F) << 7 * index
        if not byte & 0x80:
            return value, at + index + 1
    raise Malformed
