"""Wrapping keys in files: one age identity for each month in a directory that is this user's alone.

``2026-11.1.txt`` is a key file as ``age-keygen`` makes it, so what is wrapped opens with ``age`` too. The
number counts those of one month: there is more than one after ``renew``. Files wider than 0600 and a
directory wider than 0700 are refused, as ssh refuses such keys.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC
from pathlib import Path
from typing import Final

from core.agefile import AgeError, Identity, KeyMalformed, decrypt, encrypt
from core.clock import Clock
from core.errors import ConfigError, InvalidState
from core.keyfile import write_once
from core.keyring import KeyBroken, KeyMissing

OTHERS: Final = 0o077
DROPPED: Final = ".dropped-"
_NAME: Final = re.compile(r"(\d{4}-\d{2})\.(\d{1,4})\.txt")
_FINGERPRINT_CHARS: Final = 8


@dataclass(frozen=True, slots=True, order=True)
class _Key:
    """One file, in the order of their making."""

    month: str
    number: int
    path: Path

    @classmethod
    def of(cls, path: Path) -> _Key | None:
        found = _NAME.fullmatch(path.name)
        return None if found is None else cls(found[1], int(found[2]), path)

    def id(self, identity: Identity) -> str:
        fingerprint = hashlib.sha256(identity.recipient.public).hexdigest()[:_FINGERPRINT_CHARS]
        return f"{self.month}.{self.number}.{fingerprint}"


class FileKeys:
    """A directory of keys. Raises ``ConfigError`` for files that others can read or that are broken.

    Several processes may use one directory: a new file appears whole or not at all, and the first one stays.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        self._directory = directory
        self._clock = clock

    async def seal(self, plain: bytes) -> tuple[str, bytes]:
        """Seal to this month's newest identity."""
        key_id, identity = await asyncio.to_thread(self._newest)
        return key_id, encrypt(plain, [identity.recipient])

    async def open(self, key_id: str, sealed: bytes) -> bytes:
        """Open with the identity that the id names."""
        identity = (await asyncio.to_thread(self._read_all)).get(key_id)
        if identity is None:
            raise KeyMissing(f"The key {key_id} is not in {self._directory}: bring it back from its backup.")
        try:
            return decrypt(sealed, [identity])
        except AgeError:
            raise KeyBroken(f"A key wrapped with {key_id} was changed and does not open.") from None

    async def held(self) -> AbstractSet[str]:
        """Name the ids of all files."""
        return (await asyncio.to_thread(self._read_all)).keys()

    async def renew(self) -> str:
        """Make this month's next file."""
        return await asyncio.to_thread(self._renew)

    async def drop(self, key_id: str) -> None:
        """Overwrite the file and delete it; what the disk itself keeps of it is in docs/recordings.md."""
        await asyncio.to_thread(self._drop, key_id)

    def _newest(self) -> tuple[str, Identity]:
        self._check_directory(make=True)
        month = self._month()
        of_month = [key for key in self._files() if key.month == month]
        key = max(of_month) if of_month else self._make(month, 1)
        identity = _read(key.path)
        return key.id(identity), identity

    def _renew(self) -> str:
        self._check_directory(make=True)
        month = self._month()
        last = max((key.number for key in self._files() if key.month == month), default=0)
        key = self._make(month, last + 1)
        return key.id(_read(key.path))

    def _make(self, month: str, number: int) -> _Key:
        identity = Identity.generate()
        path = self._directory / f"{month}.{number}.txt"
        text = f"# teduh: recordings of {month}\n# public key: {identity.recipient}\n{identity}\n"
        try:
            write_once(path, text.encode())
            _sync(self._directory)
        except OSError as error:
            raise ConfigError(f"The key file {path} cannot be made: {error.strerror}.") from None
        return _Key(month, number, path)

    def _drop(self, key_id: str) -> None:
        self._check_directory(make=False)
        files = self._files()
        for key, identity in _present(files):
            if key.id(identity) != key_id:
                continue
            if key == max(files):
                raise InvalidState(f"The key {key_id} is in use.")
            # Away from its name first: a crash after this leaves no broken key, only what is cleared below.
            key.path.rename(key.path.with_name(f"{DROPPED}{key.path.name}"))
            _sync(self._directory)
        self._clear()

    def _clear(self) -> None:
        """Destroy what is no key any more."""
        for path in list(self._directory.glob(f"{DROPPED}*")):
            _overwrite(path)
            path.unlink()
            _sync(self._directory)

    def _read_all(self) -> dict[str, Identity]:
        self._check_directory(make=False)
        return {key.id(identity): identity for key, identity in _present(self._files())}

    def _files(self) -> list[_Key]:
        if not self._directory.is_dir():
            return []
        return [key for path in self._directory.iterdir() if (key := _Key.of(path)) is not None]

    def _month(self) -> str:
        return f"{self._clock.now().astimezone(UTC):%Y-%m}"

    def _check_directory(self, *, make: bool) -> None:
        try:
            if make:
                self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            _refuse_wide(self._directory, "700")
        except FileNotFoundError:
            return
        except OSError as error:
            raise ConfigError(f"The keys in {self._directory} cannot be used: {error.strerror}.") from None


def _present(keys: Iterable[_Key]) -> Iterator[tuple[_Key, Identity]]:
    """Read those that are still there: another process may drop one at any moment."""
    for key in keys:
        try:
            identity = _read(key.path)
        except ConfigError:
            if key.path.exists():
                raise
            continue
        yield key, identity


def _read(path: Path) -> Identity:
    """Read a key file: comments, and one identity."""
    try:
        _refuse_wide(path, "600")
        lines = path.read_text(encoding="ascii").splitlines()
    except OSError as error:
        raise ConfigError(f"The key file {path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        lines = []
    secrets = [line for line in lines if line and not line.startswith("#")]
    try:
        (secret,) = secrets
        return Identity.parse(secret)
    except (ValueError, KeyMalformed):
        raise ConfigError(f"The key file {path} is broken: bring it back from its backup.") from None


def _refuse_wide(path: Path, mode: str) -> None:
    if path.stat().st_mode & OTHERS:
        raise ConfigError(f"Others can read the keys in {path}, so they are not used: chmod {mode} {path}")


def _overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(bytes(path.stat().st_size))
        file.flush()
        os.fsync(file.fileno())


def _sync(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
