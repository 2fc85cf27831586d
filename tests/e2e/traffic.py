"""Packets to compare: what one side sends has to come out at the other bit for bit."""

from __future__ import annotations

import asyncio
import random

from tests.peers.peer import Peer
from tests.peers.rtp import OPUS, VP8, Rtp

PACE_S = 0.002
LARGEST_DATAGRAM = 1_500


def packets(
    ssrc: int,
    *,
    payload_type: int,
    count: int,
    seed: int = 1,
    size: tuple[int, int] = (20, 1_100),
    first: int = 60_000,
) -> list[bytes]:
    """RTP packets with random payloads; sequence numbers run over the wrap unless told otherwise."""
    chance = random.Random(seed)
    made = []
    for number in range(count):
        payload = chance.randbytes(chance.randint(*size))
        sequence = (first + number) & 0xFFFF
        made.append(Rtp(payload_type, sequence, 960 * number, ssrc, payload).pack())
    return made


def media_of(peer: Peer, *, count: int = 60, seed: int = 1, first: int = 60_000) -> list[bytes]:
    """Voice and video packets of a peer, mixed."""
    settings = peer.settings
    voice = packets(
        settings.audio_ssrcs[0], payload_type=OPUS, count=count, seed=seed, size=(20, 160), first=first
    )
    video = packets(settings.video_ssrcs[0], payload_type=VP8, count=count, seed=seed + 1, first=first)
    return [packet for both in zip(voice, video, strict=True) for packet in both]


async def pass_over(sender: Peer, receiver: Peer, sent: list[bytes], *, within_s: float = 5.0) -> None:
    """Send all and see that exactly that arrives, in any order. Raises AssertionError."""
    receiver.media.received.rtp.clear()
    for packet in sent:
        sender.send_rtp(packet)
        await asyncio.sleep(PACE_S)
    got = await receiver.receive(len(sent), within_s=within_s)
    missing, extra = set(sent) - set(got), set(got) - set(sent)
    assert sorted(got) == sorted(sent), f"{len(missing)} missing, {len(extra)} extra, of {len(sent)}"


async def both_ways(one: Peer, other: Peer, *, count: int = 60, seed: int = 1, first: int = 60_000) -> None:
    """Voice and video arrive unchanged in both directions at once."""
    await asyncio.gather(
        pass_over(one, other, media_of(one, count=count, seed=seed, first=first)),
        pass_over(other, one, media_of(other, count=count, seed=seed + 100, first=first)),
    )


async def arrives(sender: Peer, receiver: Peer, *, first: int, within_s: float = 5.0) -> float:
    """Send voice at 50 packets/s until one arrives; returns the seconds that took."""
    loop = asyncio.get_running_loop()
    receiver.media.received.rtp.clear()
    began_s = loop.time()
    ssrc = sender.settings.audio_ssrcs[0]
    for packet in packets(ssrc, payload_type=OPUS, count=int(within_s / 0.02), first=first):
        sender.send_rtp(packet)
        await asyncio.sleep(0.02)
        if receiver.media.received.rtp:
            return loop.time() - began_s
    raise AssertionError(f"nothing arrived in {within_s} s")
