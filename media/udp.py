"""The UDP side of the media port: one socket for each local address, and the receive loop.

A wildcard socket on a machine with several addresses answers from another address than was asked,
and browsers drop such answers; so every address has a socket of its own, all with one number.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Protocol

from media.forwarding import Forwarder
from media.inbox import MAX_PACKET, PLACE_BYTES, PLACES, Inbox
from media.paths import Path, UdpPath

logger = logging.getLogger(__name__)

BATCHES = 4
BUFFER_REQUEST_BYTES = 4 << 20
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; needs CAP_NET_ADMIN


class Datagrams(Protocol):
    """Who takes what is not media."""

    def udp_check(self, local: UdpSocket, source: bytes, data: bytes, now: float) -> None:
        """Take a STUN datagram; ``source`` is a ``sockaddr``."""
        ...

    def dtls_datagram(self, path: Path, data: bytes) -> None:
        """Take a DTLS datagram from a proven path."""
        ...


class UdpSocket:
    """One bound socket and the paths of the remote addresses that have proven themselves at it."""

    def __init__(self, host: str, port: int, forwarder: Forwarder, datagrams: Datagrams) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.raw = socket.socket(family, socket.SOCK_DGRAM)
        self.host = host
        # By the sockaddr of the remote address.
        self.paths: dict[bytes, UdpPath] = {}
        self.segmentation = True
        self._forwarder = forwarder
        self._datagrams = datagrams
        try:
            if family == socket.AF_INET6:
                self.raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            self.raw.settimeout(0)
            self.buffer_bytes = self._ask_for_buffers()
            self.raw.bind((host, port))
        except OSError:
            self.raw.close()
            raise
        self.port: int = self.raw.getsockname()[1]
        self._inbox = Inbox(self.raw, forwarder.view)

    def _ask_for_buffers(self) -> int:
        """Ask for 4 MiB each way; return what the kernel gave for receiving, in bytes."""
        try:
            self.raw.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_REQUEST_BYTES)
        except OSError:
            self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_REQUEST_BYTES)
        self.raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_REQUEST_BYTES)
        return self.raw.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def start(self) -> None:
        """Begin to receive."""
        asyncio.get_running_loop().add_reader(self.raw.fileno(), self._readable)

    def close(self) -> None:
        """Stop receiving. Idempotent."""
        if self.raw.fileno() >= 0:
            asyncio.get_running_loop().remove_reader(self.raw.fileno())
            self.raw.close()

    def _readable(self) -> None:
        try:
            self._receive()
        except Exception:
            logger.exception("media.receive_failed")
            self._forwarder.counters["internal_errors"] += 1

    def _receive(self) -> None:
        """Take at most 256 datagrams."""
        now = time.monotonic()
        for _ in range(BATCHES):
            try:
                count = self._inbox.receive()
            except OSError:
                # An ICMP error of an earlier send, for instance; the next datagram is another matter.
                self._forwarder.counters["receive_errors"] += 1
                return
            if count:
                self._take(count, now)
            if count < PLACES:
                return

    def _take(self, count: int, now: float) -> None:
        """Take the datagrams in the first places of the inbox; what is for one path leaves together."""
        forwarder, sizes, sources = self._forwarder, self._inbox.sizes, self._inbox.sources
        view, length, paths, rtp = forwarder.view, forwarder.length, self.paths, forwarder.rtp
        leaving: dict[UdpPath, list[memoryview]] = {}
        for place in range(count):
            size = sizes[place]
            if not size or size > MAX_PACKET:
                forwarder.counters["oversized" if size else "empty"] += 1
                continue
            at = place * PLACE_BYTES
            if not 127 < view[at] < 192:
                self._other(sources[place].tobytes(), bytes(view[at : at + size]), now)
                continue
            path = paths.get(sources[place].tobytes())
            if path is None or size < 2:
                forwarder.counters["unknown_source"] += 1
                continue
            if 191 < view[at + 1] < 224:
                out = forwarder.rtcp(path, at, size, now)
            else:
                out = rtp(path, at, size, now)
            if out is None:
                continue
            if not isinstance(out, UdpPath):
                forwarder.send_alone(out, at)
            elif out in leaving:
                leaving[out].append(view[at : at + length[0]])
            else:
                leaving[out] = [view[at : at + length[0]]]
        for out, packets in leaving.items():
            forwarder.counters["forwarded"] += len(packets)
            forwarder.counters["unsent"] += len(packets) - out.send_all(packets)

    def _other(self, source: bytes, data: bytes, now: float) -> None:
        """Demultiplex what is not RTP or RTCP (RFC 7983)."""
        first = data[0]
        if first < 4:
            self._datagrams.udp_check(self, source, data, now)
        elif 19 < first < 64 and source in self.paths:
            self._datagrams.dtls_datagram(self.paths[source], data)
        else:
            self._forwarder.counters["unknown_source"] += 1
