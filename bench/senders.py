"""Legs as the load processes have them: a connected socket, keys, and counters for what comes back."""

from __future__ import annotations

import os
import socket
import struct
from collections import deque
from typing import Any

from bench.schedule import VIDEO_BY_TICK
from tests.peers.dtls import SrtpKeys, SrtpProfile
from tests.peers.srtp import SrtpContexts

AUDIO_BYTES, VIDEO_BYTES = 80, 1100
OPUS, VP8 = 111, 96
AUTHENTICATION_BYTES = 16  # what AES-GCM adds; the baseline's packets are as long
SEQUENCE = slice(2, 4)
# Packets of one stream are made so many at a time, while its keys are in the processor's cache: that costs
# a fraction of making each when it is due, and a burst leaves as fast with keys as without.
MADE_AT_ONCE = 25
# And so many are sent before what came is taken: a look that finds nothing costs as much as a packet.
SENT_PER_DRAIN = 10
# Pictures of 50 in a second, each in the packets of one burst; what is not there is decoded by nobody.
_PICTURES = tuple(
    (picture, not part, part == count - 1)
    for picture, count in enumerate(VIDEO_BY_TICK)
    for part in range(count)
)
PICTURES_TO_A_KEY = 50
_KEY = b"\x10\x10\x02\x00\x9d\x01\x2a" + struct.pack("<HH", 640, 360)
_BEGIN, _MIDDLE = b"\x10\x11" + bytes(9), bytes(11)
_HEADER = struct.Struct("!BBHII")

Handle = dict[str, Any]


class Sender:
    """Sends voice and video packets over an inherited socket, encrypted if the handle has keys."""

    def __init__(self, handle: Handle) -> None:
        self.socket = socket.socket(fileno=int(handle["fd"]))
        self.socket.settimeout(0)
        self.sent = 0
        self.received = 0
        self.disordered = 0
        self._highest: dict[int, int] = {}
        self._srtp = SrtpContexts(_keys(handle)) if "sending" in handle else None
        self._ssrcs = {OPUS: int(handle["audio_ssrc"]), VP8: int(handle["video_ssrc"])}
        self._voice = b"\x78" + os.urandom(AUDIO_BYTES - 1)  # 20 ms of Opus
        self._picture = os.urandom(VIDEO_BYTES - len(_KEY))
        first = int(handle.get("first", 0))
        self._next = {OPUS: first, VP8: first}
        self._made: dict[int, deque[bytes]] = {OPUS: deque(), VP8: deque()}
        self._undrained = 0
        self._buffer = memoryview(bytearray(2048))

    def packet(self, payload_type: int) -> bytes:
        """The next packet of a stream, ready to be sent."""
        made = self._made[payload_type]
        if not made:
            made.extend(self._make(payload_type) for _ in range(MADE_AT_ONCE))
        return made.popleft()

    def _make(self, payload_type: int) -> bytes:
        number = self._next[payload_type]
        self._next[payload_type] = number + 1
        second, stamp, payload = (
            (OPUS, number * 960, self._voice) if payload_type == OPUS else self._part(number)
        )
        ssrc = self._ssrcs[payload_type]
        plain = _HEADER.pack(0x80, second, number & 0xFFFF, stamp & 0xFFFFFFFF, ssrc) + payload
        return plain + bytes(AUTHENTICATION_BYTES) if self._srtp is None else self._srtp.protect(plain)

    def _part(self, number: int) -> tuple[int, int, bytes]:
        """One packet of a picture (RFC 7741), as a burst has them: five pictures in twelve packets."""
        turn, place = divmod(number, len(_PICTURES))
        picture, begins, ends = _PICTURES[place]
        picture += 5 * turn
        head = _MIDDLE if not begins else _BEGIN if picture % PICTURES_TO_A_KEY else _KEY
        return VP8 | (128 if ends else 0), picture * 1_800, head + self._picture

    def send(self, payload_type: int) -> None:
        """Send the next packet of a stream; a full send queue counts as sent and lost."""
        self.sent += 1
        self._undrained += 1
        try:
            self.socket.send(self.packet(payload_type))
        except OSError:
            return

    def drain_sometimes(self) -> None:
        """Take what came, once for every few packets sent."""
        if self._undrained >= SENT_PER_DRAIN:
            self.drain()

    def drain(self) -> None:
        """Take what came and count it. The sequence number stands in the clear in SRTP."""
        self._undrained = 0
        buffer = self._buffer
        while True:
            try:
                size = self.socket.recv_into(buffer)
            except OSError:
                return
            if size < 12 or 191 < buffer[1] < 224:
                continue
            self.received += 1
            kind = buffer[1] & 127
            sequence = int.from_bytes(buffer[SEQUENCE], "big")
            ahead = (sequence - self._highest.get(kind, sequence - 1)) & 0xFFFF
            if 0 < ahead < 0x8000:
                self._highest[kind] = sequence
            else:
                self.disordered += 1


def _keys(handle: Handle) -> SrtpKeys:
    return SrtpKeys(
        SrtpProfile[handle["profile"]],
        sending=bytes.fromhex(handle["sending"]),
        receiving=bytes.fromhex(handle["receiving"]),
    )
