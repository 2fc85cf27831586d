"""When which peer sends what: the load of a call, spread over each 20 ms."""

from __future__ import annotations

import enum
from dataclasses import dataclass

CYCLE_S = 0.02
AUDIO_BYTES = 80
VIDEO_BYTES = 1100


class Profile(enum.StrEnum):
    """What each peer sends each second: 50 audio packets, and in video 120 video packets."""

    VIDEO = "video"
    VOICE = "voice"

    @property
    def packets_per_s(self) -> int:
        """Packets of a whole session, both directions."""
        return 340 if self is Profile.VIDEO else 100


@dataclass(frozen=True, slots=True)
class Slot:
    """At ``offset_s`` of every cycle ``peer`` sends, audio or a burst of video packets."""

    offset_s: float
    peer: int
    video: bool


def slots(peers: int, profile: Profile) -> list[Slot]:
    """Spread the peers evenly over the cycle; a peer's video comes half a cycle after its audio.

    A burst is what one video frame leaves behind: two or three packets back to back.
    """
    made: list[Slot] = []
    for peer in range(peers):
        offset_s = CYCLE_S * peer / peers
        made.append(Slot(offset_s, peer, video=False))
        if profile is Profile.VIDEO:
            made.append(Slot((offset_s + CYCLE_S / 2) % CYCLE_S, peer, video=True))
    return sorted(made, key=lambda slot: (slot.offset_s, slot.peer))


def burst(cycle: int, peer: int) -> int:
    """Video packets of this peer in this cycle: 12 in five cycles, which is 120 in a second."""
    return 3 if (cycle + peer) % 5 < 2 else 2
