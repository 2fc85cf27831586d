"""When which leg sends what: pure, the same for the relay and for its baseline.

The legs are spread evenly over the 20 ms of a voice packet, as calls are that began at any time; in
``VOICE``, which has hundreds of them, to the millisecond: a generator that wakes up for each packet
costs as much as the server.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

PACKET_S = 0.02
VOICE_STEPS = 20  # moments of a voice packet's 20 ms at which the legs of ``VOICE`` send
VIDEO_BY_TICK = (2, 2, 3, 2, 3)


class Shape(enum.Enum):
    """What one leg sends in a second."""

    CALL = "call"  # 50 voice packets, 120 video packets in bursts of 2 or 3 behind each voice packet
    SPREAD = "spread"  # the same, each packet by itself
    VOICE = "voice"  # 50 voice packets
    THIN = "thin"  # 10 voice and 10 video packets: enough to have every stream known


@dataclass(frozen=True, slots=True, order=True)
class Burst:
    """What a leg sends at once, ``at_s`` seconds after a period began."""

    at_s: float
    leg: int
    audio: int
    video: int


@dataclass(frozen=True, slots=True)
class Period:
    """Bursts in the order of time, to be repeated every ``length_s``."""

    length_s: float
    bursts: tuple[Burst, ...]

    def packets_per_s(self) -> float:
        """Of all legs together."""
        return sum(burst.audio + burst.video for burst in self.bursts) / self.length_s


def period(shape: Shape, legs: int) -> Period:
    """The shortest span after which the schedule of ``legs`` legs repeats itself."""
    length_s = PACKET_S if shape is Shape.VOICE else len(VIDEO_BY_TICK) * PACKET_S
    bursts: list[Burst] = []
    for leg in range(legs):
        phase_s = PACKET_S * leg / legs
        if shape is Shape.VOICE and legs > VOICE_STEPS:
            phase_s = PACKET_S * (leg * VOICE_STEPS // legs) / VOICE_STEPS
        bursts += (
            Burst((phase_s + at_s) % length_s, leg, audio, video) for at_s, audio, video in _of_one_leg(shape)
        )
    return Period(length_s, tuple(sorted(bursts)))


def _of_one_leg(shape: Shape) -> list[tuple[float, int, int]]:
    ticks = [(number * PACKET_S, number) for number in range(len(VIDEO_BY_TICK))]
    match shape:
        case Shape.CALL:
            return [(at_s, 1, VIDEO_BY_TICK[number]) for at_s, number in ticks]
        case Shape.SPREAD:
            videos = sum(VIDEO_BY_TICK)
            span_s = len(ticks) * PACKET_S
            alone = [(span_s * (number + 0.5) / videos, 0, 1) for number in range(videos)]
            return [(at_s, 1, 0) for at_s, _ in ticks] + alone
        case Shape.VOICE:
            return [(0.0, 1, 0)]
        case Shape.THIN:
            return [(0.0, 1, 1)]
