"""The sequence header of AV1 (bitstream specification, 5.5), read for what a WebM says of its track.

Only profile 0 (8 or 10 bits, 4:2:0) is negotiated (AV1 RTP specification, 7.2.1: the default); others do not
fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

MOST_BYTES: Final = 512
"""More than the longest there can be: 32 operating points of at most 88 bits each, and some 30 bytes."""
MOST_ZEROS: Final = 31


class NotRead(ValueError):
    """These bits are no sequence header of profile 0."""


@dataclass(frozen=True, slots=True)
class Sequence:
    """Size in pixels, and the first four bytes of an ``av1C`` ("AV1 in ISOBMFF", 2.3.3)."""

    width: int
    height: int
    configuration: bytes


class _Bits:
    """Reads bits, the highest first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "big"), 8 * len(data)

    def take(self, count: int = 1) -> int:
        """Read ``f(count)`` (4.10.2)."""
        if count > self._left:
            raise NotRead("It ends too early.")
        self._left -= count
        return self._value >> self._left & (1 << count) - 1

    def pass_variable(self) -> None:
        """Pass over ``uvlc()`` (4.10.3); with more zeros than this it stands for no number that is used."""
        zeros = 0
        while not self.take():
            zeros += 1
            if zeros > MOST_ZEROS:
                raise NotRead("It holds a number that is too large.")
        self.take(zeros)


def read_sequence(content: bytes) -> Sequence:
    """Read what is behind the header of a sequence header OBU. Raises ``NotRead``."""
    bits = _Bits(content[:MOST_BYTES])
    if bits.take(3):
        raise NotRead("It is of another profile.")
    bits.take()  # still_picture
    reduced = bits.take()
    level, tier = (bits.take(5), 0) if reduced else _operating_points(bits)
    wide, high = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(wide) + 1, bits.take(high) + 1
    if not reduced and bits.take():  # frame_id_numbers_present_flag
        bits.take(4 + 3)
    bits.take(3)  # superblocks of 128, filter_intra, intra_edge_filter
    if not reduced:
        _pass_tools(bits)
    bits.take(3)  # superres, cdef, restoration
    return Sequence(width, height, bytes((0x81, level, tier << 7 | _colors(bits), 0)))


def _operating_points(bits: _Bits) -> tuple[int, int]:
    """Pass over timing and operating points; returns level and tier of the first."""
    delay_bits = None
    if bits.take():  # timing_info_present_flag
        bits.take(64)
        if bits.take():  # equal_picture_interval
            bits.pass_variable()
        if bits.take():  # decoder_model_info_present_flag
            delay_bits = bits.take(5) + 1
            bits.take(32 + 5 + 5)
    delays = bits.take()  # initial_display_delay_present_flag
    points = list[tuple[int, int]]()
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        level = bits.take(5)
        points.append((level, bits.take() if level > 7 else 0))
        if delay_bits is not None and bits.take():
            bits.take(2 * delay_bits + 1)
        if delays and bits.take():
            bits.take(4)
    return points[0]


def _pass_tools(bits: _Bits) -> None:
    """Pass over what stands between enable_interintra_compound and order_hint_bits."""
    bits.take(4)
    order_hint = bits.take()
    if order_hint:
        bits.take(2)
    forced = 2 if bits.take() else bits.take()  # seq_choose_screen_content_tools
    if forced and not bits.take():  # seq_choose_integer_mv
        bits.take()
    if order_hint:
        bits.take(3)


def _colors(bits: _Bits) -> int:
    """Read color_config (5.5.2) of profile 0; returns the lower seven bits of an ``av1C``'s third byte."""
    high_bitdepth, monochrome = bits.take(), bits.take()
    described = bits.take(24) if bits.take() else None
    if not monochrome and described == 0x010D00:  # sRGB is 4:4:4
        raise NotRead("It is of another profile.")
    bits.take()  # color_range
    position = 0 if monochrome else bits.take(2)
    return high_bitdepth << 6 | monochrome << 4 | 0b1100 | position
