"""Frames in, records out: Clusters of about a second, begun anew at each key frame. Pure.

The voice has no holes: where nothing came (silence, loss, a microphone that is off, a time off the record)
there is silence, so that no player stalls and both sides stay in step. A record is what ``log.LogWriter``
appends.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from recordings.container import OPUS_TRACK, Codec, Frame, Track, cluster, live_head
from recordings.depacketize import Picture
from recordings.voice import SILENCE, SILENCE_MS, duration_ms

CLUSTER_MS: Final = 900
"""With what is waited for before, and the way to the disk, a crash costs less than 1.5 s."""
SHORTEST_MS: Final = 200
"""A key frame begins no new Cluster so soon after the last one."""
MOST_BYTES: Final = 4 << 20
SILENT_CLUSTER_MS: Final = 10_000
VOICE_LAG_MS: Final = 1_000
"""For so long a picture waits for the voice beside it; longer than two comfort packets of DTX are apart."""
OVERLAP_MS: Final = 2
_GAP_MS: Final = SILENCE_MS - OVERLAP_MS / 2
"""A voice that is away for so long is filled up with silence."""
MOST_AHEAD_MS: Final = 1_000
"""Pictures of one moment are put a millisecond apart; of who sends more than this, no more is kept."""


@dataclass(frozen=True, slots=True)
class Piece:
    """One record, and where it ends on the timeline."""

    plain: bytes
    until_ms: int


class Cutter:
    """Collects the frames of one side; ``pieces`` are the records that are done, oldest first."""

    def __init__(self) -> None:
        self.pieces: list[Piece] = []
        self._frames: list[Frame] = []
        self._bytes = 0
        self._silence: list[bytes] = []
        self._tracks: dict[Codec, Track] = {}
        self._declared = False
        self._voice_end_ms = 0.0
        self._picture_ms = -1
        self._until_ms = 0

    @property
    def holds_since_ms(self) -> int | None:
        """The time of the first frame that is in no record yet, None without one."""
        return self._frames[0].at_ms if self._frames else None

    def voice(self, at_ms: float, packet: bytes) -> None:
        """Take one packet of Opus; what has its place taken already is left out."""
        lasts_ms = duration_ms(packet)
        if not lasts_ms or at_ms + lasts_ms <= self._voice_end_ms:
            return
        if at_ms - self._voice_end_ms >= _GAP_MS:
            self._fill(at_ms)
        at_ms = max(at_ms, self._voice_end_ms - OVERLAP_MS, 0.0)
        self._add(Frame(Codec.OPUS, round(at_ms), key=True, data=packet))
        self._voice_end_ms = at_ms + lasts_ms

    def picture(self, at_ms: float, picture: Picture) -> None:
        """Take one picture; never before the one that came before."""
        whole_ms = max(round(at_ms), self._picture_ms + 1)
        if whole_ms > round(at_ms) + MOST_AHEAD_MS:
            return
        self._picture_ms = whole_ms
        if picture.key:
            if self._frames and whole_ms - self._frames[0].at_ms >= SHORTEST_MS:
                self.cut()
            self._declare(Track(picture.codec, picture.width, picture.height, picture.private))
        self._add(Frame(picture.codec, whole_ms, key=picture.key, data=picture.data))

    def cut(self) -> None:
        """Make a record of what is held."""
        if not self._frames:
            return
        last_ms = self._frames[-1].at_ms
        if self._voice_end_ms + VOICE_LAG_MS < last_ms:
            self._fill(last_ms - VOICE_LAG_MS)
        self._declare(OPUS_TRACK)
        frames = sorted(self._frames, key=lambda frame: frame.at_ms)
        self._frames, self._bytes = [], 0
        self._until_ms = max(self._until_ms, frames[-1].at_ms + SILENCE_MS)
        head = b"" if self._declared else live_head(self._tracks.values())
        self._declared = True
        self.pieces.append(Piece(b"".join((head, *self._silence, cluster(frames))), self._until_ms))
        self._silence = []

    def _add(self, frame: Frame) -> None:
        size = self._bytes + len(frame.data)
        if self._frames and (frame.at_ms - self._frames[0].at_ms >= CLUSTER_MS or size > MOST_BYTES):
            self.cut()
            size = len(frame.data)
        self._frames.append(frame)
        self._bytes = size

    def _declare(self, track: Track) -> None:
        """Name a track in the head of the next record, unless it is named and no smaller."""
        known = self._tracks.get(track.codec)
        if known is None or track.width * track.height > known.width * known.height:
            self._tracks[track.codec] = track
            self._declared = False

    def _fill(self, until_ms: float) -> None:
        """Put silence between the voice and ``until_ms``: into this Cluster, or much of it into its own."""
        if until_ms - self._voice_end_ms > CLUSTER_MS:
            while until_ms - self._voice_end_ms > SILENCE_MS:
                end_ms = min(until_ms, self._voice_end_ms + SILENT_CLUSTER_MS)
                self._silence.append(cluster(self._silent(end_ms)))
            return
        self._frames += self._silent(until_ms)

    def _silent(self, until_ms: float) -> list[Frame]:
        frames = list[Frame]()
        while until_ms - self._voice_end_ms >= _GAP_MS:
            frames.append(Frame(Codec.OPUS, round(self._voice_end_ms), key=True, data=SILENCE))
            self._voice_end_ms += SILENCE_MS
        return frames
