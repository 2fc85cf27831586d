"""A call of two sides over two seeded lines, without a socket or a clock: packets, reports, and seconds.

Each side sends voice every 20 ms and, in video, frames at a rate that yields to loss and to growing
delay, roughly as browsers do. The relay's own streams and legs count what comes; reports answer as
Chromium's do: each second for video, every five for voice.
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from media.dtls import generate_certificate
from media.events import LegId, LegSample, Transport
from media.leg import Leg
from media.line import NOTHING_SAID, Line, Said
from media.observe import Stream
from media.rtcp import ReportBlock, SenderReport
from tests.netem.model import CLEAN, Conditions
from tests.netem.model import Line as Way

VOICE, PICTURE = 111, 96
BASE_MS = 10.0
CERTIFICATE = generate_certificate()


@dataclass
class Received:
    """What one browser counted of one stream."""

    first: int | None = None
    highest: int = 0
    received: int = 0
    jitter: float = 0.0
    transit: float | None = None
    last: int = 0

    def take(self, sequence: int, timestamp: int, rate: int, now: float) -> None:
        if self.first is None:
            self.first = sequence
        self.highest = max(self.highest, sequence)
        self.received += 1
        transit = now * rate - timestamp
        if self.transit is not None:
            self.jitter += (abs(transit - self.transit) - self.jitter) / 16
        self.transit = transit

    @property
    def lost(self) -> int:
        return 0 if self.first is None else self.highest - self.first + 1 - self.received


@dataclass
class Side:
    """One participant: its two ways, what it sends, and what it has received."""

    up: Way
    down: Way
    leg: Leg
    line: Line = field(default_factory=Line)
    kbps: float = 1_500.0
    sent: dict[int, int] = field(default_factory=dict)
    heard: dict[int, Received] = field(default_factory=dict)
    passed: dict[int, tuple[int, float]] = field(default_factory=dict)  # SSRC: middle, when it came
    transits: list[tuple[float, float]] = field(default_factory=list)
    said: Said = NOTHING_SAID
    muted: bool = False
    dtx: bool = False


class TwoLines:
    """Runs the call; ``seconds`` tells each second what both lines are."""

    def __init__(self, *, seed: int, video: bool = True) -> None:
        self.now = 1_000.0
        self.random = random.Random(seed)
        self.video = video
        self._queue: list[tuple[float, int, Callable[[], None]]] = []
        self._number = itertools.count()
        self.sides = tuple(self._side(seed + 10 * index) for index in range(2))
        a, b = (side.leg for side in self.sides)
        a.peer, b.peer = b, a
        for index, side in enumerate(self.sides):
            self._at(self.now + 0.003 * index, lambda one=side: self._voice(one))  # type: ignore[misc]  # bound now
            self._at(self.now + 0.011 * index, lambda one=side: self._frame(one))  # type: ignore[misc]  # bound now
            for ssrc, every in ((1, 5.0), (2, 1.0)):
                first = self.now + self.random.random()
                self._at(first, lambda one=side, s=ssrc, e=every: self._report(one, s, e))  # type: ignore[misc]  # bound now

    def _side(self, seed: int) -> Side:
        leg = Leg(LegId(f"l_{seed}"), CERTIFICATE, self.now)
        leg.connected = True
        side = Side(Way(seed=seed), Way(seed=seed + 1), leg)
        self.set(side, CLEAN, CLEAN)
        return side

    def set(self, side: Side, up: Conditions, down: Conditions) -> None:
        side.up.conditions, side.down.conditions = up, down

    def other(self, side: Side) -> Side:
        return self.sides[1 - self.sides.index(side)]

    def _at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self._queue, (when, next(self._number), what))

    def _cross(self, way: Way, size: int, then: Callable[[], None]) -> None:
        out = way.deliver_at(self.now, size)
        if out is not None:
            self._at(out + BASE_MS / 1000 + self.random.random() * 0.004, then)

    # --- media -----------------------------------------------------------------------------

    def _send(self, side: Side, ssrc: int, timestamp: int, size: int) -> None:
        sequence = side.sent[ssrc] = side.sent.get(ssrc, 0) + 1
        self._cross(side.up, size, lambda: self._relay(side, ssrc, sequence, timestamp, size))

    def _relay(self, side: Side, ssrc: int, sequence: int, timestamp: int, size: int) -> None:
        leg, other = side.leg, self.other(side)
        leg.heard_at = self.now
        stream = leg.streams.get(ssrc)
        if stream is None:
            stream = leg.streams[ssrc] = Stream(ssrc, VOICE if ssrc == 1 else PICTURE, sequence)
        stream.packet(sequence & 0xFFFF, timestamp, self.now)
        if ssrc == 1:
            leg.last_audio_at = self.now
        rate = stream.clock_rate
        self._cross(other.down, size, lambda: self._hear(other, ssrc, sequence, timestamp, rate))

    def _hear(self, side: Side, ssrc: int, sequence: int, timestamp: int, rate: int) -> None:
        heard = side.heard.setdefault(ssrc, Received())
        heard.take(sequence, timestamp, rate, self.now)
        if ssrc == 1 and heard.transit is not None:
            side.transits.append((self.now, heard.transit / rate * 1000))

    def _voice(self, side: Side) -> None:
        every = 0.4 if side.dtx else 0.02
        if not side.muted:
            self._send(side, 1, int(self.now * 48_000), 130)
        self._at(self.now + every, lambda: self._voice(side))

    def _frame(self, side: Side) -> None:
        if self.video:
            packets = max(1, round(side.kbps * 1000 / 8 / 25 / 1_100))
            for _ in range(packets):
                self._send(side, 2, int(self.now * 90_000), 1_150)
        self._at(self.now + 0.04, lambda: self._frame(side))

    # --- reports ---------------------------------------------------------------------------

    def _report(self, side: Side, ssrc: int, every: float) -> None:
        """The side's sender report of one stream, and its report about the other's."""
        self._at(self.now + every * self.random.uniform(0.7, 1.3), lambda: self._report(side, ssrc, every))
        if ssrc == 2 and not self.video:
            return
        middle = int(self.now * 65_536) & 0xFFFF_FFFF or 1
        heard, told = side.heard.get(ssrc), side.passed.get(ssrc)
        block = None
        if heard is not None:
            last, at = told or (0, self.now)
            delay = int((self.now - at) * 65_536)
            block = ReportBlock(ssrc, heard.lost, heard.highest, int(heard.jitter), last, delay)
            if ssrc == 2:
                self._yield(self.other(side), heard)
        sent = self.now
        self._cross(side.up, 100, lambda: self._reported(side, ssrc, middle, block, sent))

    def _yield(self, sender: Side, heard: Received) -> None:
        """Send less after loss, carefully more without: the sender's congestion control."""
        lost = heard.lost - heard.last
        heard.last = heard.lost
        share = lost / max(1.0, sender.kbps * 1000 / 8 / 1_100)
        sender.kbps = max(60.0, sender.kbps * 0.5) if share > 0.1 else min(1_500.0, sender.kbps * 1.08)

    def _reported(self, side: Side, ssrc: int, middle: int, block: ReportBlock | None, _sent: float) -> None:
        leg, other = side.leg, self.other(side)
        leg.heard_at = self.now
        stream = leg.streams.get(ssrc)
        if stream is not None:
            stream.sender_report(SenderReport(ssrc, middle, 0), self.now)
            self._cross(other.down, 100, lambda: other.passed.__setitem__(ssrc, (middle, self.now)))
        about = other.leg.streams.get(ssrc)
        if block is not None and about is not None:
            rtt_ms = about.receiver_report(block, self.now, back_at=leg.back_at)
            if rtt_ms is not None:
                leg.measured(rtt_ms, block.delay / 65_536, self.now)

    # --- time ------------------------------------------------------------------------------

    def run(self, seconds: int) -> list[tuple[Line, Line]]:
        """Let time pass; returns the sides whose grade changed, each second."""
        changed = []
        for _ in range(seconds):
            until = self.now + 1.0
            while self._queue and self._queue[0][0] <= until:
                self.now, _, what = heapq.heappop(self._queue)
                what()
            self.now = until
            self._look()
            changed.append((self.sides[0].line, self.sides[1].line))
        return changed

    def _look(self) -> None:
        for side in self.sides:
            self._say(side)
            side.line.take(self.sample(side), said=side.said, ws_rtt_ms=None, now_s=self.now)
        for side in self.sides:
            side.line.look(
                silent_ms=int((self.now - side.leg.heard_at) * 1000),
                expected=not side.muted,
                peer_spread_ms=self.other(side).line.ways.spread_up_ms,
                now_s=self.now,
            )

    def _say(self, side: Side) -> None:
        """A page's report, every 2 s in video: its jitter buffer holds what the voice wanders."""
        if int(self.now) % 2 or not self.video:
            return
        side.transits = [(at, ms) for at, ms in side.transits if at > self.now - 2]
        late = [ms for _, ms in side.transits]
        side.said = Said(buffer_ms=20 + max(late) - min(late)) if late else NOTHING_SAID

    def sample(self, side: Side) -> LegSample:
        leg = side.leg
        return LegSample(
            leg=leg.id,
            rtt_ms=leg.rtt_ms,
            jitter_ms=leg.jitter_ms(),
            kbps_up=0.0,
            kbps_down=0.0,
            bytes_up=0,
            bytes_down=0,
            silent_ms=int((self.now - leg.heard_at) * 1000),
            transport=Transport.UDP,
            ip_version=4,
            seen=leg.seen(self.now),
        )
