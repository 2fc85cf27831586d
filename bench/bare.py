"""The baseline: a bare UDP forwarder (``recvfrom_into``, ``sendto``, no crypto), and its peers.

    python -m bench.bare [--blocking]

Runs the forwarder and prints its port. It stands in the same asyncio loop as the relay does and
empties its socket at each wake-up; with ``--blocking`` it is one endless loop of two calls, the
least that Python can do. A datagram ``pair N`` says which two addresses belong together.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import socket

from bench.packets import audio_packet, video_packet
from bench.schedule import AUDIO_BYTES, VIDEO_BYTES

BUFFER_BYTES = 4 << 20
MOST_AT_ONCE = 256
TAG = bytes(16)
AUDIO = audio_packet(0, 0, 1, bytes(AUDIO_BYTES)) + TAG
VIDEO = video_packet(0, 0, 2, 0, bytes(VIDEO_BYTES), last=True) + TAG
REPORT = bytes(28 + 32 + 20)

Address = tuple[str, int]


class Forwarder:
    """One socket; what comes from one of a pair goes to the other."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self.socket.bind(("127.0.0.1", 0))
        self._buffer = bytearray(2048)
        self._view = memoryview(self._buffer)
        self._routes: dict[Address, Address] = {}
        self._alone: dict[bytes, Address] = {}

    def readable(self) -> None:
        """Empty the socket, at most 256 datagrams at a time."""
        receive, send, routes, buffer = (
            self.socket.recvfrom_into,
            self.socket.sendto,
            self._routes,
            self._buffer,
        )
        for _ in range(MOST_AT_ONCE):
            try:
                size, source = receive(buffer)
            except BlockingIOError:
                return
            target = routes.get(source)
            if target is None:
                self._learn(source, bytes(buffer[:size]))
                continue
            with contextlib.suppress(BlockingIOError):
                send(self._view[:size], target)

    def forever(self) -> None:
        """Forward one datagram after the other, without an event loop."""
        receive, send, routes, buffer, view = (
            self.socket.recvfrom_into,
            self.socket.sendto,
            self._routes,
            self._buffer,
            self._view,
        )
        while True:
            size, source = receive(buffer)
            target = routes.get(source)
            if target is None:
                self._learn(source, bytes(buffer[:size]))
            else:
                send(view[:size], target)

    def _learn(self, source: Address, word: bytes) -> None:
        other = self._alone.pop(word, None)
        if other is None:
            self._alone[word] = source
        else:
            self._routes[source] = other
            self._routes[other] = source


class BarePeer:
    """Sends packets as large as a real peer's on the wire, and counts what comes."""

    def __init__(self, forwarder: Address, pair: int) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self.socket.connect(forwarder)
        self.socket.settimeout(0)
        self.socket.send(b"pair %d" % pair)
        self.sent = 0
        self.received = 0
        asyncio.get_running_loop().add_reader(self.socket.fileno(), self._readable)

    def send_audio(self) -> None:
        self._send(AUDIO)

    def send_video(self, burst: int) -> None:
        for _ in range(burst):
            self._send(VIDEO)

    def send_reports(self) -> None:
        self.socket.send(REPORT)

    def _send(self, datagram: bytes) -> None:
        with contextlib.suppress(BlockingIOError):
            self.socket.send(datagram)
            self.sent += 1

    def _readable(self) -> None:
        for _ in range(32):
            try:
                self.received += self.socket.recv(2048)[0] > 127
            except BlockingIOError:
                return

    def restart_counts(self) -> None:
        self.sent = self.received = 0

    def close(self) -> None:
        asyncio.get_running_loop().remove_reader(self.socket.fileno())
        self.socket.close()


async def _in_a_loop(forwarder: Forwarder) -> None:
    forwarder.socket.settimeout(0)
    asyncio.get_running_loop().add_reader(forwarder.socket.fileno(), forwarder.readable)
    await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.bare")
    parser.add_argument("--blocking", action="store_true")
    asked = parser.parse_args()
    forwarder = Forwarder()
    print(forwarder.socket.getsockname()[1], flush=True)
    if asked.blocking:
        forwarder.forever()
    else:
        asyncio.run(_in_a_loop(forwarder))


if __name__ == "__main__":
    main()
