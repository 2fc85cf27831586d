"""Many datagrams from one system call: recvmmsg(2), into places that are used again and again.

Python's ``recvfrom_into`` takes one at a time, makes a tuple with a text of every source, and an exception of
"there is nothing more"; together that took as long as SRTP. So this speaks to the C library, and a
source stays the bytes of its ``sockaddr``. Linux only, like the rest of the media port.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import struct
from typing import Any

PLACES = 64
MAX_PACKET = 1500
# A packet, and behind it room for what SRTP may add: SRTP_SLACK and more.
PLACE_BYTES = 2048

_INET = struct.Struct("=H2s4s8x")  # sockaddr_in: family, port, address
_INET6 = struct.Struct("=H2sI16sI")  # sockaddr_in6: family, port, flow label, address, scope


def sockaddr(address: tuple[Any, ...]) -> bytes:
    """Return the kernel's form of an address as the socket module has it."""
    port = int(address[1]).to_bytes(2, "big")
    if ":" in address[0]:
        host, _, _ = address[0].partition("%")
        scope = address[3] if len(address) > 3 else 0
        return _INET6.pack(socket.AF_INET6, port, 0, socket.inet_pton(socket.AF_INET6, host), scope)
    return _INET.pack(socket.AF_INET, port, socket.inet_aton(address[0]))


def address_of(source: bytes) -> tuple[Any, ...]:
    """Return the socket module's form of a ``sockaddr``."""
    if len(source) == _INET6.size:
        _, port, _, host, scope = _INET6.unpack(source)
        return socket.inet_ntop(socket.AF_INET6, host), int.from_bytes(port, "big"), 0, scope
    _, port, host = _INET.unpack(source)
    return socket.inet_ntoa(host), int.from_bytes(port, "big")


def host_and_port(source: bytes) -> tuple[bytes, int]:
    """Return the 4 or 16 bytes of a ``sockaddr``'s address, and its port."""
    host = source[8:24] if len(source) == _INET6.size else source[4:8]
    return host, int.from_bytes(source[2:4], "big")


class _Part(ctypes.Structure):
    """``struct iovec``."""

    _fields_ = (("base", ctypes.c_void_p), ("size", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """``struct msghdr``."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_size", ctypes.c_uint32),
        ("parts", ctypes.c_void_p),
        ("part_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_size", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """``struct mmsghdr``: a header, and how many bytes came."""

    _fields_ = (("header", _Header), ("received", ctypes.c_uint32))


_recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg


class Inbox:
    """Receives from one socket into a buffer of ``PLACES * PLACE_BYTES``, which several may share.

    ``sizes[place]`` is the length of what came there: over ``MAX_PACKET`` it was longer and is cut.
    ``sources[place]`` is where it came from, as ``sockaddr`` bytes.
    """

    def __init__(self, sock: socket.socket, buffer: memoryview) -> None:
        name_size = _INET6.size if sock.family == socket.AF_INET6 else _INET.size
        names = memoryview(bytearray(PLACES * name_size))
        parts, messages = (_Part * PLACES)(), (_Message * PLACES)()
        base = ctypes.addressof(ctypes.c_char.from_buffer(buffer))
        name = ctypes.addressof(ctypes.c_char.from_buffer(names))
        for place in range(PLACES):
            parts[place].base, parts[place].size = base + place * PLACE_BYTES, MAX_PACKET + 1
            header = messages[place].header
            header.name, header.name_size = name + place * name_size, name_size
            header.parts, header.part_count = ctypes.addressof(parts[place]), 1
        words = memoryview(messages).cast("B").cast("I")
        word = _Message.received.offset // 4
        self.sizes = words[word :: ctypes.sizeof(_Message) // 4]
        self.sources = [names[at : at + name_size] for at in range(0, len(names), name_size)]
        # The kernel writes to these by address: they live as long as this does.
        self._kept = parts, messages, buffer
        self._call = (
            ctypes.c_int(sock.fileno()),
            ctypes.byref(messages),
            ctypes.c_uint(PLACES),
            ctypes.c_int(socket.MSG_DONTWAIT),
            ctypes.c_void_p(),
        )

    def receive(self) -> int:
        """Take what waits; returns how many places were filled. Raises ``OSError``."""
        count: int = _recvmmsg(*self._call)
        if count < 0:
            number = ctypes.get_errno()
            if number in (errno.EAGAIN, errno.EINTR):
                return 0
            raise OSError(number, os.strerror(number))
        return count
