"""A side that sends: coded pictures and voice as RTP packets at their times, and a line that loses and delays
them.

All of it is computed, nothing waits: an hour takes seconds.
"""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from recordings.container import Codec, head
from recordings.cutter import Piece
from recordings.intake import Intake
from recordings.survey import Survey, clusters_of
from tests.recordings.coded import Coded

NUMBERS = {Codec.VP8: 96, Codec.VP9: 98, Codec.AV1: 102}
MTU = 1_000
LOOK_S = 0.05


@dataclass(frozen=True, slots=True)
class Sent:
    """One packet, or one sender report (SSRC, middle of the NTP time, RTP time), and when it comes."""

    at_s: float
    data: bytes = b""
    report: tuple[int, int, int] | None = None


def vp8(coded: Coded, number: int) -> list[bytes]:
    """Payloads of one picture (RFC 7741, 4.2), with a picture id of 15 bits."""
    parts = [coded.data[at : at + MTU] for at in range(0, len(coded.data), MTU)]
    mark = struct.pack("!H", 0x8000 | number & 0x7FFF)
    return [bytes([0x80 | (0x10 if not i else 0), 0x80]) + mark + part for i, part in enumerate(parts)]


def vp9(coded: Coded, number: int) -> list[bytes]:
    """Payloads of one picture (RFC 9628, 4.2), not flexible, without layers."""
    parts = [coded.data[at : at + MTU] for at in range(0, len(coded.data), MTU)]
    mark = struct.pack("!H", 0x8000 | number & 0x7FFF)
    made = []
    for index, part in enumerate(parts):
        first = 0x80 | (0 if coded.key else 0x40) | (0x08 if not index else 0)
        first |= 0x04 if index == len(parts) - 1 else 0
        made.append(bytes([first]) + mark + part)
    return made


def av1(coded: Coded, number: int) -> list[bytes]:  # AV1 numbers no pictures
    """Payloads of one temporal unit (AV1 RTP specification, 4.4): OBUs without sizes, cut where they must
    be."""
    elements = [unit for kind, unit in _units(coded.data) if kind != 2]
    payloads: list[bytes] = []
    for index, element in enumerate(elements):
        pieces = [element[at : at + MTU] for at in range(0, len(element), MTU)]
        for at, piece in enumerate(pieces):
            head = 0x10 | (0x80 if at else 0) | (0x40 if at < len(pieces) - 1 else 0)
            head |= 0x08 if coded.key and not index and not at else 0
            payloads.append(bytes([head]) + piece)
    return payloads


