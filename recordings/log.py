"""The live log of a side: small sealed records, one after another, each of them a whole age file.

    log     =  record*
    record  =  length (4 bytes, big-endian)  age file
    inside  =  WebM elements  Void(binding)

The binding says where a record belongs: recording, side, its number, whether it is the last, and the hash of
all that is before it. So what is torn off at the end by a crash is lost and nothing else, and records that
were changed, swapped, left out, repeated, or taken from another log do not pass.

The chain is ``head[n] = SHA-256(head[n-1] || age file n)`` from a hash of the names, so that whoever has a
count and a head from elsewhere (the database) checks a log without any key; a log that was cut short is told
by them from a short session. One long age file would put up to a chunk of 64 KiB at risk, which is 21 s of a
voice, and to seal a chunk twice uses a nonce twice: never do it.
"""

from __future__ import annotations

import hashlib
import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from core.agefile import AgeError, Identity, Recipient, decrypt, encrypt
from core.errors import TeduhError
from recordings.container import VOID
from recordings.ebml import element
from recordings.sides import Side

Digest = bytes
"""A SHA-256; where a field is called ``bytes`` the type needs another name."""
MAX_RECORD_BYTES: Final = 16 << 20
"""More than a second of anything; a length above it is damage."""
_LENGTH: Final = struct.Struct(">I")
_BINDING: Final = struct.Struct(">4s32s16sIB32s")
_MARK: Final = b"TLG1"
_FINAL: Final = 1


class LogBroken(TeduhError):
    """A log is not what it was. ``what`` is one of our words, ``at_record`` the number of the record.

    ``changed``: a record does not open, or is not of this key; ``foreign``: it belongs to another log or
    place, or something before it was changed; ``cut``: records are missing that were on disk once;
    ``mismatch``: the hash is not the one that was kept; ``trailing``: something follows the last record;
    ``malformed``: what is inside is not ours; ``empty``: there is no frame in it at all.
    """

    code = "log_broken"

    def __init__(self, what: str, at_record: int) -> None:
        super().__init__(f"Record {at_record} of the log is broken: {what}.")
        self.what = what
        self.at_record = at_record


@dataclass(frozen=True, slots=True)
class Chain:
    """How many records there are, and the hash over all of them."""

    records: int
    head: Digest

    def follow(self, sealed: bytes) -> Chain:
        """Return the chain with one more record."""
        digest = hashlib.sha256(self.head)
        digest.update(sealed)
        return Chain(self.records + 1, digest.digest())


@dataclass(frozen=True, slots=True)
class Record:
    """One record that was opened: its elements without the binding, and the chain that ends with it."""

    plain: bytes
    chain: Chain
    final: bool


@dataclass(frozen=True, slots=True)
class LogState:
    """What can be said of a whole log. ``torn_bytes`` are those of a record that a crash left half."""

    chain: Chain
    bytes: int
    torn_bytes: int


def begin(recording_id: str, side: Side) -> Chain:
    """Return the chain of a log without records."""
    return Chain(0, hashlib.sha256(f"teduh recording log v1\n{recording_id}\n{side}\n".encode()).digest())


