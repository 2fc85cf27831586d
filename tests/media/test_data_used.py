"""The data that a leg has used, against what the network interface of a device says. Needs root."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from media.codecs import Mode
from media.events import LegId
from tests.media.rig import rig, rtp
from tests.netem.namespaces import WIFI, Roaming
from tests.peers.leg import Leg

SECONDS = 4.0
WITHIN = 0.02


@pytest.fixture(scope="module")
def roaming() -> Iterator[Roaming]:
    if os.geteuid() != 0:
        pytest.skip("a network namespace needs root")
    with Roaming() as made:
        yield made


@contextlib.contextmanager
def inside(name: str) -> Iterator[None]:
    """Let sockets that are made meanwhile belong to a namespace (setns(2), for this thread alone)."""
    libc = ctypes.CDLL(None, use_errno=True)
    home = os.open("/proc/thread-self/ns/net", os.O_RDONLY)
    away = os.open(f"/run/netns/{name}", os.O_RDONLY)
    try:
        if libc.setns(away, 0):
            raise OSError(ctypes.get_errno(), "setns")
        try:
            yield
        finally:
            libc.setns(home, 0)
    finally:
        os.close(home)
        os.close(away)


def counted(link: str) -> tuple[int, int]:
    """IP bytes from the device and to it, as its network's end here counted them."""
    folder = Path("/sys/class/net") / link / "statistics"

    return tuple(int((folder / f"{way}_bytes").read_text(encoding="ascii")) for way in ("rx", "tx"))  # type: ignore[return-value]  # two of them


async def talk(peer: Leg, other: Leg, *, video: bool) -> None:
    """Voice both ways, as in speech with pauses; with a picture from the one who is watched."""
    tasks = []
    for leg in (peer, other):
        tasks.append(voice(leg))
        if video:
            tasks.append(picture(leg))
    await asyncio.gather(*tasks)


async def voice(leg: Leg) -> None:
    for number in range(int(SECONDS / 0.04)):
        speaks = number % 50 < 35
        if speaks or number % 10 == 0:
            size = 100 if speaks else 4
            packet = rtp(
                bytes(size),
                payload_type=111,
                sequence=number,
                ssrc=leg.settings.audio_ssrcs[0],
                timestamp=number * 1_920,
            )
            leg.send_rtp(packet)
        await asyncio.sleep(0.04)


async def picture(leg: Leg) -> None:
    sequence = 0
    for number in range(int(SECONDS / 0.05)):
        for _ in range(3):
            sequence += 1
            ssrc = leg.settings.video_ssrcs[0]
            leg.send_rtp(
                rtp(bytes(1_000), payload_type=96, sequence=sequence, ssrc=ssrc, timestamp=number * 4_500)
            )
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
@pytest.mark.parametrize("mode", [Mode.VIDEO, Mode.VOICE])
async def test_the_data_used_is_what_the_interface_counts(
    roaming: Roaming, mode: Mode, transport: str
) -> None:
    async with rig(roaming.server) as made:
        link = f"td{os.getpid()}{WIFI[0]}"
        before = counted(link)
        with inside(roaming.name):
            peer = await made.join("away", transport=transport)
        other = await made.join("here")
        made.pair("away", "here")
        await talk(peer, other, video=mode is Mode.VIDEO)
        await asyncio.sleep(0.3)
        up, down = (now - then for now, then in zip(counted(link), before, strict=True))
        sample = made.relay.sample(LegId("away"))
        assert peer.received.rtp
        assert sample.bytes_up == pytest.approx(up, rel=WITHIN)
        assert sample.bytes_down == pytest.approx(down, rel=WITHIN)
