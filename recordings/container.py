"""WebM (RFC 9559 with the WebM project's bounds): our own writer. Pure; knows frames, not packets.

Live, a record of the log is a header (only where the tracks have changed) and one Cluster of known size;
at the end ``head`` puts Duration and Cues in front of the same Clusters. Times are ms on the recording's
timeline: the timestamp scale is 1,000,000 ns.

Video is track 1 and Opus track 2. A side that goes on in another codec (another device, say) gets a track of
its own for that: a player that takes one video track alone shows the first.
"""

from __future__ import annotations

import enum
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

import msgspec

from recordings.ebml import UNKNOWN_SIZE, double, element, number, tag, text, unsigned

# RFC 9559, 5.1, and RFC 8794, 11.2.
EBML: Final = 0x1A45DFA3
SEGMENT: Final = 0x18538067
SEEK_HEAD, SEEK, SEEK_ID, SEEK_POSITION = 0x114D9B74, 0x4DBB, 0x53AB, 0x53AC
INFO, TIMESTAMP_SCALE, DURATION, MUXING_APP, WRITING_APP = 0x1549A966, 0x2AD7B1, 0x4489, 0x4D80, 0x5741
TRACKS, TRACK_ENTRY, TRACK_NUMBER, TRACK_UID, TRACK_TYPE = 0x1654AE6B, 0xAE, 0xD7, 0x73C5, 0x83
FLAG_LACING, CODEC_ID, CODEC_PRIVATE, CODEC_DELAY, SEEK_PRE_ROLL = 0x9C, 0x86, 0x63A2, 0x56AA, 0x56BB
VIDEO, PIXEL_WIDTH, PIXEL_HEIGHT = 0xE0, 0xB0, 0xBA
AUDIO, SAMPLING_FREQUENCY, CHANNELS = 0xE1, 0xB5, 0x9F
CLUSTER, TIMESTAMP, SIMPLE_BLOCK = 0x1F43B675, 0xE7, 0xA3
CUES, CUE_POINT, CUE_TIME, CUE_TRACK_POSITIONS, CUE_TRACK, CUE_CLUSTER_POSITION = (
    0x1C53BB6B,
    0xBB,
    0xB3,
    0xB7,
    0xF7,
    0xF1,
)
VOID: Final = 0xEC

WRITER: Final = "teduh"
KEY_FRAME: Final = 0x80  # RFC 9559, 10.2: the flags of a SimpleBlock
MAX_OFFSET_MS: Final = 32_767  # a block's timestamp is a signed 16-bit number, relative to its Cluster's
PRE_SKIP: Final = 312
"""Samples of 48 kHz by which libopus' output lags its input (RFC 7845, 4.2): 6.5 ms."""
_SHORT: Final = struct.Struct(">BHBhB")
_LONG: Final = struct.Struct(">BIBhB")
"""A SimpleBlock up to its frame (RFC 9559, 10.2), with a length of 2 bytes or of 4; track and time follow."""
OPUS_DELAY_NS: Final = 6_500_000
OPUS_PRE_ROLL_NS: Final = 80_000_000  # RFC 7845, 4.6


class Codec(enum.IntEnum):
    """What a track holds; the value is the number of its track."""

    VP8 = 1
    OPUS = 2
    VP9 = 3
    AV1 = 4

    @property
    def word(self) -> str:
        """The name in lower case, as it stands in tables."""
        return self.name.lower()

    @property
    def is_video(self) -> bool:
        """Whether it is a picture."""
        return self is not Codec.OPUS


CODEC_IDS: Final = {Codec.VP8: "V_VP8", Codec.OPUS: "A_OPUS", Codec.VP9: "V_VP9", Codec.AV1: "V_AV1"}


@dataclass(frozen=True, slots=True)
class Track:
    """What a header says of a track. ``private`` is its CodecPrivate: for AV1 alone there must be one."""

    codec: Codec
    width: int = 0
    height: int = 0
    private: bytes = b""


OPUS_TRACK: Final = Track(
    Codec.OPUS, private=b"OpusHead" + struct.pack("<BBHIhB", 1, 2, PRE_SKIP, 48_000, 0, 0)
)
"""RFC 7845, 5.1: version 1, two channels (RFC 7587, 7: a packet may have either), no gain, one stream."""


class Frame(msgspec.Struct, frozen=True, gc=False):
    """One whole coded frame, or packet of Opus, at a time on the recording's timeline."""

    codec: Codec
    at_ms: int
    key: bool
    data: bytes


@dataclass(frozen=True, slots=True)
class Indexed:
    """What ``head`` must know of a Cluster: its time, its size with everything, and what it begins."""

    at_ms: int
    size: int
    cue: Codec | None
    """The track that may be entered here; None: no player can begin here."""


