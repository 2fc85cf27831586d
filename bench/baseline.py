"""The baseline: a bare UDP forwarder in Python, without crypto, ICE or observation.

The same event loop, a non-blocking ``recvfrom_into`` of at most 256 datagrams for each wake-up,
one table from source to destination, ``sendto``. Prints its port, takes ``{"routes": [[a, b], ...]}``
(port numbers of pairs on 127.0.0.1) and answers every later line with its counter.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

BATCH = 256
BUFFER_BYTES = 4 << 20
SO_RCVBUFFORCE = 33  # asm-generic/socket.h

Address = tuple[str, int]


class Bare:
    """One socket and where each source's packets go."""

    def __init__(self) -> None:
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        big_receive_buffer(self.socket)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0)
        self.routes: dict[Address, Address] = {}
        self.forwarded = 0
        self._view = memoryview(bytearray(2048))

    def readable(self) -> None:
        receive, send, routes, view = self.socket.recvfrom_into, self.socket.sendto, self.routes, self._view
        for _ in range(BATCH):
            try:
                size, source = receive(view)
            except BlockingIOError:
                return
            target = routes.get(source)
            if target is not None:
                send(view[:size], target)
                self.forwarded += 1


def big_receive_buffer(sock: socket.socket) -> None:
    """Ask for 4 MiB, past the machine's limit where that is allowed."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    except OSError:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)


async def main() -> None:
    bare = Bare()
    loop = asyncio.get_running_loop()
    done = asyncio.Event()

    def told() -> None:
        line = sys.stdin.readline()
        if not line:
            done.set()
            return
        for one, other in json.loads(line).get("routes", ()):
            bare.routes["127.0.0.1", one] = ("127.0.0.1", other)
            bare.routes["127.0.0.1", other] = ("127.0.0.1", one)
        print(json.dumps({"forwarded": bare.forwarded}), flush=True)

    print(json.dumps({"port": bare.socket.getsockname()[1]}), flush=True)
    loop.add_reader(bare.socket.fileno(), bare.readable)
    loop.add_reader(sys.stdin.fileno(), told)
    await done.wait()


if __name__ == "__main__":
    asyncio.run(main())
