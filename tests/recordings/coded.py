"""Pictures and voice as browsers would code them, whose contents say which frame they are."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
from av.audio.frame import AudioFrame
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame

from recordings.container import Codec

ENCODERS = {Codec.VP8: "libvpx", Codec.VP9: "libvpx-vp9", Codec.AV1: "libsvtav1"}
SPEED = {"deadline": "realtime", "cpu-used": "8", "lag-in-frames": "0"}
SPEED_AV1 = {"preset": "11", "svtav1-params": "pred-struct=1:rc=2:rtc=1"}
BITS = 8


@dataclass(frozen=True, slots=True)
class Coded:
    """One coded picture."""

    data: bytes
    key: bool


def pictures(
    codec: Codec, count: int, *, size: tuple[int, int] = (160, 120), keys: int = 30, first: int = 0
) -> list[Coded]:
    """Pictures whose eight stripes show the number of the frame in binary; a key frame every so often."""
    encoder = cast("VideoCodecContext", av.CodecContext.create(ENCODERS[codec], "w"))
    encoder.width, encoder.height = size
    encoder.pix_fmt = "yuv420p"
    encoder.time_base = Fraction(1, 30)
    encoder.bit_rate = 400_000
    encoder.gop_size = keys
    encoder.options = SPEED_AV1 if codec is Codec.AV1 else SPEED
    made = []
    for number in range(count):
        packets = encoder.encode(_picture(first + number, size, number))
        made += [Coded(bytes(packet), bool(packet.is_keyframe)) for packet in packets]
    made += [Coded(bytes(packet), bool(packet.is_keyframe)) for packet in encoder.encode(None)]
    assert len(made) == count
    return made


def _picture(number: int, size: tuple[int, int], pts: int) -> VideoFrame:
    width, height = size
    frame = VideoFrame(width, height, "yuv420p")
    row = bytearray()
    for bit in range(BITS):
        share = width // BITS if bit < BITS - 1 else width - (BITS - 1) * (width // BITS)
        row += bytes([220 if number >> bit & 1 else 30]) * share
    luma = frame.planes[0]
    luma.update(b"".join(bytes(row).ljust(luma.line_size, b"\0") for _ in range(height)))
    for plane in frame.planes[1:]:
        plane.update(bytes([128]) * plane.buffer_size)
    frame.pts = pts
    return frame


def number_in(frame: VideoFrame, bits: int = BITS) -> int:
    """Read the number that a decoded picture shows in so many stripes."""
    plane = frame.reformat(format="yuv420p").planes[0]
    data, width = bytes(plane), frame.width
    middle = (frame.height // 2) * plane.line_size
    share = width // bits
    return sum((data[middle + bit * share + share // 2] > 125) << bit for bit in range(bits))


def voice(packets: int, *, hertz: float = 440.0, ms: int = 20) -> list[bytes]:
    """Packets of Opus with a tone."""
    encoder = av.CodecContext.create("libopus", "w")
    encoder.sample_rate = 48_000
    encoder.layout = "mono"
    encoder.format = "s16"
    encoder.bit_rate = 24_000
    encoder.options = {"application": "voip", "frame_duration": str(ms)}
    samples = 48 * ms
    made: list[bytes] = []
    at = 0
    while len(made) < packets:
        frame = AudioFrame(format="s16", layout="mono", samples=samples)
        frame.sample_rate, frame.pts = 48_000, at
        tone = (int(9_000 * math.sin(2 * math.pi * hertz * (at + i) / 48_000)) for i in range(samples))
        frame.planes[0].update(struct.pack(f"<{samples}h", *tone).ljust(frame.planes[0].buffer_size, b"\0"))
        made += [bytes(packet) for packet in encoder.encode(frame)]
        at += samples
    return made[:packets]