def _units(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        head, begin = data[at], at
        at += 2 if head & 4 else 1
        size = shift = 0
        while True:
            byte = data[at]
            at += 1
            size |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                break
        plain = bytes([head & ~2]) + (data[begin + 1 : begin + 2] if head & 4 else b"")
        yield head >> 3 & 15, plain + data[at : at + size]
        at += size


PACKETIZERS: dict[Codec, Callable[[Coded, int], list[bytes]]] = {
    Codec.VP8: vp8,
    Codec.VP9: vp9,
    Codec.AV1: av1,
}


@dataclass
class Sender:
    """One page: SSRCs, sequence numbers, clocks. ``voice_late_s`` is how much later its voice leaves."""

    voice_ssrc: int = 11
    picture_ssrc: int = 22
    sequence: int = 65_500
    clock: int = 0xFFFF0000
    ntp_s: float = 3_900_000_000.25
    voice_late_s: float = 0.0
    _numbers: dict[int, int] = field(default_factory=dict)

    def voice(
        self, packets: Sequence[bytes], *, start_s: float = 0.0, ms: int = 20, every: int = 1
    ) -> list[Sent]:
        """Opus, one packet each ``ms``, of which every so many leave."""
        return [
            Sent(
                start_s + index * ms / 1000 + self.voice_late_s,
                self.packet(
                    111, self.voice_ssrc, self.clock + 48 * (ms * index + round(start_s * 1000)), data
                ),
            )
            for index, data in enumerate(packets)
            if index % every == 0
        ]

    def pictures(
        self, codec: Codec, pictures: Sequence[Coded], *, start_s: float = 0.0, fps: int = 30
    ) -> list[Sent]:
        """Pictures, each in as many packets as it takes."""
        sent = []
        for index, coded in enumerate(pictures):
            at_s = start_s + index / fps
            payloads = PACKETIZERS[codec](coded, index)
            for part, payload in enumerate(payloads):
                marker = part == len(payloads) - 1
                stamp = self.clock + round(at_s * 90_000)
                data = self.packet(NUMBERS[codec], self.picture_ssrc, stamp, payload, marker=marker)
                sent.append(Sent(at_s + part * 0.0002, data))
        return sent

    def reports(self, seconds: float, *, every_s: float = 1.0, start_s: float = 0.0) -> list[Sent]:
        """A sender report of both streams now and then: the moments are those of capture."""
        sent = []
        at_s = start_s + 0.3
        while at_s < start_s + seconds:
            middle = int((self.ntp_s + at_s) * 65_536) & 0xFFFFFFFF
            for ssrc, rate in ((self.voice_ssrc, 48_000), (self.picture_ssrc, 90_000)):
                stamp = (self.clock + round(at_s * rate)) & 0xFFFFFFFF
                sent.append(Sent(at_s, report=(ssrc, middle, stamp)))
            at_s += every_s
        return sent

    def packet(
        self, number: int, ssrc: int, timestamp: int, payload: bytes, *, marker: bool = False
    ) -> bytes:
        """The next packet of a stream."""
        sequence = self._numbers.get(ssrc, self.sequence)
        self._numbers[ssrc] = sequence + 1
        second = number | (128 if marker else 0)
        head = struct.pack("!BBHII", 0x80, second, sequence & 0xFFFF, timestamp & 0xFFFFFFFF, ssrc)
        return head + payload


def as_repair(data: bytes, *, ssrc: int = 33) -> bytes:
    """The retransmission of a packet (RFC 4588, 4)."""
    head = bytearray(data[:12])
    original = head[2:4]
    head[1] += 1
    head[2:4] = b"\0\1"
    head[8:12] = struct.pack("!I", ssrc)
    return bytes(head + original) + data[12:]


def over_a_line(
    sent: Iterable[Sent], *, delay_s: float = 0.03, jitter_s: float = 0.0, lost: float = 0.0, seed: int = 1
) -> list[Sent]:
    """What comes of it, in order of coming; reports are never lost."""
    source = random.Random(seed)
    came = []
    for one in sent:
        late_s = delay_s + source.random() * jitter_s
        if one.report is not None or source.random() >= lost:
            came.append(replace(one, at_s=one.at_s + late_s))
    return sorted(came, key=lambda one: one.at_s)


@dataclass
class Taken:
    """What an intake made of it."""

    pieces: list[Piece] = field(default_factory=list)
    asked_s: list[float] = field(default_factory=list)

    def webm(self) -> bytes:
        """All records as one finished file."""
        survey = Survey()
        for piece in self.pieces:
            survey.take(piece.plain)
        front = head(survey.in_order, survey.clusters, duration_ms=survey.end_ms)
        return front + b"".join(one for piece in self.pieces for one in clusters_of(piece.plain))

    @property
    def pictures(self) -> int:
        """How many pictures are in it."""
        survey = Survey()
        for piece in self.pieces:
            survey.take(piece.plain)
        return sum(count for codec, count in survey.frames.items() if codec.is_video)


def take(came: Iterable[Sent], *, intake: Intake | None = None, until_s: float | None = None) -> Taken:
    """Let an intake take what comes, looking after it in between as its process does."""
    intake = Intake(0.0) if intake is None else intake
    taken, looked_s = Taken(), 0.0
    last_s = 0.0
    for one in came:
        while looked_s + LOOK_S <= one.at_s:
            looked_s += LOOK_S
            _look(intake, taken, looked_s)
        if one.report is not None:
            intake.report(*one.report)
        else:
            intake.packet(one.data, one.at_s)
        last_s = one.at_s
    while looked_s < (until_s if until_s is not None else last_s + 1.5):
        looked_s += LOOK_S
        _look(intake, taken, looked_s)
    intake.close()
    taken.pieces += intake.take_pieces()
    return taken


def _look(intake: Intake, taken: Taken, now_s: float) -> None:
    intake.look(now_s)
    taken.pieces += intake.take_pieces()
    if intake.wants_key_frame(now_s):
        taken.asked_s.append(now_s)
