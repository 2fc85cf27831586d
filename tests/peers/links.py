"""How the peer's datagrams travel: over UDP, or over TCP with RFC 4571 framing."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol, cast

from tests.peers.sdp import Candidate

RECEIVE_BUFFER_BYTES = 4 << 20


class Link(Protocol):
    """An open path from one local port to one candidate of the server."""

    candidate: Candidate

    def send(self, datagram: bytes) -> None:
        """Send one datagram; silently nothing once closed."""

    def close(self) -> None:
        """Idempotent."""


Receive = Callable[[bytes], None]


class UdpLink(asyncio.DatagramProtocol):
    """A connected UDP socket."""

    def __init__(self, candidate: Candidate, receive: Receive) -> None:
        self.candidate = candidate
        self._receive = receive
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, _address: object) -> None:
        self._receive(data)

    def error_received(self, _error: Exception) -> None:
        """An ICMP error: the next check tells whether the path is alive."""

    @property
    def local_port(self) -> int:
        """The number of the local port."""
        assert self._transport is not None
        return int(self._transport.get_extra_info("sockname")[1])

    def send(self, datagram: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(datagram)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class TcpLink(asyncio.Protocol):
    """A TCP connection whose stream is cut into frames of a 16-bit length and a datagram."""

    def __init__(self, candidate: Candidate, receive: Receive) -> None:
        self.candidate = candidate
        self._receive = receive
        self._transport: asyncio.Transport | None = None
        self._pending = bytearray()
        self.ended = asyncio.Event()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._pending += data
        while len(self._pending) >= 2:
            end = 2 + int.from_bytes(self._pending[:2], "big")
            if len(self._pending) < end:
                return
            frame = bytes(self._pending[2:end])
            del self._pending[:end]
            self._receive(frame)

    def connection_lost(self, _error: Exception | None) -> None:
        self.ended.set()

    def send(self, datagram: bytes) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(len(datagram).to_bytes(2, "big") + datagram)

    def send_raw(self, data: bytes) -> None:
        """Write bytes without a frame around them, for tests of wrong framing."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


async def open_link(candidate: Candidate, receive: Receive) -> Link:
    """Open a link of the candidate's transport from a fresh local port."""
    loop = asyncio.get_running_loop()
    where = (candidate.address, candidate.port)
    if candidate.transport == "udp":
        _, datagrams = await loop.create_datagram_endpoint(
            lambda: UdpLink(candidate, receive), remote_addr=where
        )
        return datagrams
    _, stream = await loop.create_connection(lambda: TcpLink(candidate, receive), *where)
    return stream
