"""The real server as a process, sessions made by its API, and joins by the tests' independent peers."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import sys
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from bench.baseline import big_receive_buffer
from bench.process import Child, child, many_files
from bench.senders import Handle
from tests.e2e.server import Server, free_port
from tests.peers.dtls import SrtpProfile
from tests.peers.links import UdpLink
from tests.peers.peer import Peer, random_settings

PROFILE = SrtpProfile.AEAD_AES_128_GCM
PATIENCE_S = 20.0
LOG_TAIL = 4_000


@dataclass(slots=True)
class Stage:
    """A running server and all who joined it."""

    server: Server
    http: aiohttp.ClientSession
    peers: list[Peer] = field(default_factory=list)
    sockets: list[socket.socket] = field(default_factory=list)

    @property
    def pid(self) -> int:
        """The server's process id."""
        assert self.server.process is not None
        return self.server.process.pid

    def ports(self) -> list[int]:
        """Local ports of the legs that were handed over."""
        return [int(sock.getsockname()[1]) for sock in self.sockets]

    async def pair(self, *, mode: str = "video", recording: str = "off") -> tuple[Peer, Peer]:
        """Make a session, let both join, and wait until media may flow."""
        session = await self.server.create_session(self.http, mode=mode, recording=recording)
        pair = tuple(
            Peer(self.http, place, settings=random_settings(profiles=(PROFILE,)))
            for place in (session.client, session.counselor)
        )
        self.peers += pair
        for peer in pair:
            await peer.join(within_s=PATIENCE_S)
        for peer in pair:
            await peer.paired(within_s=PATIENCE_S)
        # The load stops now and then: nothing is to be missed when it does.
        for peer in pair:
            await peer.on.ask("media", audio=False, video=False)
        return pair[0], pair[1]

    async def hand_over(self, peer: Peer) -> Handle:
        """Stop a peer's own media; whoever gets the handle goes on from the same port and keys."""
        leg, link = peer.media, peer.media.link
        assert isinstance(link, UdpLink)
        assert leg.dtls is not None
        assert leg.dtls.keys is not None
        port, candidate = link.local_port, link.candidate
        await leg.close(silently=True)
        for _ in range(3):
            await asyncio.sleep(0)  # the transport closes its socket in a later turn of the loop
        sock = connected((candidate.address, candidate.port), port=port)
        self.sockets.append(sock)
        return {
            "fd": sock.fileno(),
            "profile": leg.dtls.keys.profile.name,
            "sending": leg.dtls.keys.sending.hex(),
            "receiving": leg.dtls.keys.receiving.hex(),
            "audio_ssrc": peer.settings.audio_ssrcs[0],
            "video_ssrc": peer.settings.video_ssrcs[0],
        }

    async def handles(self, sessions: int, *, mode: str = "video", recording: str = "off") -> list[Handle]:
        """Bring sessions up one after another; handles of both sides of each, side by side."""
        found: list[Handle] = []
        for _ in range(sessions):
            found += [await self.hand_over(peer) for peer in await self.pair(mode=mode, recording=recording)]
        return found

    def still_here(self) -> int:
        """How many WebSockets are open."""
        return sum(1 for peer in self.peers if peer.wire is not None and peer.wire.close_code is None)


@contextlib.asynccontextmanager
async def serving(**settings: str) -> AsyncIterator[Stage]:
    """``teduh serve`` on free ports of the loopback, as an operator would run it, without debug logs."""
    many_files()
    plain = {"TEDUH_LOG_LEVEL": "WARNING", "TEDUH_API_REQUESTS_PER_S": "1000"}
    with tempfile.TemporaryDirectory() as folder:
        server = Server(
            Path(folder) / "data",
            http_port=free_port(),
            media_addresses=("127.0.0.1",),
            extra=plain | {f"TEDUH_{name}": value for name, value in settings.items()},
        )
        try:
            await asyncio.to_thread(server.start)
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as http:
                stage = Stage(server, http)
                yield stage
                await asyncio.gather(*(peer.close() for peer in stage.peers), return_exceptions=True)
                for sock in stage.sockets:
                    sock.close()
        except BaseException:
            print(server.log()[-LOG_TAIL:], file=sys.stderr)
            raise
        finally:
            if server.process is not None and server.process.poll() is None:
                await asyncio.to_thread(server.stop)


@dataclass(slots=True)
class Bare:
    """The baseline, and sockets whose packets it exchanges in pairs."""

    child: Child
    port: int
    sockets: list[socket.socket] = field(default_factory=list)

    async def handles(self, sessions: int) -> list[Handle]:
        """Handles as ``Stage.handles`` gives them, without keys."""
        made = [connected(("127.0.0.1", self.port)) for _ in range(2 * sessions)]
        self.sockets += made
        ports = [int(sock.getsockname()[1]) for sock in made]
        await self.child.ask(routes=[*zip(ports[::2], ports[1::2], strict=True)])
        return [{"fd": sock.fileno(), "audio_ssrc": 1, "video_ssrc": 2} for sock in made]

    async def forwarded(self) -> int:
        """How many packets it has passed on."""
        return int((await self.child.ask(count=True))["forwarded"])


@contextlib.asynccontextmanager
async def bare_forwarder() -> AsyncIterator[Bare]:
    """The baseline as a process of its own."""
    async with child("bench.baseline") as process:
        bare = Bare(process, int((await process.ask())["port"]))
        try:
            yield bare
        finally:
            for sock in bare.sockets:
                sock.close()


def connected(where: tuple[str, int], *, port: int = 0) -> socket.socket:
    """A UDP socket of this machine, connected, with room for a burst."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    big_receive_buffer(sock)
    sock.bind(("127.0.0.1", port))
    sock.connect(where)
    return sock


@contextlib.asynccontextmanager
async def load(groups: dict[str, list[Handle]], *, module: str = "bench.generator") -> AsyncIterator[Child]:
    """The load generator, ready, with these legs."""
    files = [int(handle["fd"]) for handles in groups.values() for handle in handles]
    async with child(module, files=files) as process:
        await process.ask(groups=groups)
        yield process


async def media_counters(stage: Stage) -> dict[str, float]:
    """The relay's counters, by ``/metrics``."""
    async with stage.http.get(f"{stage.server.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    pairs = (line.rsplit(" ", 1) for line in lines if line.startswith("teduh_media_"))
    return {name.removeprefix("teduh_media_"): float(value) for name, value in pairs}
