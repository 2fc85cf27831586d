"""A microphone's file: espeak-ng reads, pauses are put between, until 71 % of the time is speech.

What is speech, ITU-T P.56 says (``bench/activity.py``). The pauses, digital silence, are 1.8 s on average:
about those of people who converse (ITU-T P.59: 1.6 s), but between longer stretches of speech.
"""

from __future__ import annotations

import array
import math
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

from bench.activity import HANGOVER_S, activity_factor

SHARE = 0.71
FRAME_S = 0.02
SILENCE_RMS = 200  # of 32,767: about -44 dB
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
    """What was written: its length in seconds, which share of it is speech, and its pauses in seconds."""

    seconds: float
    share: float
    pauses_s: tuple[float, ...]


def write_speech(path: Path) -> Speech:
    """Write a WAV of all sentences; each is followed by a pause that keeps the share."""
    samples, rate, pauses_s = array.array("h"), 0, []
    for sentence in SENTENCES:
        part, rate = _say(sentence, path.with_suffix(".part.wav"))
        whole_s = len(part) / rate + HANGOVER_S
        active_s = whole_s * activity_factor(part + _silence(HANGOVER_S, rate), rate)
        pauses_s.append(active_s / SHARE - len(part) / rate)
        samples.extend(part + _silence(pauses_s[-1], rate))
    _write(path, samples, rate)
    return Speech(len(samples) / rate, activity_factor(samples, rate), tuple(pauses_s))


def write_silence(path: Path, *, seconds: int = 10, rate: int = 48_000) -> None:
    """Write a WAV of zeros: a muted microphone would be told, this is only quiet."""
    _write(path, _silence(seconds, rate), rate)


def _silence(seconds: float, rate: int) -> array.array[int]:
    return array.array("h", bytes(2 * max(0, round(seconds * rate))))


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
