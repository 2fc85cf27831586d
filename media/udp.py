"""The UDP side of the media port: one socket for each local address, and the receive loop.

A wildcard socket on a machine with several addresses answers from another address than was asked,
and browsers drop such answers; so every address has a socket of its own, all with one number.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from typing import Any, Protocol

from media.forwarding import LAST_START, MAX_PACKET, Forwarder
from media.paths import Path, UdpPath

logger = logging.getLogger(__name__)

BATCH = 256
MAX_SEGMENTS = 64
BUFFER_REQUEST_BYTES = 4 << 20
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; needs CAP_NET_ADMIN


class Datagrams(Protocol):
    """Who takes what is not media."""

    def udp_check(self, local: UdpSocket, address: tuple[Any, ...], data: bytes, now: float) -> None:
        """Take a STUN datagram."""
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
        self.paths: dict[tuple[Any, ...], UdpPath] = {}
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

    def _receive(self) -> None:  # noqa: C901, PLR0912, PLR0915  # the packet path, as in forwarding.py
        """Take at most 256 datagrams; packets in a row for one path leave in one system call.

        Each packet is received right behind the waiting batch, so the segments already stand side
        by side when they are sent.
        """
        forwarder = self._forwarder
        view, length = forwarder.view, forwarder.length
        receive, paths, rtp = self.raw.recvfrom_into, self.paths, forwarder.rtp
        now = time.monotonic()
        target: Path | None = None
        start = end = size = segments = 0
        for _ in range(BATCH):
            try:
                received, address = receive(view[end:] if end else view, MAX_PACKET + 1)
            except BlockingIOError:
                if target is None:
                    break
                # While the batch leaves, the rest of a burst may come: that saves a wake-up.
                self._flush(target, view[start:end], size, segments)
                target, start, end = None, 0, 0
                continue
            except OSError:
                # An ICMP error of an earlier send, for instance; the next datagram is another matter.
                forwarder.counters["receive_errors"] += 1
                continue
            if not received or received > MAX_PACKET:
                forwarder.counters["oversized" if received else "empty"] += 1
                continue
            first = view[end]
            if 127 < first < 192:
                path = paths.get(address)
                if path is None or received < 2:
                    forwarder.counters["unknown_source"] += 1
                    continue
                if 191 < view[end + 1] < 224:
                    out = forwarder.rtcp(path, end, received, now)
                else:
                    out = rtp(path, end, received, now)
                if out is None:
                    continue
                became = length[0]
                if not out.batches:
                    forwarder.send_alone(out, end)
                    continue
                if out is not target or became > size:
                    if target is not None:
                        self._flush(target, view[start:end], size, segments)
                    target, start, size, segments = out, end, became, 0
                segments += 1
                end += became
                # Only the last segment may be shorter than the others.
                if became < size or segments == MAX_SEGMENTS or end > LAST_START:
                    self._flush(target, view[start:end], size, segments)
                    target, start, end = None, 0, 0
            else:
                self._other(first, address, bytes(view[end : end + received]), now)
        if target is not None:
            self._flush(target, view[start:end], size, segments)

    def _flush(self, target: Path, data: memoryview, size: int, segments: int) -> None:
        if segments > 1 and isinstance(target, UdpPath):
            sent = target.send_segments(data, size)
        else:
            sent = target.send(data)
        counters = self._forwarder.counters
        counters["forwarded"] += segments
        if not sent:
            counters["unsent"] += segments

    def _other(self, first: int, address: tuple[Any, ...], data: bytes, now: float) -> None:
        """Demultiplex what is not RTP or RTCP (RFC 7983)."""
        if first < 4:
            self._datagrams.udp_check(self, address, data, now)
        elif 19 < first < 64 and address in self.paths:
            self._datagrams.dtls_datagram(self.paths[address], data)
        else:
            self._forwarder.counters["unknown_source"] += 1
