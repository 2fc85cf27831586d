"""A relay and two independent peers on loopback, without the signaling between them."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import secrets
import struct
from collections.abc import AsyncIterator, Callable

from media.codecs import Mode
from media.description import OfferRequest
from media.events import LegConnected, LegId, MediaEvent, Streams
from media.relay import Relay, RelayConfig
from tests.peers.dtls import Certificate
from tests.peers.leg import Leg, LegSettings

WAIT_S = 5.0


def rtp(payload: bytes, *, payload_type: int, sequence: int, ssrc: int, timestamp: int = 0) -> bytes:
    """One RTP packet (RFC 3550, 5.1)."""
    return struct.pack("!BBHII", 0x80, payload_type, sequence & 0xFFFF, timestamp, ssrc) + payload


async def until(fact: Callable[[], bool], *, seconds: float = WAIT_S) -> None:
    """Wait until a fact holds; fails after ``seconds``."""
    async with asyncio.timeout(seconds):
        while not fact():  # noqa: ASYNC110  # any fact at all: there is no event to wait for
            await asyncio.sleep(0.005)


class Rig:
    """One relay, its events, and the peers that were joined."""

    def __init__(self, *hosts: str) -> None:
        bind = hosts or ("127.0.0.1",)
        self.events: list[MediaEvent] = []
        self.relay = Relay(
            RelayConfig(bind=bind, advertise=tuple((host, 0) for host in bind)), on_event=self.events.append
        )
        self.peers: dict[LegId, Leg] = {}

    def settings(self, **changes: object) -> LegSettings:
        """Settings of a peer with SSRCs of its own."""
        plain = LegSettings(audio_ssrcs=(_ssrc(),), video_ssrcs=(_ssrc(), _ssrc()), checks_s=0.2)
        return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # names are checked at run time

    async def join(self, name: str, *, mode: Mode = Mode.VIDEO, **changes: object) -> Leg:
        """Open a leg, answer its first offer, and wait until both have the keys."""
        leg, peer = LegId(name), Leg(Certificate(), self.settings(**changes))
        self.relay.open_leg(leg)
        self.peers[leg] = peer
        await self.negotiate(leg, OfferRequest(1, mode))
        await until(lambda: LegConnected(leg) in self.events and peer.connected.is_set())
        return peer

    async def negotiate(self, leg: LegId, request: OfferRequest) -> None:
        """One offer and its answer."""
        peer = self.peers[leg]
        self.relay.answer(leg, peer.take(self.relay.offer(leg, request)))
        await peer.start()

    def pair(self, a: str, b: str) -> None:
        """Let voice and video flow both ways."""
        first, second = LegId(a), LegId(b)
        self.relay.pair(first, second)
        for leg in (first, second):
            self.relay.forward(leg, audio=True, video=True)

    def told(self, kind: type[MediaEvent]) -> list[MediaEvent]:
        """The events of one kind, oldest first."""
        return [event for event in self.events if isinstance(event, kind)]


def _ssrc() -> int:
    return secrets.randbits(31) + 1


def streams_of(peer: Leg) -> Streams:
    """What a peer sends with."""
    return Streams(peer.settings.audio_ssrcs, peer.settings.video_ssrcs)


@contextlib.asynccontextmanager
async def rig(*hosts: str) -> AsyncIterator[Rig]:
    """A started rig, closed at the end."""
    made = Rig(*hosts)
    await made.relay.start()
    try:
        yield made
    finally:
        for peer in made.peers.values():
            await peer.close(silently=True)
        await made.relay.close()
