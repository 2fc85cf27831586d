"""A path: transport, local socket and remote address, and how to send over it."""

from __future__ import annotations

import abc
import contextlib
import errno
import socket
import struct
from typing import TYPE_CHECKING, Any

from media.events import Transport
from media.ice import PathRecord
from media.inbox import sockaddr
from media.tcp import Segments

if TYPE_CHECKING:
    from media.leg import Leg
    from media.tcp import TcpConnection
    from media.udp import UdpSocket

# What a kernel or device without segmentation says, also of packets that fit every route.
_NEVER_SEGMENTS = (errno.EINVAL, errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT)
SMALL_BYTES = 1_200
# One UDP send takes 65,507 bytes.
MAX_SEGMENTS = 40
UDP_SEGMENT = 103  # linux/udp.h; not in Python's socket module
IPV4_HEADER, IPV6_HEADER, UDP_HEADER, TCP_HEADER, FRAME_HEADER = 20, 40, 8, 32, 2


class Path(PathRecord, abc.ABC):
    """One way to reach a leg's other end. ``overhead`` is the bytes that headers add to a packet.

    TCP puts packets together and acknowledges: what its headers add is settled from time to time instead.
    """

    __slots__ = ("address", "ip_header", "ip_version", "leg", "overhead")

    def __init__(self, transport: Transport, address: tuple[Any, ...], leg: Leg) -> None:
        super().__init__(transport)
        self.address = address
        self.leg = leg
        self.ip_version = 6 if ":" in address[0] else 4
        self.ip_header = IPV6_HEADER if self.ip_version == 6 else IPV4_HEADER
        self.overhead = FRAME_HEADER if transport is Transport.TCP else UDP_HEADER + self.ip_header

    @abc.abstractmethod
    def send(self, data: bytes | memoryview, *, video: bool = False) -> bool:
        """Send one datagram; False when it had to be dropped. ``video`` is dropped first."""

    def settle(self) -> tuple[int, int]:
        """Return the bytes up and down that ``overhead`` leaves out, since the last call."""
        return 0, 0

    @abc.abstractmethod
    def forget(self) -> None:
        """Unregister the path: it belongs to no leg any more."""


class UdpPath(Path):
    """A remote address seen by one of our UDP sockets."""

    __slots__ = ("_sendto", "socket", "source")

    def __init__(self, local: UdpSocket, address: tuple[Any, ...], leg: Leg) -> None:
        super().__init__(Transport.UDP, address, leg)
        self.socket = local
        self._sendto = local.raw.sendto
        self.source = sockaddr(address)
        local.paths[self.source] = self

    def send(self, data: bytes | memoryview, *, video: bool = False) -> bool:  # noqa: ARG002  # UDP drops nothing by kind
        """Send one datagram."""
        try:
            self._sendto(data, self.address)
        except OSError:
            return False
        return True

    def send_all(self, packets: list[memoryview]) -> int:
        """Send datagrams in order, those of one size in one system call; returns how many went out."""
        if len(packets) == 1:
            return int(self.send(packets[0]))
        sent = start = 0
        while start < len(packets):
            size, end = len(packets[start]), start + 1
            while end < len(packets) and end - start < MAX_SEGMENTS and len(packets[end]) == size:
                end += 1
            # Only the last segment may be shorter than the others.
            if end < len(packets) and end - start < MAX_SEGMENTS and len(packets[end]) < size:
                end += 1
            if end - start == 1:
                sent += self.send(packets[start])
            else:
                sent += self._send_segments(packets[start:end], size)
            start = end
        return sent

    def _send_segments(self, packets: list[memoryview], size: int) -> int:
        """Send datagrams of ``size`` bytes each, the last maybe shorter, in one system call.

        UDP generic segmentation offload (Linux 4.18, udp(7)); where the kernel or the path does
        not take it, they go one by one.
        """
        if self.socket.segmentation:
            try:
                control = [(socket.SOL_UDP, UDP_SEGMENT, struct.pack("=H", size))]
                self.socket.raw.sendmsg(packets, control, 0, self.address)
            except BlockingIOError:
                return 0
            except OSError as error:
                # Packets too long for the route, or no route, are this path's trouble and pass.
                if error.errno in _NEVER_SEGMENTS and size <= SMALL_BYTES:
                    self.socket.segmentation = False
            else:
                return len(packets)
        return sum(self.send(packet) for packet in packets)

    def forget(self) -> None:
        """Unregister the path."""
        with contextlib.suppress(KeyError):
            if self.socket.paths[self.source] is self:
                del self.socket.paths[self.source]


class TcpPath(Path):
    """An ICE-TCP connection (RFC 6544, passive side; RFC 4571 framing)."""

    __slots__ = ("_settled", "connection")

    def __init__(self, connection: TcpConnection, leg: Leg) -> None:
        super().__init__(Transport.TCP, connection.address, leg)
        self._settled = Segments(0, 0, 0)
        self.connection = connection
        connection.path = self

    def send(self, data: bytes | memoryview, *, video: bool = False) -> bool:
        """Queue one frame, unless too much waits already."""
        return self.connection.send(data, video=video)

    def settle(self) -> tuple[int, int]:
        """Count the headers of the segments that went, and what had to go again."""
        now, before = self.connection.segments(), self._settled
        if now is None:
            return 0, 0
        self._settled = now
        header = self.ip_header + TCP_HEADER
        again = now.repeated_bytes - before.repeated_bytes
        return header * (now.received - before.received), header * (now.sent - before.sent) + again

    def forget(self) -> None:
        """Unregister the path and close its connection."""
        self.connection.path = None
        self.connection.close()
