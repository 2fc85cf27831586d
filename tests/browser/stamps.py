"""A camera and a microphone that say what time it is (``stamps.js``), and what a player or a file says of it.

A picture counts ticks of ``TICK_MS`` in stripes, and starts anew after some minutes; a tone goes up with each
second, and is another one while the page is told that it is off the record.
"""

from __future__ import annotations

import bisect
import statistics
from dataclasses import dataclass
from pathlib import Path

from recordings.states import Side
from tests.recordings.playing import Played, play

TICK_MS, BITS = 50, 12
OFF_HZ = {Side.CLIENT: 2_400, Side.COUNSELOR: 2_900}
_BASE_HZ = {Side.CLIENT: 400, Side.COUNSELOR: 1_300}
_SCRIPT = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")


def script(side: Side) -> str:
    """The script for a page on this side; where nothing is sent, either does."""
    return _SCRIPT.replace("__STAMPS__", f"[{list(Side).index(side)}, {BITS}, {TICK_MS}]")


def hertz_at(side: Side, at_ms: float) -> int:
    """The tone at a moment since 1970."""
    return _BASE_HZ[side] + 200 * (int(at_ms // 1_000) % 4)


def time_of(code: int, near_ms: float) -> float:
    """Read the stripes (a Gray code) as the middle of their tick: ms since 1970, of some minutes around."""
    tick = 0
    while code:
        tick ^= code
        code >>= 1
    near = int(near_ms // TICK_MS)
    apart = (tick - near + (1 << BITS - 1)) % (1 << BITS) - (1 << BITS - 1)
    return (near + apart + 0.5) * TICK_MS


@dataclass(frozen=True, slots=True)
class Filmed:
    """One side's file, decoded. ``times_ms`` are what its pictures say, since 1970."""

    side: Side
    played: Played
    times_ms: list[float]

    @staticmethod
    def of(side: Side, webm: bytes, *, near_ms: float) -> Filmed:
        """Decode a file of somewhat around this moment."""
        played = play(webm, bits=BITS)
        return Filmed(side, played, [time_of(code, near_ms) for code in played.numbers])

    @property
    def began_ms(self) -> float:
        """When its timeline was at zero, by its pictures."""
        shown = zip(self.times_ms, self.played.pictures_ms, strict=True)
        return statistics.median(time - at for time, at in shown)

    def around(self, at_ms: float) -> list[float]:
        """What is seen at a moment of the timeline, or would be a picture earlier or later."""
        last = bisect.bisect_right(self.played.pictures_ms, at_ms) - 1
        return self.times_ms[max(0, last - 1) : last + 2]