def live_head(tracks: Iterable[Track]) -> bytes:
    """Return what a file without an end begins with: Clusters may follow for as long as one likes."""
    return _ebml_header() + tag(SEGMENT) + UNKNOWN_SIZE + _info() + _tracks(tracks)


def cluster(frames: Sequence[Frame]) -> bytes:
    """Return one Cluster of these frames, at least one, in order of time and within 32 s."""
    start_ms = frames[0].at_ms
    parts = [unsigned(TIMESTAMP, start_ms)]
    for frame in frames:
        size, flags = 4 + len(frame.data), KEY_FRAME if frame.key else 0
        if size < 0x3FFF:
            block = _SHORT.pack(
                SIMPLE_BLOCK, 0x4000 | size, 0x80 | frame.codec, frame.at_ms - start_ms, flags
            )
        else:
            block = _LONG.pack(
                SIMPLE_BLOCK, 0x1000_0000 | size, 0x80 | frame.codec, frame.at_ms - start_ms, flags
            )
        parts += (block, frame.data)
    return b"".join((tag(CLUSTER), number(sum(map(len, parts))), *parts))


def head(tracks: Iterable[Track], clusters: Sequence[Indexed], *, duration_ms: int) -> bytes:
    """Return what a finished file begins with: everything up to the first Cluster, the index included.

    All positions are written in 8 bytes, so that their values do not change the size of what holds them.
    """
    info, described = _info(duration_ms), _tracks(tracks)
    seek_bytes = len(_seek_head(0, 0, 0))
    cues_at = seek_bytes + len(info) + len(described)
    first_at = cues_at + len(_cues(clusters, 0))
    front = b"".join(
        (
            _seek_head(seek_bytes, seek_bytes + len(info), cues_at),
            info,
            described,
            _cues(clusters, first_at),
        )
    )
    size = len(front) + sum(one.size for one in clusters)
    return _ebml_header() + tag(SEGMENT) + number(size, 8) + front


def _ebml_header() -> bytes:
    """RFC 9559, 5.1.1 and RFC 8794, 11.2: DocType webm, version 4, readable by version 2."""
    return element(
        EBML,
        unsigned(0x4286, 1)
        + unsigned(0x42F7, 1)
        + unsigned(0x42F2, 4)
        + unsigned(0x42F3, 8)
        + text(0x4282, "webm")
        + unsigned(0x4287, 4)
        + unsigned(0x4285, 2),
    )


def _info(duration_ms: int | None = None) -> bytes:
    content = unsigned(TIMESTAMP_SCALE, 1_000_000) + text(MUXING_APP, WRITER) + text(WRITING_APP, WRITER)
    if duration_ms is not None:
        content += double(DURATION, float(duration_ms))
    return element(INFO, content)


def _tracks(tracks: Iterable[Track]) -> bytes:
    return element(TRACKS, b"".join(map(_track, tracks)))


def _track(track: Track) -> bytes:
    content = (
        unsigned(TRACK_NUMBER, track.codec)
        + unsigned(TRACK_UID, track.codec)
        + unsigned(FLAG_LACING, 0)
        + unsigned(TRACK_TYPE, 1 if track.codec.is_video else 2)
        + text(CODEC_ID, CODEC_IDS[track.codec])
    )
    if track.private:
        content += element(CODEC_PRIVATE, track.private)
    if track.codec.is_video:
        content += element(VIDEO, unsigned(PIXEL_WIDTH, track.width) + unsigned(PIXEL_HEIGHT, track.height))
    else:
        content += unsigned(CODEC_DELAY, OPUS_DELAY_NS) + unsigned(SEEK_PRE_ROLL, OPUS_PRE_ROLL_NS)
        content += element(AUDIO, double(SAMPLING_FREQUENCY, 48_000.0) + unsigned(CHANNELS, 2))
    return element(TRACK_ENTRY, content)


def _seek_head(info_at: int, tracks_at: int, cues_at: int) -> bytes:
    places = ((INFO, info_at), (TRACKS, tracks_at), (CUES, cues_at))
    return element(
        SEEK_HEAD,
        b"".join(
            element(SEEK, element(SEEK_ID, tag(which)) + unsigned(SEEK_POSITION, at, 8))
            for which, at in places
        ),
    )


def _cues(clusters: Sequence[Indexed], first_at: int) -> bytes:
    """Index the Clusters that can be entered; positions count from the content of the Segment."""
    points, at = [], first_at
    for one in clusters:
        if one.cue is not None:
            position = unsigned(CUE_TRACK, one.cue) + unsigned(CUE_CLUSTER_POSITION, at, 8)
            points.append(
                element(CUE_POINT, unsigned(CUE_TIME, one.at_ms) + element(CUE_TRACK_POSITIONS, position))
            )
        at += one.size
    return element(CUES, b"".join(points))
