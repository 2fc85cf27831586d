"""What is in a log: its tracks and Clusters, how long it is, where a player can enter.

Reads our own WebM alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from recordings.container import (
    CLUSTER,
    CODEC_PRIVATE,
    KEY_FRAME,
    PIXEL_HEIGHT,
    PIXEL_WIDTH,
    SIMPLE_BLOCK,
    TIMESTAMP,
    TRACK_NUMBER,
    TRACKS,
    VIDEO,
    Codec,
    Indexed,
    Track,
)
from recordings.ebml import EbmlBroken, read_number, walk

VOICE_CUE_MS: Final = 10_000
"""Where there is no picture, a place to enter this often."""
LAST_FRAME_MS: Final = 20


@dataclass(slots=True)
class Survey:
    """What records hold, taken one after another. ``end_ms`` is the end of the last frame."""

    tracks: dict[Codec, Track] = field(default_factory=dict)
    clusters: list[Indexed] = field(default_factory=list)
    frames: dict[Codec, int] = field(default_factory=dict)
    end_ms: int = 0
    _cued_ms: int | None = None

    def take(self, plain: bytes) -> None:
        """Take the elements of one record. Raises ``EbmlBroken``."""
        for one in walk(plain):
            if one.identifier == TRACKS:
                for entry in walk(plain, one.content, one.end):
                    self._add_track(_read_track(plain, entry.content, entry.end))
            elif one.identifier == CLUSTER:
                self._add_cluster(plain[one.begin : one.end], one.content - one.begin)

    def _add_track(self, track: Track) -> None:
        """Keep one of each, the largest."""
        known = self.tracks.get(track.codec)
        if known is None or track.width * track.height > known.width * known.height:
            self.tracks[track.codec] = track

    def _add_cluster(self, data: bytes, content: int) -> None:
        start_ms, entered, seen = 0, None, set[Codec]()
        for one in walk(data, content):
            if one.identifier == TIMESTAMP:
                start_ms = _unsigned(data, one.content, one.end)
            elif one.identifier == SIMPLE_BLOCK:
                track, at = read_number(data, one.content)
                codec = _codec(track)
                at_ms = start_ms + int.from_bytes(data[at : at + 2], "big", signed=True)
                self.end_ms = max(self.end_ms, at_ms + LAST_FRAME_MS)
                self.frames[codec] = self.frames.get(codec, 0) + 1
                if codec.is_video and codec not in seen and data[at + 2] & KEY_FRAME:
                    entered = codec
                seen.add(codec)
        if entered is None and seen == {Codec.OPUS}:
            waited = self._cued_ms is None or start_ms - self._cued_ms >= VOICE_CUE_MS
            entered = Codec.OPUS if waited else None
        if entered is not None:
            self._cued_ms = start_ms
        self.clusters.append(Indexed(start_ms, len(data), entered))

    @property
    def picture(self) -> Track | None:
        """The track of the picture, of several the one with most frames; None for a voice alone."""
        videos = [track for track in self.tracks.values() if self.frames.get(track.codec, 0)]
        videos = [track for track in videos if track.codec.is_video]
        return max(videos, key=lambda track: self.frames[track.codec], default=None)

    @property
    def in_order(self) -> list[Track]:
        """The tracks that hold something, the picture first: a player that takes one takes that."""
        picture = self.picture
        used = [track for track in self.tracks.values() if track.codec in self.frames]
        return sorted(used, key=lambda track: (track is not picture, track.codec))


def clusters_of(plain: bytes) -> Iterator[bytes]:
    """Yield the Clusters of one record as they stand. Raises ``EbmlBroken``."""
    for one in walk(plain):
        if one.identifier == CLUSTER:
            yield plain[one.begin : one.end]


def _read_track(data: bytes, begin: int, end: int) -> Track:
    codec, width, height, private = None, 0, 0, b""
    for one in walk(data, begin, end):
        if one.identifier == TRACK_NUMBER:
            codec = _codec(_unsigned(data, one.content, one.end))
        elif one.identifier == CODEC_PRIVATE:
            private = data[one.content : one.end]
        elif one.identifier == VIDEO:
            for inner in walk(data, one.content, one.end):
                if inner.identifier == PIXEL_WIDTH:
                    width = _unsigned(data, inner.content, inner.end)
                elif inner.identifier == PIXEL_HEIGHT:
                    height = _unsigned(data, inner.content, inner.end)
    if codec is None:
        raise EbmlBroken("A track has no number.")
    return Track(codec, width, height, private)


def _unsigned(data: bytes, begin: int, end: int) -> int:
    return int.from_bytes(data[begin:end], "big")


def _codec(track: int) -> Codec:
    try:
        return Codec(track)
    except ValueError:
        raise EbmlBroken(f"There is no track {track}.") from None
