"""A source of junk: datagrams of every kind at a port, as fast as asked.

One line of JSON for each run: ``{"port", "rate", "seconds"}``. Many go out by one system call
(UDP_SEGMENT); the port gets them one by one. A third looks like STUN, a third like SRTP, the rest is noise.
"""

from __future__ import annotations

import json
import os
import socket
import struct
import sys
import time

SIZE_BYTES = 100
AT_ONCE = 50
SOURCES = 16
UDP_SEGMENT = 103  # linux/udp.h
FIRST_BYTES = (0, 128, 0, 144, 1, 176, 22, 255)


def batch(first: int) -> bytes:
    """Datagrams that begin with the same byte, side by side."""
    return b"".join(bytes([first]) + os.urandom(SIZE_BYTES - 1) for _ in range(AT_ONCE))


def run(port: int, rate: float, seconds: float) -> dict[str, float]:
    """Send at this rate; how many went out, and in what time."""
    sockets = [socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(SOURCES)]
    control = [(socket.SOL_UDP, UDP_SEGMENT, struct.pack("=H", SIZE_BYTES))]
    batches = [batch(first) for first in FIRST_BYTES]
    start_s = time.perf_counter()
    sent = 0
    while time.perf_counter() - start_s < seconds:
        ahead_s = start_s + sent / rate - time.perf_counter()
        if ahead_s > 0:
            time.sleep(ahead_s)
        number = sent // AT_ONCE
        try:
            sockets[number % SOURCES].sendmsg(
                [batches[number % len(batches)]], control, 0, ("127.0.0.1", port)
            )
        except OSError:
            continue
        sent += AT_ONCE
    took_s = time.perf_counter() - start_s
    for sock in sockets:
        sock.close()
    return {"sent": sent, "seconds": took_s}


def main() -> None:
    for line in sys.stdin:
        asked = json.loads(line)
        print(json.dumps(run(int(asked["port"]), float(asked["rate"]), float(asked["seconds"]))), flush=True)


if __name__ == "__main__":
    main()
