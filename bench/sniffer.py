"""Counts IPv4 bytes on the loopback interface, by endpoint; needs root (an AF_PACKET socket)."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter

ETH_P_ALL = 3
UDP = 17
UDP_HEADER = 8
PACKET_OUTGOING = 4  # linux/if_packet.h; on the loopback each packet is seen going out and coming in
BUFFER_BYTES = 4 << 20

Endpoint = tuple[str, int]


class Sniffer:
    """Bytes of IP packets (headers included) from or to each of the (address, port) asked for.

    ``kinds`` and ``counts`` are bytes and packets over UDP by what is in them and the way they go:
    up is towards the endpoint.
    """

    def __init__(self, endpoints: set[Endpoint]) -> None:
        self.bytes: Counter[Endpoint] = Counter()
        self.packets: Counter[Endpoint] = Counter()
        self.kinds: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._endpoints = {(socket.inet_aton(host), port): (host, port) for host, port in endpoints}
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(ETH_P_ALL))
        self._socket.settimeout(0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self._socket.bind(("lo", ETH_P_ALL))

    def start(self) -> None:
        """Begin to count; what came before is left out."""
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.recv(1)
        asyncio.get_running_loop().add_reader(self._socket.fileno(), self._readable)

    def close(self) -> None:
        """Stop."""
        asyncio.get_running_loop().remove_reader(self._socket.fileno())
        self._socket.close()

    def _readable(self) -> None:
        for _ in range(256):
            try:
                data, where = self._socket.recvfrom(128)
            except BlockingIOError:
                return
            if where[2] == PACKET_OUTGOING and len(data) >= 24 and data[0] >> 4 == 4:
                self._count(data)

    def _count(self, data: bytes) -> None:
        total = int.from_bytes(data[2:4], "big")
        at = 4 * (data[0] & 15)
        for address, port in ((12, at), (16, at + 2)):
            end = data[address : address + 4], int.from_bytes(data[port : port + 2], "big")
            found = self._endpoints.get(end)
            if found is not None:
                self.bytes[found] += total
                self.packets[found] += 1
                if data[9] == UDP:
                    kind = _kind(data[at + UDP_HEADER : at + UDP_HEADER + 2])
                    way = "down" if address == 12 else "up"
                    self.kinds[f"{kind} {way}"] += total
                    self.counts[f"{kind} {way}"] += 1
                return


def _kind(start: bytes) -> str:
    """What a datagram is by its first two bytes (RFC 7983, RFC 5761)."""
    if len(start) < 2 or start[0] < 4:
        return "STUN"
    if start[0] < 64:
        return "DTLS"
    return "RTCP" if 191 < start[1] < 224 else "RTP"