class LogWriter:
    """Appends to a new log. It holds the public half of the recording's key alone; used by one thread."""

    def __init__(self, path: Path, *, recording_id: str, side: Side, recipient: Recipient) -> None:
        """Make the file. Raises ``OSError``, also when there is one already: a log is never gone on with."""
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        sync_directory(path.parent)
        self._names = recording_id.encode(), side.encode()
        self._recipients = [recipient]
        self.chain = begin(recording_id, side)
        self.bytes = 0

    def append(self, plain: bytes, *, final: bool = False) -> None:
        """Seal one record and bring it to the disk: when this returns a crash does not take it.

        Raises ``OSError``: then the log is to be closed, and what was half written is the torn tail.
        """
        binding = _BINDING.pack(
            _MARK, *self._names, self.chain.records, _FINAL if final else 0, self.chain.head
        )
        sealed = encrypt(plain + element(VOID, binding), self._recipients)
        record = memoryview(_LENGTH.pack(len(sealed)) + sealed)
        size = len(record)
        while record:
            record = record[os.write(self._fd, record) :]
        os.fdatasync(self._fd)
        self.chain = self.chain.follow(sealed)
        self.bytes += size

    def close(self) -> None:
        """Let go of the file. Idempotent."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


def read_log(
    log: Path, *, recording_id: str, side: Side, identity: Identity, sure: int | None = None
) -> Iterator[Record]:
    """Open the records in order; a torn tail is passed over. Raises ``LogBroken`` and ``OSError``.

    ``sure`` is how many records were on the disk for certain, None: all. Behind them the last one may be torn
    in other ways than by its length: after a power cut some file systems leave zeros where it was to be.
    The caller compares the last chain with the one that is kept: ``check_chain`` or ``check_log``.
    """
    chain, final = begin(recording_id, side), False
    with log.open("rb") as file:
        for sealed, is_last in _sealed_records(file, sure):
            if final:
                raise LogBroken("trailing", chain.records)
            try:
                plain, final = _open(sealed, chain, (recording_id.encode(), side.encode()), identity)
            except LogBroken as error:
                if error.what == "changed" and is_last and sure is not None and chain.records >= sure:
                    return
                raise
            chain = chain.follow(sealed)
            yield Record(plain, chain, final)


def check_log(log: Path, *, recording_id: str, side: Side, expected: Chain | None = None) -> LogState:
    """Check a log against the chain that is kept, without a key. Raises ``LogBroken`` and ``OSError``.

    It may be longer than ``expected``, which follows the disk by a moment. Without ``expected`` only lengths
    are checked.
    """
    chain, at_expected = begin(recording_id, side), None
    size = 0
    with log.open("rb") as file:
        for sealed, _ in _sealed_records(file, None if expected is None else expected.records):
            if expected is not None and chain.records == expected.records:
                at_expected = chain
            chain = chain.follow(sealed)
            size += _LENGTH.size + len(sealed)
    if expected is not None:
        check_chain(at_expected or chain, expected)
    return LogState(chain, size, log.stat().st_size - size)


def check_chain(chain: Chain, expected: Chain) -> None:
    """Compare the chain of a log, up to the record that ``expected`` ends with. Raises ``LogBroken``."""
    if chain.records < expected.records:
        raise LogBroken("cut", chain.records)
    if chain.head != expected.head:
        raise LogBroken("mismatch", expected.records)


def _sealed_records(file: BinaryIO, sure: int | None) -> Iterator[tuple[bytes, bool]]:
    """Yield the age files, and whether nothing follows; ends at the end, or at a tail that is torn."""
    index, end = 0, os.fstat(file.fileno()).st_size
    while len(length := file.read(_LENGTH.size)) == _LENGTH.size:
        (size,) = _LENGTH.unpack(length)
        if not 0 < size <= MAX_RECORD_BYTES:
            if sure is not None and index >= sure:
                return
            raise LogBroken("changed", index)
        sealed = file.read(size)
        if len(sealed) < size:
            return
        yield sealed, file.tell() == end
        index += 1


def _open(sealed: bytes, chain: Chain, names: tuple[bytes, bytes], identity: Identity) -> tuple[bytes, bool]:
    """Open one record and see that it belongs behind ``chain``."""
    try:
        plain = decrypt(sealed, [identity])
    except AgeError as error:
        raise LogBroken("changed", chain.records) from error
    at = len(plain) - _BINDING.size
    if at < 2 or plain[at - 2] != VOID or plain[at - 1] != 0x80 | _BINDING.size:
        raise LogBroken("malformed", chain.records)
    mark, recording_id, side, index, flags, head = _BINDING.unpack_from(plain, at)
    if mark != _MARK:
        raise LogBroken("malformed", chain.records)
    found = recording_id.rstrip(b"\0"), side.rstrip(b"\0"), index, head
    if found != (*names, chain.records, chain.head):
        raise LogBroken("foreign", chain.records)
    return plain[: at - 2], bool(flags & _FINAL)


def sync_directory(path: Path) -> None:
    """Bring a directory's entries to the disk: a file whose name is lost is lost."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
