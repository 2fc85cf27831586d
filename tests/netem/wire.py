"""A line between two network namespaces that does to IP packets what the model says: no kernel module needed.

    a namespace: TUN device `outer` <--- this thread, a Line each way ---> TUN device `inner` :another one

Everything goes through it: UDP, TCP with the kernel's own repeats, and checks. Needs root and /dev/net/tun.
"""

from __future__ import annotations

import contextlib
import fcntl
import heapq
import itertools
import os
import select
import struct
import threading
import time

from tests.netem.model import CLEAN, CUT, Conditions, Line

_TUNSETIFF = 0x400454CA  # linux/if_tun.h
_IFF_TUN, _IFF_NO_PI = 0x0001, 0x1000
_MTU_BYTES = 2_048
_UDP = 17
_PACKETS_A_TURN = 64


class Wire(threading.Thread):
    """Two TUN devices joined. ``up`` is from ``inner`` to ``outer``; both lines may be changed at any time.

    Lay the devices out (addresses, namespaces) before ``start``; ``close`` takes both away.
    """

    def __init__(self, outer: str, inner: str, *, seed: int) -> None:
        super().__init__(name=f"wire {inner}", daemon=True)
        self.up = Line(seed=seed)
        self.down = Line(seed=seed + 1)
        self.udp_blocked = False
        self._outer = _tun(outer)
        try:
            self._inner = _tun(inner)
        except BaseException:
            os.close(self._outer)
            raise
        self._over, self._ender = os.pipe()

    def set(self, up: Conditions = CLEAN, down: Conditions | None = None) -> None:
        """Set the conditions of both directions; ``down`` is as ``up`` unless given."""
        self.up.conditions = up
        self.down.conditions = up if down is None else down

    def cut(self) -> None:
        """Nothing passes any more."""
        self.set(CUT)

    def heal(self) -> None:
        """Everything passes again, without faults."""
        self.set(CLEAN)

    def run(self) -> None:
        """Carry packets until ``close``."""
        waiting: list[tuple[float, int, int, bytes]] = []
        order = itertools.count()
        ways = {self._inner: (self.up, self._outer), self._outer: (self.down, self._inner)}
        while True:
            timeout_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
            ready, _, _ = select.select([*ways, self._over], [], [], timeout_s)
            if self._over in ready:
                return
            now_s = time.monotonic()
            for device in ready:
                line, out = ways[device]
                for packet in _read(device):
                    at_s = None if self._blocks(packet) else line.deliver_at(now_s, len(packet))
                    if at_s is not None:
                        heapq.heappush(waiting, (at_s, next(order), out, packet))
            while waiting and waiting[0][0] <= now_s:
                _, _, out, packet = heapq.heappop(waiting)
                with contextlib.suppress(OSError):  # that device is down: so it is for a real one
                    os.write(out, packet)

    def _blocks(self, packet: bytes) -> bool:
        """IPv4 alone has addresses here (RFC 791, 3.1: the protocol is the tenth byte)."""
        return self.udp_blocked and packet[0] >> 4 == 4 and packet[9] == _UDP

    def close(self) -> None:
        """Stop and take the devices away. Idempotent."""
        if self._ender < 0:
            return
        os.close(self._ender)
        self._ender = -1
        if self.is_alive():
            self.join()
        for each in (self._outer, self._inner, self._over):
            os.close(each)


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    except BaseException:
        os.close(device)
        raise
    return device


def _read(device: int) -> list[bytes]:
    found: list[bytes] = []
    with contextlib.suppress(OSError):  # nothing more, or the device is down
        while len(found) < _PACKETS_A_TURN:
            found.append(os.read(device, _MTU_BYTES))
    return found
