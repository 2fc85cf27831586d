"""How much data an hour of voice takes, in the default and in the lowest profile.

    python -m bench.voice_data [--loops 2] [--only default]

Two Chromiums in voice mode: one hears a speech file with 71 % speech, looped, the other is silent. All
IP packets of the speaking participant are counted on the interface, headers included, both ways: the
media port (RTP, RTCP, STUN) and, apart, the signaling port. By symmetry it is the other's figure too.
Whole loops of the file are counted: a part of one may have more speech, or less.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
from dataclasses import dataclass
from pathlib import Path

from playwright.async_api import Browser, Playwright, async_playwright

from bench.report import Figure, publish
from bench.sniffer import Sniffer
from bench.speech import Speech, write_silence, write_speech
from tests.browser.conftest import set_up, two_people
from tests.browser.driver import CHROMIUM

SETTLE_S = 8.0
SIGNALING_LIMIT_MB = 0.5


@dataclass(frozen=True, slots=True)
class Profile:
    """A voice profile, as an operator sets it, and its limit in MB an hour."""

    name: str
    kbps: int
    ptime_ms: int
    limit_mb: float


PROFILES = (Profile("default", 24, 40, 14.0), Profile("lowest", 12, 60, 9.0))


@dataclass(frozen=True, slots=True)
class Used:
    """MB an hour, packets a second, what the receiver's statistics say came, and media by kind."""

    media_mb: float
    signaling_mb: float
    packets_per_s: float
    heard: float
    parts: dict[str, str]


async def listener(playwright: Playwright, sound: Path) -> Browser:
    """A Chromium whose microphone is this file, over and over."""
    return await playwright.chromium.launch(
        executable_path=CHROMIUM,
        args=[
            "--no-sandbox",
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            "--autoplay-policy=no-user-gesture-required",
            f"--use-file-for-fake-audio-capture={sound}",
        ],
    )


async def measure(folder: Path, red: Browser, blue: Browser, profile: Profile, seconds: float) -> Used:
    stage = await set_up(folder)
    await asyncio.to_thread(stage.server.stop)
    stage.server.extra |= {
        "TEDUH_VOICE_BITRATE_KBPS": str(profile.kbps),
        "TEDUH_VOICE_PTIME_MS": str(profile.ptime_ms),
        "TEDUH_LOG_LEVEL": "WARNING",
    }
    await asyncio.to_thread(stage.server.start)
    media, signaling = [(one.host, one.port) for one in (stage.red.media, stage.red.http)]
    sniffer = Sniffer({media, signaling})
    try:
        async with two_people(stage, red, blue, mode="voice") as call:
            await call.blue.hears_packets()
            await asyncio.sleep(SETTLE_S)
            before = await call.blue.count("in_audio", "packets")
            sniffer.start()
            await asyncio.sleep(seconds)
            per_hour = 3600 / seconds / 1e6
            used = Used(
                sniffer.bytes[media] * per_hour,
                sniffer.bytes[signaling] * per_hour,
                sniffer.packets[media] / seconds,
                await call.blue.count("in_audio", "packets") - before,
                {
                    kind: f"{count * per_hour:.2f} MB/h, {sniffer.counts[kind] / seconds:.1f}/s"
                    for kind, count in sorted(sniffer.kinds.items())
                },
            )
    finally:
        sniffer.close()
        await stage.close()
    return used


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--loops", type=int, default=2, help="how often the file is heard through")
    asked.add_argument("--only", help="default or lowest")
    options = asked.parse_args()
    figures: list[Figure] = []
    parts: list[str] = []
    with tempfile.TemporaryDirectory() as folder:
        speech: Speech = write_speech(Path(folder) / "speech.wav")
        seconds = options.loops * speech.seconds
        write_silence(Path(folder) / "silence.wav")
        async with async_playwright() as playwright:
            red = await listener(playwright, Path(folder) / "speech.wav")
            blue = await listener(playwright, Path(folder) / "silence.wav")
            version = red.version
            for profile in PROFILES:
                if options.only in (None, profile.name):
                    used = await measure(Path(folder) / profile.name, red, blue, profile, seconds)
                    figures += lines(profile, used)
                    parts.append(f"{profile.name} profile: {used.parts}")
                    print(f"  {profile.name}: {used}", flush=True)
            await red.close()
            await blue.close()
    publish(
        "Voice data",
        figures,
        f"Chromium {version}; speech file of {speech.seconds:.1f} s, looped, with {speech.share:.1%} "
        f"speech (ITU-T P.56); {seconds:.1f} s counted a profile, IPv4 and UDP or TCP headers included",
        *parts,
    )


def lines(profile: Profile, used: Used) -> list[Figure]:
    how = f"{profile.name} profile ({profile.kbps} kbit/s, {profile.ptime_ms} ms)"
    return [
        Figure(
            f"voice data, {how}",
            f"{used.media_mb:.1f} MB/h ({used.packets_per_s:.1f} packets/s)",
            f"{profile.limit_mb:.0f} MB/h",
            used.media_mb <= profile.limit_mb,
        ),
        Figure(
            f"signaling beside it, {how}",
            f"{used.signaling_mb:.2f} MB/h",
            f"{SIGNALING_LIMIT_MB} MB/h",
            used.signaling_mb <= SIGNALING_LIMIT_MB,
        ),
    ]


if __name__ == "__main__":
    asyncio.run(main())
