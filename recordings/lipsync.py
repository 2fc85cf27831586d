"""Where a frame belongs on the recording's timeline. Pure.

A stream's RTP time says exactly how far its frames are apart, and nothing about where they are. Where is said
by when they come: the soonest of the last seconds counts, since the others waited somewhere. That is followed
slowly, so that clocks of unlike speed do not drift apart in an hour, and no sound is heard faster.

Voice and picture of one person come by unlike delays. Once a sender report of each is known (RFC 3550, 6.4.1:
one moment in the sender's clock and in the stream's), the picture goes where the voice of that moment is. The
voice itself never jumps.
"""

from __future__ import annotations

import math
from typing import Final

from media.codecs import Kind

SLEW: Final = 0.02
"""How much of the time that passes may be added or taken to get where it should be."""
WINDOW_MS: Final = 10_000.0
JUMP_MS: Final = 3_000.0
"""A stream that comes so far from where it should has a new clock: it begins anew where it comes."""
BELIEVED_MS: Final = 1_000.0
"""Reports that would put a picture farther than that from where it came are not believed."""
AHEAD_MS: Final = 1_000.0
"""Nothing is put farther ahead of when it came: a sender's clock does not make a recording longer than it
was."""
_RATES: Final = {Kind.AUDIO: 48, Kind.VIDEO: 90}
_NTP_PER_MS: Final = 65.536


class Stream:
    """The clock of one SSRC. All times are ms; those of the timeline count from its start."""

    __slots__ = (
        "_last",
        "_least_before_ms",
        "_least_ms",
        "_media_ms",
        "_rate",
        "_window_end",
        "offset_ms",
        "reported",
    )

    def __init__(self, kind: Kind) -> None:
        self._rate = _RATES[kind]
        self._last: int | None = None
        self._media_ms = 0.0
        self.offset_ms = 0.0
        # How soon frames came at best: in this window, and in the one before.
        self._least_ms = self._least_before_ms = math.inf
        self._window_end = 0.0
        self.reported: tuple[int, float] | None = None

    def media_ms(self, timestamp: int) -> float:
        """Unwrap an RTP time; the first one is 0."""
        if self._last is None:
            self._last = timestamp
            return 0.0
        step = (timestamp - self._last + 0x80000000 & 0xFFFFFFFF) - 0x80000000
        media_ms = self._media_ms + step / self._rate
        if step > 0:
            self._last, self._media_ms = timestamp, media_ms
        return media_ms

    def place(self, timestamp: int, came_ms: float) -> float:
        """Return where a frame belongs, by when it came alone."""
        known = self._last is not None
        before_ms = self._media_ms
        media_ms = self.media_ms(timestamp)
        transit_ms = came_ms - media_ms
        if not known or abs(transit_ms - self.offset_ms) > JUMP_MS:
            self._last, self._media_ms = timestamp, media_ms
            self.offset_ms, self.reported = transit_ms, None
            self._least_ms, self._least_before_ms = transit_ms, math.inf
            self._window_end = came_ms + WINDOW_MS
            return came_ms
        if came_ms >= self._window_end:
            self._least_ms, self._least_before_ms = transit_ms, self._least_ms
            self._window_end = came_ms + WINDOW_MS
        elif transit_ms < self._least_ms:
            self._least_ms = transit_ms
        least_ms = min(self._least_ms, self._least_before_ms)
        if least_ms != self.offset_ms and self._media_ms > before_ms:
            allowed_ms = SLEW * (self._media_ms - before_ms)
            self.offset_ms += max(-allowed_ms, min(allowed_ms, least_ms - self.offset_ms))
        return min(media_ms + self.offset_ms, came_ms + AHEAD_MS)

    def report(self, middle: int, timestamp: int) -> None:
        """Take a sender report: the middle 32 bits of its NTP time, and the RTP time of the same moment."""
        if self._last is not None:
            self.reported = (middle, self.media_ms(timestamp))


def place_picture(picture: Stream, voice: Stream | None, timestamp: int, came_ms: float) -> float:
    """Return where a picture belongs: beside the voice of its moment if reports say which."""
    came_at_ms = picture.place(timestamp, came_ms)
    if voice is None or voice.reported is None or picture.reported is None:
        return came_at_ms
    apart = (picture.reported[0] - voice.reported[0] + 0x80000000 & 0xFFFFFFFF) - 0x80000000
    voice_ms = voice.reported[1] + apart / _NTP_PER_MS + picture.media_ms(timestamp) - picture.reported[1]
    at_ms = voice_ms + voice.offset_ms
    return at_ms if abs(at_ms - came_at_ms) <= BELIEVED_MS else came_at_ms
