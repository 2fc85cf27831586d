"""A participant without a browser: the session protocol and WebRTC, from signaling.md alone.

peer = Peer(http, place, settings=LegSettings(transport="tcp"))
await peer.join()
await peer.paired()
peer.send_rtp(packet)
packets = await peer.receive(1)
await peer.close()
"""

from __future__ import annotations

import asyncio
import dataclasses
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import aiohttp

from tests.peers.dtls import Certificate
from tests.peers.leg import Leg, LegSettings
from tests.peers.wire import WAIT_S, Message, Wire

CODECS = ("audio/opus", "video/VP8")


@dataclass(frozen=True, slots=True)
class Place:
    """What the API gave for one participant, and the server that gave it."""

    url: str
    participant: str
    token: str
    join_url: str = ""
    role: str = "client"

    @property
    def signal_url(self) -> str:
        """Where the WebSocket is."""
        return f"{self.url}/api/v1/signal"


def random_settings(**changes: object) -> LegSettings:
    """Settings with random SSRCs, as a browser has them."""
    plain = LegSettings(
        audio_ssrcs=(_ssrc(),),
        video_ssrcs=(_ssrc(), _ssrc()),
    )
    return dataclasses.replace(plain, **changes)  # type: ignore[arg-type]  # the names are checked at run time


def _ssrc() -> int:
    return secrets.randbits(31) + 1


class Peer:
    """One participant. Offers are answered by themselves unless ``answers`` is turned off."""

    def __init__(
        self,
        http: aiohttp.ClientSession,
        place: Place,
        *,
        settings: LegSettings | None = None,
        codecs: tuple[str, ...] = CODECS,
    ) -> None:
        self.http = http
        self.place = place
        self.settings = settings or random_settings()
        self.codecs = codecs
        self.certificate = Certificate()
        self.answers = True
        self.wire: Wire | None = None
        self.leg: Leg | None = None
        self.leg_id: str | None = None
        self.welcome: Message = {}
        self.offers: list[Message] = []
        self.peer_state: str | None = None
        self._work: asyncio.Queue[Message] = asyncio.Queue()
        self._worker: asyncio.Task[None] | None = None
        self._leg_made = asyncio.Event()
        self._answered = asyncio.Event()

    @property
    def on(self) -> Wire:
        """The open WebSocket."""
        assert self.wire is not None, "join() first"
        return self.wire

    @property
    def media(self) -> Leg:
        """The newest leg."""
        assert self.leg is not None, "no offer came yet"
        return self.leg

    async def join(self, *, resume: Message | None = None, within_s: float = WAIT_S) -> Message:
        """Open the WebSocket and say hello; returns the welcome."""
        await self.enter(resume=resume)
        self.welcome = await self.on.expect("welcome", within_s=within_s)
        return self.welcome

    async def enter(self, *, resume: Message | None = None) -> None:
        """Open the WebSocket and say hello, without waiting for the welcome."""
        self.wire = await Wire.open(self.http, self.place.signal_url)
        self.wire.listeners.append(self._listen)
        if self._worker is None:
            self._worker = asyncio.get_running_loop().create_task(self._handle_offers())
        hello: Message = {"token": self.place.token, "codecs": list(self.codecs)}
        if resume is not None:
            hello["resume"] = resume
        await self.wire.send("hello", **hello)

    def resume_key(self) -> Message:
        """What ``join(resume=...)`` takes to come back after the present WebSocket."""
        return {"key": self.welcome["resume_key"], "seq": self.on.last_seq()}

    async def resume(self) -> Message:
        """Come back over a new WebSocket with the kept key."""
        return await self.join(resume=self.resume_key())

    def _listen(self, message: Message) -> None:
        match message.get("type"):
            case "offer":
                self.offers.append(message)
                self._work.put_nowait(message)
            case "peer":
                self.peer_state = message["state"]
            case "welcome":
                self.peer_state = message["peers"][0]["state"] if message["peers"] else None

    async def _handle_offers(self) -> None:
        while True:
            offer = await self._work.get()
            if not self.answers:
                continue
            if offer["leg"] != self.leg_id:
                if self.leg is not None:
                    await self.leg.close(silently=True)
                self.leg, self.leg_id = Leg(self.certificate, self.settings), offer["leg"]
                self._leg_made.set()
            before = self.media.offer
            sdp = self.media.take(offer["sdp"])
            try:
                await self.on.request("answer", leg=offer["leg"], negotiation=offer["negotiation"], sdp=sdp)
            except ConnectionError:
                continue  # The socket is gone; the open offer comes again after the next welcome.
            now = self.media.offer
            if before is None or (now is not None and now.ufrag != before.ufrag):
                await self.media.start()
            self._answered.set()

    async def connected(self, *, within_s: float = WAIT_S) -> None:
        """Wait until DTLS of the newest leg is up."""
        async with asyncio.timeout(within_s):
            await self._leg_made.wait()
            await self.media.connected.wait()

    async def paired(self, *, within_s: float = WAIT_S) -> None:
        """Wait until DTLS is up and the other side is connected: from now on media may be sent."""
        await self.connected(within_s=within_s)
        async with asyncio.timeout(within_s):
            while self.peer_state != "connected":
                await self.on.expect("peer", within_s=within_s)

    async def until(self, holds: Callable[[Leg], bool], *, within_s: float = WAIT_S) -> None:
        """Wait until the newest leg, after some answered offer, fits."""
        async with asyncio.timeout(within_s):
            await self._leg_made.wait()
            while not holds(self.media):
                self._answered.clear()
                await self._answered.wait()

    def send_rtp(self, packet: bytes) -> None:
        """Encrypt and send one RTP packet."""
        self.media.send_rtp(packet)

    def send_rtcp(self, packet: bytes) -> None:
        """Encrypt and send one RTCP compound."""
        self.media.send_rtcp(packet)

    async def receive(self, count: int, *, within_s: float = WAIT_S) -> list[bytes]:
        """Wait for ``count`` RTP packets and take all that are there, oldest first."""
        leg = self.media
        async with asyncio.timeout(within_s):
            while len(leg.received.rtp) < count:
                leg.arrived.clear()
                await leg.arrived.wait()
        taken, leg.received.rtp = leg.received.rtp, []
        return taken

    async def restart(self, *, fresh: bool = False) -> None:
        """Ask for new ICE credentials (or, ``fresh``, a new leg) and wait until it is in use."""
        self._answered.clear()
        await self.on.ask("restart", fresh=fresh)
        async with asyncio.timeout(WAIT_S):
            await self._answered.wait()
            await self.media.checked.wait()

    async def close(self, *, silently: bool = False) -> None:
        """Close everything; ``silently`` drops the connection like a lost device. Idempotent."""
        if self._worker is not None:
            self._worker.cancel()
            await asyncio.gather(self._worker, return_exceptions=True)
            self._worker = None
        if self.leg is not None:
            await self.leg.close(silently=silently)
        if self.wire is not None:
            await (self.wire.kill() if silently else self.wire.close())
