"""What the fake devices give: a tone and a colour for each side, made with the standard library."""

from __future__ import annotations

import math
import random
import struct
import wave
from dataclasses import dataclass
from pathlib import Path

RATE_HZ = 48_000
WIDTH, HEIGHT, FPS, FRAMES = 320, 240, 15, 15


@dataclass(frozen=True, slots=True)
class Look:
    """How one side looks and sounds. ``yuv`` is BT.601; ``rgb`` is what a canvas reads from it.

    A ``busy`` picture is full of noise: it takes all the bits that the line gives it, as a room with
    people does; the plain one needs next to none.
    """

    name: str
    tone_hz: int
    yuv: tuple[int, int, int]
    rgb: tuple[int, int, int]
    busy: bool = False

    def write(self, folder: Path) -> tuple[Path, Path]:
        """Write the WAV and the Y4M; returns their paths."""
        wav, y4m = folder / f"{self.name}.wav", folder / f"{self.name}.y4m"
        write_tone(wav, self.tone_hz)
        write_colour(y4m, self.yuv, busy=self.busy)
        return wav, y4m


RED = Look("red", 440, (81, 90, 240), (254, 0, 0))
BLUE = Look("blue", 880, (41, 240, 110), (0, 0, 255))


def write_tone(path: Path, tone_hz: int, *, on_s: float = 0.5, off_s: float = 0.15, pulses: int = 6) -> None:
    """Write beeps: noise suppression takes a tone that never stops for noise."""
    pulse = bytearray()
    for index in range(int(RATE_HZ * on_s)):
        fade = min(1.0, index / 480, (RATE_HZ * on_s - index) / 480)
        value = math.sin(2 * math.pi * tone_hz * index / RATE_HZ) * 0.5 * fade
        pulse += struct.pack("<h", int(value * 32_767))
    pulse += bytes(2 * int(RATE_HZ * off_s))
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(RATE_HZ)
        out.writeframes(bytes(pulse) * pulses)


def write_colour(path: Path, yuv: tuple[int, int, int], *, busy: bool = False) -> None:
    """Write a video of one colour with a small square that moves, so that no frame equals the last."""
    noise = random.Random(yuv[0])
    grain = bytes(max(16, min(235, yuv[0] + value % 48 - 24)) for value in range(256))
    with path.open("wb") as out:
        out.write(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F{FPS}:1 Ip A1:1 C420jpeg\n".encode())
        for number in range(FRAMES):
            luma = bytearray([yuv[0]]) * (WIDTH * HEIGHT)
            if busy:
                luma[:] = noise.randbytes(WIDTH * HEIGHT).translate(grain)
            left = number * 12
            for row in range(16):
                at = row * WIDTH + left
                luma[at : at + 16] = bytes([200]) * 16
            out.write(b"FRAME\n" + luma)
            out.write(bytes([yuv[1]]) * (WIDTH * HEIGHT // 4))
            out.write(bytes([yuv[2]]) * (WIDTH * HEIGHT // 4))
