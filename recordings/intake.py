"""One side while it is recorded: packets in, records out. Pure: time comes with the packets.

It knows one stream of voice and one of picture at a time. A side that comes back (a page that was loaded
again) has new SSRCs; then what the old one still held is finished and the new one begins where it comes on
the timeline. Retransmissions (RFC 4588) fill the holes that the other browser asked for, as long as they are
waited for.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import Final

from media.codecs import AV1, OPUS, RED, VP8, VP9, Kind
from recordings.av1 import Av1
from recordings.container import Codec
from recordings.cutter import CLUSTER_MS, Cutter, Piece
from recordings.depacketize import Picture, Pictures, Vp8, Vp9
from recordings.key_frames import KeyFrames
from recordings.lipsync import Stream, place_picture
from recordings.reorder import Packet, Reorder
from recordings.voice import unpack_red

VOICE_WAIT_S: Final = 0.12
PICTURE_WAIT_S: Final = 0.3
"""A retransmission takes a round trip between the browsers, and with this at most 1.3 s are at risk."""
QUIET_S: Final = 2.0
"""A stream that has said nothing for so long may give way to one that was there before."""
SAID_AGAIN: Final = 48_000
"""RTP time: a packet of voice up to a second before the last one is not new. Farther back is another
clock."""
_HEADER: Final = struct.Struct("!BBHII")
_VIDEO: Final = {VP8.payload_type: Codec.VP8, VP9.payload_type: Codec.VP9, AV1.payload_type: Codec.AV1}
_REPAIRS: Final = {codec.rtx: codec.payload_type for codec in (VP8, VP9, AV1) if codec.rtx is not None}
_RED: Final = RED.payload_type
_KINDS: Final = {codec.payload_type: codec.kind for codec in (OPUS, RED, VP8, VP9, AV1)}
_DEPACKETIZERS: Final[dict[Codec, type[Pictures]]] = {Codec.VP8: Vp8, Codec.VP9: Vp9, Codec.AV1: Av1}


class Line:
    """One SSRC: its packets in order, and its clock."""

    __slots__ = ("clock", "give", "heard_s", "order", "ssrc", "taken")

    def __init__(self, ssrc: int, kind: Kind, give: Callable[[Line, Sequence[Packet]], None]) -> None:
        self.ssrc = ssrc
        self.clock = Stream(kind)
        self.order = Reorder(VOICE_WAIT_S if kind is Kind.AUDIO else PICTURE_WAIT_S)
        # Who takes what is in order.
        self.give = give
        self.heard_s = 0.0
        # The RTP time of the last packet of voice that was taken.
        self.taken: int | None = None


class Intake:
    """Takes what a side's sink got. After each call ``pieces`` are to be written."""

    def __init__(self, started_s: float) -> None:
        self._started_s = started_s
        self._cutter = Cutter()
        self._key_frames = KeyFrames()
        self._lines: dict[Kind, Line] = {}
        self._former: set[int] = set()
        self._pictures: Pictures | None = None
        # The first frame that waits to be cut, and since when it was seen to.
        self._held_ms: int | None = None
        self._held_since_s = 0.0
        self._paused = False

    def take_pieces(self) -> Sequence[Piece]:
        """Hand out the records that are done."""
        pieces, self._cutter.pieces = self._cutter.pieces, []
        return pieces

    def wants_key_frame(self, now_s: float) -> bool:
        """Say, once for each time, that a key frame should be asked for."""
        if (line := self._lines.get(Kind.VIDEO)) is not None:
            self._key_frames.seen(line.heard_s)
        return not self._paused and self._key_frames.due(now_s)

    # --- what comes

    def packet(self, data: bytes, now_s: float) -> None:
        """Take one RTP packet; what is no packet, or of a codec that is not recorded, is left out."""
        if self._paused or len(data) < _HEADER.size:
            return
        first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
        begin, end = _HEADER.size + 4 * (first & 15), len(data)
        if first & 0x10:  # RFC 3550, 5.3.1
            begin += 4 + 4 * int.from_bytes(data[begin + 2 : begin + 4], "big")
        if first & 0x20:
            end -= data[-1]
        if first >> 6 != 2 or begin > end:
            return
        packet = Packet(timestamp, bool(second & 128), second & 127, data[begin:end], now_s)
        kind = _KINDS.get(packet.payload_type)
        if kind is None:
            self._repair(packet)
            return
        line = self._lines.get(kind)
        if line is None or line.ssrc != ssrc:
            line = self._change(kind, line, ssrc, now_s)
            if line is None:
                return
        line.heard_s = now_s
        line.give(line, line.order.push(sequence, packet))

    def _repair(self, packet: Packet) -> None:
        """Take a retransmission (RFC 4588, 4): what it had as a number comes first, all else is as it was.

        What was sent before the first packet of the line is left out: nothing was recorded then.
        """
        line, repaired = self._lines.get(Kind.VIDEO), _REPAIRS.get(packet.payload_type)
        if line is not None and repaired is not None and len(packet.payload) > 2:
            packet.payload_type = repaired
            sequence, packet.payload = int.from_bytes(packet.payload[:2], "big"), packet.payload[2:]
            if not line.order.is_behind(sequence):
                line.give(line, line.order.push(sequence, packet))

    def report(self, ssrc: int, middle: int, timestamp: int) -> None:
        """Take a sender report."""
        for line in self._lines.values():
            if line.ssrc == ssrc:
                line.clock.report(middle, timestamp)

    def look(self, now_s: float) -> None:
        """Let time pass: holes are given up, and what is held long enough becomes a record."""
        for line in self._lines.values():
            if line.order.holds:
                line.give(line, line.order.look(now_s))
        first_ms = self._cutter.holds_since_ms
        if first_ms is None or first_ms != self._held_ms:
            self._held_ms, self._held_since_s = first_ms, now_s
        elif now_s - self._held_since_s >= CLUSTER_MS / 1000:
            self._cutter.cut()

    def pause(self) -> None:
        """Go off the record: what came before is kept, and nothing after it."""
        self._end_lines()
        self._cutter.cut()
        self._paused = True

    def resume(self) -> None:
        """Go on; the picture waits for a key frame."""
        self._paused = False

    def close(self) -> None:
        """Finish: everything that is held becomes a record."""
        self.pause()

    # --- streams

    def _change(self, kind: Kind, line: Line | None, ssrc: int, now_s: float) -> Line | None:
        """Change to the line of another SSRC; None while one speaks that came after it."""
        if line is not None:
            if ssrc in self._former and now_s - line.heard_s < QUIET_S:
                return None
            line.give(line, line.order.rest())
            self._former.add(line.ssrc)
        self._former.discard(ssrc)
        if kind is Kind.VIDEO:
            self._pictures = None
            self._key_frames.want()
        line = self._lines[kind] = Line(ssrc, kind, self._voice if kind is Kind.AUDIO else self._picture)
        return line

    def _end_lines(self) -> None:
        for line in self._lines.values():
            line.give(line, line.order.rest())
        self._lines.clear()
        self._pictures = None

    # --- frames

    def _voice(self, line: Line, packets: Sequence[Packet]) -> None:
        for packet in packets:
            if packet.payload_type == _RED:
                for timestamp, data in unpack_red(packet.payload, packet.timestamp):
                    self._say(line, timestamp, data, packet)
            elif packet.payload:
                self._say(line, packet.timestamp, packet.payload, packet)

    def _say(self, line: Line, timestamp: int, data: bytes, packet: Packet) -> None:
        """Take one packet of Opus unless it was taken before; RED says again what may have been lost.

        What the first packet of a line says again is left out: it was first said while nothing was recorded.
        """
        if line.taken is None:
            if timestamp != packet.timestamp:
                return
        elif (line.taken - timestamp) & 0xFFFFFFFF < SAID_AGAIN:
            return
        came_ms = (packet.came_s - self._started_s) * 1000
        # What is said again came late: where it belongs is known from the packet that brings it.
        again_ms = (packet.timestamp - timestamp & 0xFFFFFFFF) / 48
        line.taken = timestamp
        self._cutter.voice(line.clock.place(timestamp, came_ms - again_ms), data)

    def _picture(self, line: Line, packets: Sequence[Packet]) -> None:
        for packet in packets:
            if not packet.payload:
                continue  # Padding, which fills a line to measure it, has a number too.
            codec = _VIDEO[packet.payload_type]
            if self._pictures is None or self._pictures.codec is not codec:
                self._pictures = _DEPACKETIZERS[codec]()
            picture = self._pictures.take(packet)
            if self._pictures.broken:
                self._key_frames.want()
            if picture is not None:
                self._show(line, picture)

    def _show(self, line: Line, picture: Picture) -> None:
        voice = self._lines.get(Kind.AUDIO)
        clock = voice.clock if voice is not None else None
        came_ms = (picture.came_s - self._started_s) * 1000
        at_ms = place_picture(line.clock, clock, picture.timestamp, came_ms)
        if picture.key:
            self._key_frames.came(picture.came_s)
        self._cutter.picture(at_ms, picture)
