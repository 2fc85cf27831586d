"""Tombstones: who was erased, kept outside the database, so that no backup of it brings anybody back.

``erasures.jsonl`` in the data directory has a line for each person: an opaque id, when, and an HMAC. A line
is on the disk before the person's rows go, and all lines are applied to whatever database is there before
the server serves (``accounts/erasure.py``).
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import os
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import msgspec

from core.clock import rfc3339
from core.derive import derive
from core.errors import ConfigError
from core.ids import UserId, is_id

NAME: Final = "erasures.jsonl"
MAX_LINE_BYTES: Final = 1_000


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    user: str
    at: str
    mac: str


@dataclass(frozen=True, slots=True)
class Tombstones:
    """The file of one service. Its functions block; from a loop they are called in a thread."""

    path: Path
    key: bytes

    def add(self, user: UserId, at: datetime) -> None:
        """Write that a person is erased; on the disk when it returns. Twice does no harm."""
        written = str(rfc3339(at))
        line = msgspec.json.encode(_Line(user, written, self._mac(user, written))) + b"\n"
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

    def read(self) -> list[UserId]:
        """List all who were erased, each once. A last line that was torn by a crash is left out.

        Its person's rows were still there then, and are erased with a new line. Raises ``ConfigError``
        for a line that is not ours: to go on would bring somebody back.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise ConfigError(f"{self.path} cannot be read: {error.strerror}.") from None
        *lines, rest = text.split(b"\n")
        users: dict[UserId, None] = {}
        for number, line in enumerate(lines, start=1):
            user = self._user(line)
            if user is None:
                raise ConfigError(
                    f"Line {number} of {self.path} is not as teduh wrote it, so it is not known who was "
                    "erased. Put the file back from a backup, and the master key that belongs to it."
                )
            users[user] = None
        last = self._user(rest)
        if last is not None:
            users[last] = None
        return [*users]

    def _mend(self, descriptor: int) -> None:
        """End a last line that has no end, or take it away when a crash cut it off."""
        size = os.fstat(descriptor).st_size
        tail = os.pread(descriptor, MAX_LINE_BYTES, max(0, size - MAX_LINE_BYTES))
        rest = tail.rpartition(b"\n")[2]
        if not rest:
            return
        if self._user(rest) is not None:
            os.write(descriptor, b"\n")
        else:
            os.ftruncate(descriptor, size - len(rest))

    def _user(self, line: bytes) -> UserId | None:
        try:
            told = msgspec.json.decode(line, type=_Line)
        except msgspec.MsgspecError:
            return None
        if not is_id(told.user) or not hmac.compare_digest(
            told.mac.encode(), self._mac(told.user, told.at).encode()
        ):
            return None
        return UserId(told.user)

    def _mac(self, user: str, at: str) -> str:
        return hmac.new(self.key, f"{user}|{at}".encode(), hashlib.sha256).hexdigest()


def tombstones_in(data_dir: Path, master: bytes) -> Tombstones:
    """Give the tombstones of a data directory; the file need not be there yet."""
    return Tombstones(data_dir / NAME, derive(master, "erasures"))


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
