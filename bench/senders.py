"""Legs as the load processes have them: a connected socket, keys, and counters for what comes back."""

from __future__ import annotations

import os
import socket
import struct
from typing import Any

from tests.peers.dtls import SrtpKeys, SrtpProfile
from tests.peers.srtp import SrtpContexts

AUDIO_BYTES, VIDEO_BYTES = 80, 1100
OPUS, VP8 = 111, 96
AUTHENTICATION_BYTES = 16  # what AES-GCM adds; the baseline's packets are as long
SEQUENCE = slice(2, 4)
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
        self._payloads = {OPUS: os.urandom(AUDIO_BYTES), VP8: os.urandom(VIDEO_BYTES)}
        first = int(handle.get("first", 0))
        self._next = {OPUS: first, VP8: first}
        self._buffer = memoryview(bytearray(2048))

    def packet(self, payload_type: int) -> bytes:
        """The next packet of a stream, ready to be sent."""
        number = self._next[payload_type]
        self._next[payload_type] = number + 1
        header = _HEADER.pack(0x80, payload_type, number & 0xFFFF, number * 960, self._ssrcs[payload_type])
        plain = header + self._payloads[payload_type]
        return plain + bytes(AUTHENTICATION_BYTES) if self._srtp is None else self._srtp.protect(plain)

    def send(self, payload_type: int) -> None:
        """Send the next packet of a stream; a full send queue counts as sent and lost."""
        self.sent += 1
        try:
            self.socket.send(self.packet(payload_type))
        except OSError:
            return

    def drain(self) -> None:
        """Take what came and count it. The sequence number stands in the clear in SRTP."""
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
