"""A relay without packets, and answers as browsers would write them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass, field

from core.errors import NotFound
from media.description import Answer, AnsweredLine, Direction, InvalidAnswer, OfferRequest
from media.events import LegConnected, LegId, LegSample, MediaEvent, Seen, Transport
from media.sinks import Sink


def line(
    direction: Direction = Direction.SENDRECV,
    numbers: tuple[int, ...] = (),
    ssrcs: tuple[int, ...] = (),
    *,
    rejected: bool = False,
) -> AnsweredLine:
    return AnsweredLine(direction, numbers, ssrcs, rejected)


def answer_to(
    request: OfferRequest,
    *,
    without: frozenset[int] = frozenset(),
    base: int = 1000,
) -> Answer:
    """An answer that takes everything offered but ``without``, and sends with SSRCs from ``base``."""
    numbers = [number for number in request.payload_types if number not in without]
    audio_on = request.mode != "chat"
    video_on = request.mode == "video"
    return Answer(
        line(
            Direction.SENDRECV if audio_on else Direction.INACTIVE,
            tuple(n for n in numbers if n in (111, 63)),
            (base,) if audio_on else (),
        ),
        line(
            Direction.SENDRECV if video_on else Direction.INACTIVE,
            tuple(n for n in numbers if n not in (111, 63)),
            (base + 1, base + 2) if video_on else (),
        ),
        (("sha-256", "AA"),),
    )


GROWING = ("at", "expected_up", "lost_up", "expected_down", "lost_down")


@dataclass
class FakeRelay:
    """Writes down every command. ``connects``: DTLS is up as soon as an answer was read."""

    on_event: Callable[[MediaEvent], None] = lambda _event: None
    connects: bool = True
    ready: bool = True
    requests: dict[LegId, list[OfferRequest]] = field(default_factory=dict)
    open: set[LegId] = field(default_factory=set)
    up: set[LegId] = field(default_factory=set)
    pairs: list[tuple[LegId, LegId]] = field(default_factory=list)
    forwards: dict[LegId, tuple[bool, bool]] = field(default_factory=dict)
    expects: dict[LegId, tuple[bool, bool]] = field(default_factory=dict)
    key_frames: list[LegId] = field(default_factory=list)
    taps: dict[LegId, Sink] = field(default_factory=dict)
    sampled: dict[LegId, LegSample] = field(default_factory=dict)
    seconds: dict[LegId, Seen] = field(default_factory=dict)

    def open_leg(self, leg: LegId) -> None:
        assert leg not in self.requests, "a leg is opened once"
        self.requests[leg] = []
        self.open.add(leg)

    def offer(self, leg: LegId, request: OfferRequest) -> str:
        self._check(leg)
        self.requests[leg].append(request)
        return f"offer {leg} {request.negotiation}"

    def answer(self, leg: LegId, sdp: str) -> Answer:
        self._check(leg)
        if not sdp.startswith("answer"):
            raise InvalidAnswer("this is no answer")
        if leg not in self.up and self.connects:
            self.up.add(leg)
            self.on_event(LegConnected(leg))
        base = int(sdp.split()[1]) if " " in sdp else 1000
        return answer_to(self.requests[leg][-1], base=base)

    def pair(self, a: LegId, b: LegId) -> None:
        self._check(a)
        self._check(b)
        self.pairs.append((a, b))

    def forward(self, leg: LegId, *, audio: bool, video: bool) -> None:
        self._check(leg)
        self.forwards[leg] = (audio, video)

    def expect(self, leg: LegId, *, audio: bool, video: bool) -> None:
        self._check(leg)
        self.expects[leg] = (audio, video)

    def request_key_frame(self, leg: LegId) -> None:
        self._check(leg)
        self.key_frames.append(leg)

    def tap(self, leg: LegId, sink: Sink | None) -> None:
        if sink is None:
            self.taps.pop(leg, None)
        else:
            self._check(leg)
            self.taps[leg] = sink

    def sample(self, leg: LegId, *, take: bool = False) -> LegSample:
        self._check(leg)
        found = self.sampled.get(leg, sample(leg))
        return dataclasses.replace(found, seen=self._after(leg, found.seen) if take else None)

    def _after(self, leg: LegId, second: Seen | None) -> Seen | None:
        """Let another second like this one pass."""
        if second is None:
            return None
        before = self.seconds.get(leg) or Seen(at=0.0)
        self.seconds[leg] = dataclasses.replace(
            second,
            **{name: getattr(before, name) + getattr(second, name) for name in GROWING},
        )
        return self.seconds[leg]

    def close_leg(self, leg: LegId) -> None:
        self.open.discard(leg)
        self.taps.pop(leg, None)

    def _check(self, leg: LegId) -> None:
        if leg not in self.open:
            raise NotFound("There is no such leg.")


def sample(
    leg: LegId,
    *,
    rtt_ms: float | None = 20.0,
    loss_up_pct: float | None = 0.0,
    loss_down_pct: float | None = 0.0,
    silent_ms: int | None = 0,
    seen: Seen | None = None,
) -> LegSample:
    if seen is None:
        seen = Seen(
            at=1.0,
            expected_up=1_000,
            lost_up=round(10 * (loss_up_pct or 0)),
            expected_down=1_000,
            lost_down=round(10 * (loss_down_pct or 0)),
            rtts_ms=() if rtt_ms is None else (rtt_ms,),
            unsaid_ms=silent_ms,
        )
    return LegSample(
        leg=leg,
        rtt_ms=rtt_ms,
        jitter_ms=1.0,
        kbps_up=24.0,
        kbps_down=24.0,
        bytes_up=1_000,
        bytes_down=2_000,
        silent_ms=silent_ms,
        transport=Transport.UDP,
        ip_version=4,
        seen=seen,
    )
