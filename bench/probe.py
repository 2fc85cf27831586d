"""The probe: a pair of legs in a process of its own that measures how long packets take.

It sends one voice packet in each 20 ms, at a random moment of it, by turns from either side, and takes
the kernel's stamp of its arrival (SO_TIMESTAMPNS), so that its own waking up is not counted. The same
line protocol as ``bench.generator``; answers with all delays in µs.
"""

from __future__ import annotations

import json
import random
import select
import socket
import struct
import sys
import time
from typing import Any

from bench.generator import IDLE_S, SETTLE_S, keep_alive
from bench.schedule import PACKET_S
from bench.senders import OPUS, SEQUENCE, Sender

SO_TIMESTAMPNS = 35  # asm-generic/socket.h; struct timespec by SCM_TIMESTAMPNS, the same number
_TIMESPEC = struct.Struct("@qq")


class Probe:
    """Two legs; what one sends the other gets."""

    def __init__(self, legs: list[Sender]) -> None:
        self.legs = legs
        self.sent_ns: list[dict[int, int]] = [{} for _ in legs]
        self.delays_us: list[float] = []
        for leg in legs:
            leg.socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)

    def send(self, which: int) -> None:
        """Send one packet, with the time just before the system call kept under its number."""
        packet = self.legs[which].packet(OPUS)
        self.sent_ns[which][int.from_bytes(packet[SEQUENCE], "big")] = time.time_ns()
        self.legs[which].socket.send(packet)

    def drain(self) -> None:
        """Take what came, with its stamps."""
        for which, leg in enumerate(self.legs):
            while True:
                try:
                    data, ancillary, _, _ = leg.socket.recvmsg(2048, 256)
                except OSError:
                    break
                if len(data) < 12 or 191 < data[1] < 224:
                    continue
                sent_ns = self.sent_ns[1 - which].pop(int.from_bytes(data[SEQUENCE], "big"), None)
                for level, kind, value in ancillary:
                    if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and sent_ns is not None:
                        seconds, nanoseconds = _TIMESPEC.unpack(value)
                        self.delays_us.append((seconds * 1_000_000_000 + nanoseconds - sent_ns) / 1000)

    def run(self, seconds: float, chance: random.Random) -> dict[str, Any]:
        """Probe for so long; delays of this run alone."""
        self.drain()
        self.delays_us.clear()
        start_s = time.perf_counter()
        count = round(seconds / PACKET_S)
        for number in range(count):
            due_s = start_s + (number + chance.random()) * PACKET_S
            time.sleep(max(0.0, due_s - time.perf_counter()))
            self.send(number % 2)
            self.drain()
        time.sleep(SETTLE_S)
        self.drain()
        return {"sent": count, "delays_us": self.delays_us}


def main() -> None:
    groups = {
        name: [Sender(handle) for handle in handles]
        for name, handles in json.loads(sys.stdin.readline())["groups"].items()
    }
    probes = {name: Probe(legs) for name, legs in groups.items()}
    chance = random.Random(1)
    print(json.dumps({"ready": True}), flush=True)
    while True:
        readable, _, _ = select.select([sys.stdin], [], [], IDLE_S)
        if not readable:
            keep_alive(groups)
            continue
        line = sys.stdin.readline()
        if not line:
            return
        asked = json.loads(line)
        print(json.dumps(probes[asked["group"]].run(float(asked["seconds"]), chance)), flush=True)


if __name__ == "__main__":
    main()
