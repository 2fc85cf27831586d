"""What a player makes of a file: opened by FFmpeg (PyAV), decoded, and read."""

from __future__ import annotations

import io
import itertools
import math
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import av
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame

from tests.recordings.coded import BITS, number_in


@dataclass(slots=True)
class Played:
    """Times in ms; ``numbers`` are those that the pictures show; ``tones`` are (time, Hz) of each 100 ms."""

    duration_ms: float = 0.0
    pictures_ms: list[int] = field(default_factory=list)
    numbers: list[int] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    voice_ms: list[int] = field(default_factory=list)
    voice_s: float = 0.0
    tones: list[tuple[int, float]] = field(default_factory=list)
    codecs: list[str] = field(default_factory=list)


def play(webm: bytes, *, broken: bool = False, bits: int = BITS) -> Played:
    """Decode everything in a file; ``broken``: what is no frame is passed over; ``bits``: so many stripes."""
    played = Played()
    samples: list[tuple[int, float]] = []
    with av.open(io.BytesIO(webm), mode="r") as file:
        played.duration_ms = (file.duration or 0) / 1000
        played.codecs = [stream.codec_context.name for stream in file.streams if stream.codec_context]
        for packet in file.demux():
            for frame in _frames(packet, broken=broken):
                if not isinstance(frame, VideoFrame | AudioFrame):
                    continue
                at_ms = round(float(frame.time or 0) * 1000)
                if isinstance(frame, VideoFrame):
                    played.pictures_ms.append(at_ms)
                    played.numbers.append(number_in(frame, bits))
                    played.sizes.append((frame.width, frame.height))
                else:
                    played.voice_ms.append(at_ms)
                    played.voice_s += frame.samples / frame.sample_rate
                    samples += _samples(frame, at_ms)
    played.tones = _tones(samples)
    return played


def _frames(packet: av.Packet[Any], *, broken: bool) -> Sequence[object]:
    try:
        return packet.decode()
    except av.error.InvalidDataError:
        if not broken:
            raise
        return ()


def probe(file: Path, *asked: str | Path) -> list[str]:
    """What ffprobe says, one line each; it must find nothing to complain of."""
    told = subprocess.run(
        ["ffprobe", "-v", "warning", "-of", "csv=p=0", *asked, file],
        check=True,
        capture_output=True,
        text=True,
    )
    assert told.stderr == ""
    return told.stdout.splitlines()


def _samples(frame: AudioFrame, at_ms: int) -> list[tuple[int, float]]:
    plain = av.AudioResampler(format="s16", layout="mono", rate=8_000).resample(frame)
    data = b"".join(bytes(one.planes[0])[: 2 * one.samples] for one in plain)
    return [(at_ms + index // 8, float(value)) for index, value in enumerate(memoryview(data).cast("h"))]


def _tones(samples: list[tuple[int, float]]) -> list[tuple[int, float]]:
    """The pitch of each 100 ms by its zero crossings; 0 where it is quiet."""
    tones = []
    for start in range(0, len(samples) - 799, 800):
        piece = [value for _, value in samples[start : start + 800]]
        loud = math.sqrt(sum(value * value for value in piece) / len(piece))
        crossings = sum(1 for a, b in itertools.pairwise(piece) if (a < 0) != (b < 0))
        tones.append((samples[start][0], crossings / 2 * 10 if loud > 300 else 0.0))
    return tones
