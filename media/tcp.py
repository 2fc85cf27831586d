"""ICE-TCP on the media port's number: passive (RFC 6544), framed as RFC 4571 says."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, cast

if TYPE_CHECKING:
    from media.paths import TcpPath

MAX_FRAME = 1500
MAX_UNPROVEN = 200
MAX_UNPROVEN_FOR_ADDRESS = 50
PROVE_S = 5.0
VIDEO_LIMIT_BYTES = 32 * 1024
LIMIT_BYTES = 64 * 1024
STUCK_S = 5.0
SEND_BUFFER_BYTES = 64 * 1024
USER_TIMEOUT_MS = 10_000
# struct tcp_info of linux/tcp.h: tcpi_segs_out and tcpi_segs_in, and tcpi_bytes_retrans (Linux 4.19).
TCP_INFO_BYTES, SEGMENTS_AT, REPEATED_AT = 216, 136, 208


@dataclass(frozen=True, slots=True)
class Segments:
    """TCP segments of a connection since it began, acknowledgements counted, and bytes that went again."""

    received: int
    sent: int
    repeated_bytes: int


class Frames(Protocol):
    """Who takes what arrives."""

    def tcp_frame(self, connection: TcpConnection, data: memoryview) -> None:
        """Take one frame of at most 1,500 bytes; must not raise."""
        ...

    def count(self, what: str) -> None:
        """Count one thing that was dropped."""
        ...


class TcpListener:
    """Accepts connections on one port at each address, with limits for those not proven yet.

    A connection is proven by its first authentic check, which gives it a path.
    """

    def __init__(self, frames: Frames) -> None:
        self.frames = frames
        self.unproven: Counter[str] = Counter()
        self._servers: list[asyncio.Server] = []
        self.connections: set[TcpConnection] = set()

    async def listen(self, host: str, port: int) -> None:
        """Listen at one local address. Raises ``OSError`` when the port is taken."""
        loop = asyncio.get_running_loop()
        self._servers.append(await loop.create_server(lambda: TcpConnection(self), host, port))

    def close(self) -> None:
        """Stop listening and drop all connections."""
        for server in self._servers:
            server.close()
        for connection in [*self.connections]:
            connection.close()


class TcpConnection(asyncio.Protocol):
    """One connection: frames in, frames out, and never an unbounded buffer."""

    def __init__(self, listener: TcpListener) -> None:
        self._listener = listener
        self._transport: asyncio.Transport | None = None
        self._received = bytearray()
        self._skip = 0
        self._timer: asyncio.TimerHandle | None = None
        self._stuck_since: float | None = None
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self._path: TcpPath | None = None
        self.address: tuple[Any, ...] = ("", 0)

    @property
    def path(self) -> TcpPath | None:
        """The path this connection is, once an authentic check came over it."""
        return self._path

    @path.setter
    def path(self, path: TcpPath | None) -> None:
        if path is not None and self._path is None:
            self._proven()
        self._path = path

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, unless too many have not proven themselves."""
        self._transport = cast("asyncio.Transport", transport)
        self.address = self._transport.get_extra_info("peername") or ("", 0)
        unproven = self._listener.unproven
        if unproven.total() >= MAX_UNPROVEN or unproven[self.address[0]] >= MAX_UNPROVEN_FOR_ADDRESS:
            self._listener.frames.count("tcp_refused")
            self._transport.abort()
            return
        unproven[self.address[0]] += 1
        self._listener.connections.add(self)
        self._timer = asyncio.get_running_loop().call_later(PROVE_S, self.close)
        raw = self._transport.get_extra_info("socket")
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, USER_TIMEOUT_MS)

    def data_received(self, data: bytes) -> None:
        """Cut the stream into frames; one that is too long is skipped and counted."""
        received = self._received
        received += data
        at = 0
        while True:
            if self._skip:
                step = min(self._skip, len(received) - at)
                self._skip -= step
                at += step
                if self._skip:
                    break
            if len(received) - at < 2:
                break
            length = received[at] << 8 | received[at + 1]
            if length > MAX_FRAME:
                self._listener.frames.count("oversized")
                self._skip = length
                at += 2
                continue
            if len(received) - at - 2 < length:
                break
            with memoryview(bytes(received[at + 2 : at + 2 + length])) as frame:
                self._listener.frames.tcp_frame(self, frame)
            at += 2 + length
        del received[:at]

    def send(self, data: bytes | memoryview, *, video: bool) -> bool:
        """Write one whole frame or nothing. A connection stuck for 5 s is closed."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        waiting = transport.get_write_buffer_size()
        if waiting > LIMIT_BYTES:
            now = self._clock()
            if self._stuck_since is None:
                self._stuck_since = now
            elif now - self._stuck_since > STUCK_S:
                self.close()
            return False
        self._stuck_since = None
        if video and waiting > VIDEO_LIMIT_BYTES:
            return False
        transport.write(len(data).to_bytes(2, "big") + data)
        return True

    def segments(self) -> Segments | None:
        """Ask the kernel how many segments there were (Linux 4.2; tcp(7)); None once it is closed."""
        raw = self._transport.get_extra_info("socket") if self._transport is not None else None
        if raw is None:
            return None
        try:
            info = raw.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, TCP_INFO_BYTES)
        except OSError:
            return None
        if len(info) < SEGMENTS_AT + 8:
            return None
        sent, received = struct.unpack_from("=II", info, SEGMENTS_AT)
        repeated = struct.unpack_from("=Q", info, REPEATED_AT)[0] if len(info) >= REPEATED_AT + 8 else 0
        return Segments(received, sent, repeated)

    def close(self) -> None:
        """Drop the connection. Idempotent."""
        if self._transport is not None:
            self._transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002  # asyncio's signature
        """Forget the connection and its path."""
        if self in self._listener.connections:
            self._listener.connections.discard(self)
            self._proven()
        path, self._path = self._path, None
        if path is not None:
            path.leg.drop_path(path)

    def _proven(self) -> None:
        """Stop counting this connection among the unproven."""
        if self._timer is None:
            return
        self._timer.cancel()
        self._timer = None
        unproven = self._listener.unproven
        unproven[self.address[0]] -= 1
        if unproven[self.address[0]] <= 0:
            del unproven[self.address[0]]
