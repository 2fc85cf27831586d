"""When to ask a side for a key frame. Pure.

Without one a picture cannot begin, or go on after a loss; and a player enters a recording at key frames
alone, so one comes every ten seconds even if nothing is lost.
"""

from __future__ import annotations

import math
from typing import Final

AGAIN_S: Final = 1.0
EVERY_S: Final = 10.0
LIVE_S: Final = 1.0


class KeyFrames:
    """Keeps the count for one side. Times are monotonic seconds."""

    __slots__ = ("_asked_s", "_key_s", "_seen_s", "_wanted")

    def __init__(self) -> None:
        self._asked_s = self._key_s = self._seen_s = -math.inf
        self._wanted = False

    def seen(self, now_s: float) -> None:
        """Take that the side sends a picture."""
        self._seen_s = now_s

    def came(self, now_s: float) -> None:
        """Take that a whole key frame came."""
        self._key_s, self._wanted = now_s, False

    def want(self) -> None:
        """Take that the picture waits for one."""
        self._wanted = True

    def due(self, now_s: float) -> bool:
        """Say whether to ask now; asked again only as often as it may help."""
        if now_s - self._seen_s > LIVE_S:
            return False
        wait_s = AGAIN_S if self._wanted else EVERY_S
        if now_s - self._asked_s < wait_s or (not self._wanted and now_s - self._key_s < EVERY_S):
            return False
        self._asked_s = now_s
        return True
