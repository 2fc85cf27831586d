"""A microphone's file: espeak-ng reads, pauses are put between, until 71 % of the time is speech.

Speech is what talkspurts cover; a gap of up to 200 ms within one is part of it (ITU-T P.59, 2.2).
"""

from __future__ import annotations

import array
import math
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

SHARE = 0.71
FRAME_S = 0.02
SILENCE_RMS = 200  # of 32,767: about -44 dB
BRIDGED_FRAMES = 10  # gaps of up to 200 ms
SENTENCES = (
    "Good morning, it is good that you have come back this week.",
    "I did not sleep well, and on Tuesday everything came at once.",
    "Tell me what happened on Tuesday, as slowly as you like.",
    "First there was a letter from the school, and then my mother called, and I could not stop thinking.",
    "And what did you notice in your body at that moment?",
    "My hands were cold, and I was breathing very fast, until I remembered what we had practised.",
    "That is worth a lot. Shall we look together at how you did it?",
    "Yes, please. I would like to be able to do it again when it happens at work.",
)


@dataclass(frozen=True, slots=True)
class Speech:
    """What was written: its length in seconds, and which share of it is speech."""

    seconds: float
    share: float


def write_speech(path: Path) -> Speech:
    """Write a WAV of all sentences; each is followed by a pause that keeps the share."""
    samples, rate = array.array("h"), 0
    for sentence in SENTENCES:
        part, rate = _say(sentence, path.with_suffix(".part.wav"))
        samples.extend(part)
        spoken_s = active_share(part, rate) * len(part) / rate
        pause_s = spoken_s / SHARE - len(part) / rate
        samples.extend(array.array("h", bytes(2 * max(0, round(pause_s * rate)))))
    _write(path, samples, rate)
    return Speech(len(samples) / rate, active_share(samples, rate))


def write_silence(path: Path, *, seconds: int = 10, rate: int = 48_000) -> None:
    """Write a WAV of zeros: a muted microphone would be told, this is only quiet."""
    _write(path, array.array("h", bytes(2 * seconds * rate)), rate)


def active_share(samples: array.array[int], rate: int) -> float:
    """The share of the time that talkspurts cover: loud frames of 20 ms and the short gaps between."""
    size = round(rate * FRAME_S)
    frames = [_rms(samples[at : at + size]) > SILENCE_RMS for at in range(0, len(samples) - size + 1, size)]
    active = 0
    last = -BRIDGED_FRAMES - 2
    for number, loud in enumerate(frames):
        if loud:
            gap = number - last - 1
            active += 1 + (gap if gap <= BRIDGED_FRAMES else 0)
            last = number
    return active / max(1, len(frames))


def _rms(samples: array.array[int]) -> float:
    return math.sqrt(sum(value * value for value in samples) / len(samples))


def _say(sentence: str, path: Path) -> tuple[array.array[int], int]:
    subprocess.run(["espeak-ng", "-v", "en", "-s", "150", "-w", str(path), sentence], check=True)
    with wave.open(str(path), "rb") as spoken:
        samples = array.array("h", spoken.readframes(spoken.getnframes()))
        rate = spoken.getframerate()
    path.unlink()
    return _trimmed(samples, rate), rate


def _trimmed(samples: array.array[int], rate: int) -> array.array[int]:
    size = round(rate * FRAME_S)
    loud = [at for at in range(0, len(samples), size) if _rms(samples[at : at + size]) > SILENCE_RMS]
    return samples[loud[0] : loud[-1] + size]


def _write(path: Path, samples: array.array[int], rate: int) -> None:
    with wave.open(str(path), "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(samples.tobytes())
