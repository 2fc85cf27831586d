"""age v1 files (C2SP ``age.md``): what is sealed here opens with the command ``age`` and nothing else.

After the header (``core/ageheader.py``) come a nonce of 16 bytes and the payload: chunks of 64 KiB, each
sealed with ChaCha20-Poly1305 (RFC 8439) under a key from file key and nonce (STREAM, Hoang and others,
2015). A chunk's nonce counts it and says whether it is the last, so nothing can be taken out, moved or
cut off unseen. The last chunk may be short, and is empty only if there is nothing else.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from core.ageheader import (
    FILE_KEY_BYTES,
    AgeError,
    HeaderBroken,
    HeaderForged,
    Identity,
    KeyMalformed,
    NoMatch,
    PayloadBroken,
    Recipient,
    derive,
    read_header,
    write_header,
)

__all__ = [
    "AgeError",
    "HeaderBroken",
    "HeaderForged",
    "Identity",
    "KeyMalformed",
    "NoMatch",
    "Payload",
    "PayloadBroken",
    "Reader",
    "Recipient",
    "Writer",
    "decrypt",
    "encrypt",
]

Octets = bytes | bytearray | memoryview

CHUNK_BYTES: Final = 65_536
TAG_BYTES: Final = 16
SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES
NONCE_BYTES: Final = 16
START_BYTES: Final = 8_192
"""How much of a file may be its header: room for some eighty recipients, and for no work without end."""


def encrypt(plain: Octets, recipients: Sequence[Recipient]) -> bytes:
    """Seal something that fits into memory to each of the recipients."""
    pieces = list[bytes]()
    writer = Writer(pieces.append, recipients)
    writer.write(plain)
    writer.close()
    return b"".join(pieces)


def decrypt(sealed: bytes, identities: Sequence[Identity]) -> bytes:
    """Open a whole file. Raises ``AgeError``; nothing of a file that is broken somewhere is given out."""
    payload = Payload(sealed[:START_BYTES], len(sealed), identities)
    return payload.open(0, sealed[payload.begins :])


class Writer:
    """Seals a stream: ``write`` pieces of any size, then ``close``; ``out`` gets what is to be stored.

    Without ``close`` the file is truncated and does not open. Chunks are never sealed twice: a nonce
    would be used again.
    """

    def __init__(self, out: Callable[[bytes], object], recipients: Sequence[Recipient]) -> None:
        """Hand out the header at once."""
        file_key, nonce = os.urandom(FILE_KEY_BYTES), os.urandom(NONCE_BYTES)
        self._out = out
        self._cipher = ChaCha20Poly1305(derive(file_key, salt=nonce, info=b"payload"))
        self._index = 0
        self._held = b""
        self._closed = False
        out(write_header(file_key, recipients) + nonce)

    def write(self, plain: Octets) -> None:
        """Take more; a full chunk waits until something follows it."""
        if self._closed:
            raise ValueError("this file is closed")
        rest = memoryview(self._held + plain if self._held else plain)
        while len(rest) > CHUNK_BYTES:
            self._seal(rest[:CHUNK_BYTES], last=False)
            rest = rest[CHUNK_BYTES:]
        self._held = bytes(rest)

    def close(self) -> None:
        """Seal the last chunk; closing again does nothing. ``out`` is not closed."""
        if not self._closed:
            self._closed = True
            self._seal(self._held, last=True)
            self._held = b""

    def _seal(self, plain: Octets, *, last: bool) -> None:
        self._out(self._cipher.encrypt(_nonce(self._index, last=last), plain, None))
        self._index += 1


class Payload:
    """What is behind a header, without reading it: which sealed bytes are wanted, and opening them.

    For readers that fetch asynchronously; ``Reader`` is for the others. Whoever uses it checks the last
    chunk before believing ``size``: ``open(last, ...)``, as the format demands of seeking readers.
    """

    def __init__(self, start: bytes, sealed_size: int, identities: Sequence[Identity]) -> None:
        """Take the first ``START_BYTES`` of a file (or all of it) and its size. Raises ``AgeError``."""
        header = read_header(start)
        file_key = header.file_key(identities)
        self.begins = header.length + NONCE_BYTES
        """Where the first chunk begins in the file."""
        nonce = start[header.length : self.begins]
        if len(nonce) != NONCE_BYTES:
            raise HeaderBroken("The file ends behind its header.")
        self._sealed = sealed_size - self.begins
        self._chunks = -(-self._sealed // SEALED_CHUNK_BYTES)
        self.size = self._sealed - TAG_BYTES * self._chunks
        """How many bytes are inside."""
        rest = self._sealed - (self._chunks - 1) * SEALED_CHUNK_BYTES
        if not self._chunks or rest < TAG_BYTES or (rest == TAG_BYTES and self._chunks > 1):
            raise PayloadBroken("The file is cut off.")
        self._cipher = ChaCha20Poly1305(derive(file_key, salt=nonce, info=b"payload"))

    @property
    def last(self) -> int:
        """The number of the last chunk; the first one is 0."""
        return self._chunks - 1

    def span(self, first: int, last: int) -> tuple[int, int]:
        """Say where chunks ``first`` to ``last`` (both included) lie: offset in the file, and length."""
        begin, end = first * SEALED_CHUNK_BYTES, min((last + 1) * SEALED_CHUNK_BYTES, self._sealed)
        return self.begins + begin, end - begin

    def open(self, first: int, sealed: Octets) -> bytes:
        """Open whole chunks in a row, from number ``first`` on. Raises ``PayloadBroken``."""
        view = memoryview(sealed)
        pieces = list[bytes]()
        for index, at in enumerate(range(0, len(view), SEALED_CHUNK_BYTES), first):
            try:
                nonce = _nonce(index, last=index == self.last)
                pieces.append(self._cipher.decrypt(nonce, view[at : at + SEALED_CHUNK_BYTES], None))
            except InvalidTag:
                raise PayloadBroken(f"Chunk {index} of {self._chunks} does not open.") from None
        return b"".join(pieces)


class Reader:
    """Reads anywhere in a file; ``read_at(offset, length)`` gives its sealed bytes.

    Raises ``AgeError`` when made: for keys that do not fit, and for a file that was cut off.
    """

    def __init__(
        self, read_at: Callable[[int, int], bytes], size: int, identities: Sequence[Identity]
    ) -> None:
        self._read_sealed = read_at
        self._payload = Payload(read_at(0, min(size, START_BYTES)), size, identities)
        self._chunks(self._payload.last, self._payload.last)

    @property
    def size(self) -> int:
        """How many bytes are inside."""
        return self._payload.size

    def read_at(self, offset: int, length: int) -> bytes:
        """Read; fewer bytes than asked for at the end. Raises ``PayloadBroken``."""
        if offset < 0 or length < 0:
            raise ValueError("before the start")
        end = min(offset + length, self.size)
        if offset >= end:
            return b""
        first = offset // CHUNK_BYTES
        plain = self._chunks(first, (end - 1) // CHUNK_BYTES)
        return plain[offset - first * CHUNK_BYTES : end - first * CHUNK_BYTES]

    def _chunks(self, first: int, last: int) -> bytes:
        offset, length = self._payload.span(first, last)
        sealed = self._read_sealed(offset, length)
        if len(sealed) != length:
            raise PayloadBroken("The file is shorter than it was.")
        return self._payload.open(first, sealed)


def _nonce(index: int, *, last: bool) -> bytes:
    """11 bytes count, one says whether it is the last."""
    return index.to_bytes(11, "big") + bytes([last])
