"""Tombstones: who was erased, kept outside the database, so that no backup of it brings anybody back.

``erasures.jsonl`` in the data directory has a line for each person: an opaque id, when, and an HMAC. A line
is on the disk before the person's rows go, and all lines are applied to whatever database is there before
the server serves (``accounts/erasure.py``). Recordings have a file of their own (``recordings/restored.py``).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Generic, TypeVar, cast

import msgspec

from core.clock import rfc3339
from core.derive import derive
from core.errors import ConfigError
from core.ids import UserId, is_id

NAME: Final = "erasures.jsonl"
MAX_LINE_BYTES: Final = 1_000
Id = TypeVar("Id", bound=str)


@dataclass(frozen=True, slots=True)
class Tombstones(Generic[Id]):
    """The file of one service. Its functions block; from a loop they are called in a thread.

    ``what`` is the word that stands before an id in a line.
    """

    path: Path
    key: bytes
    what: str = "user"

    def add(self, one: Id, at: datetime) -> None:
        """Write that the one of this id is gone; on the disk when it returns. Twice does no harm."""
        written = str(rfc3339(at))
        told = {self.what: one, "at": written, "mac": self._mac(one, written)}
        line = msgspec.json.encode(told) + b"\n"
        is_new = not self.path.exists()
        descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            self._mend(descriptor)
            if os.write(descriptor, line) != len(line):
                raise OSError("a tombstone was written in part only")
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if is_new:
            _sync_folder(self.path.parent)

    def read(self) -> list[Id]:
        """List the ids of all that is gone, each once. A last line that was torn by a crash is left out.

        Its rows were still there then, and go with a new line. Raises ``ConfigError`` for a line that is not
        ours: to go on would bring somebody back.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}.") from None
        *lines, rest = text.split(b"\n")
        found: dict[Id, None] = {}
        for number, line in enumerate(lines, start=1):
            one = self._read(line)
            if one is None:
                raise ConfigError(
                    f"Line {number} of {self.path} is not as teduh wrote it, so it is not known who or what "
                    "was erased. Put the file back from a backup, and the master key that belongs to it."
                )
            found[one] = None
        last = self._read(rest)
        if last is not None:
            found[last] = None
        return [*found]

    def _mend(self, descriptor: int) -> None:
        """End a last line that has no end, or take it away when a crash cut it off."""
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, MAX_LINE_BYTES, max(0, size - MAX_LINE_BYTES))
        rest = tail.rpartition(b"\n")[2]
        if not rest:
            return
        if self._read(rest) is not None:
            os.write(descriptor, b"\n")
        else:
            os.ftruncate(descriptor, size - len(rest))

    def _read(self, line: bytes) -> Id | None:
        try:
            told = msgspec.json.decode(line, type=dict[str, str])
        except msgspec.MsgspecError:
            return None
        if told.keys() != {self.what, "at", "mac"}:
            return None
        one = told[self.what]
        mac = self._mac(one, told["at"])
        is_ours = is_id(one) and hmac.compare_digest(told["mac"].encode(), mac.encode())
        return cast("Id", one) if is_ours else None

    def _mac(self, one: str, at: str) -> str:
        return hmac.new(self.key, f"{one}|{at}".encode(), hashlib.sha256).hexdigest()


def tombstones_in(data_dir: Path, master: bytes) -> Tombstones[UserId]:
    """Give the tombstones of a data directory; the file need not be there yet."""
    return Tombstones(data_dir / NAME, derive(master, "erasures"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
