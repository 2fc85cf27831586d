"""The store in a directory: the default, in the data directory, or a mounted disk of the operator's.

A file appears under its name when all of it is on the disk, and its directory entry with it. On one file
system nothing is copied: the store's file is another name (a hard link) of the one that was put.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shutil
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from recordings.store import SUFFIX, NotStored, Stored, StoreFailed, whose

DRAFT: Final = ".draft-"


class LocalStore:
    """A directory that only the server's user can look into.

    ``mounted``: it is the operator's, on a disk that may be away, so it is never made here. While it is not
    there nothing is known of what it holds, and every method raises ``StoreFailed``.
    """

    def __init__(self, root: Path, *, mounted: bool = False) -> None:
        self._root = root
        self._mounted = mounted

    async def put(self, name: str, path: Path) -> None:
        """Store a file, whole or not at all."""
        await asyncio.to_thread(self._put, self._path(name), path)

    async def size(self, name: str) -> int:
        """Give the size in bytes. Raises ``NotStored``."""
        return await asyncio.to_thread(self._size, name)

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """Read a part. Raises ``NotStored``."""
        return await asyncio.to_thread(self._read, name, offset, length)

    async def delete(self, name: str) -> int:
        """Delete the file and what is left of drafts of it."""
        return await asyncio.to_thread(self._delete, self._path(name))

    async def every(self) -> AsyncIterator[Stored]:
        """List all files with names of ours."""
        for one in await asyncio.to_thread(self._list):
            yield one

    async def sweep(self, *, before: datetime) -> int:
        """Delete drafts of before a time: their writers died."""
        return await asyncio.to_thread(self._sweep, before)

    async def close(self) -> None:
        """Do nothing: no file stays open."""

    def _path(self, name: str) -> Path:
        if whose(name) is None:
            raise NotStored("This is no name of a recording.")
        return self._root / name

    @contextlib.contextmanager
    def _told(self, name: str) -> Iterator[None]:
        """Say in our words what went wrong with a file."""
        try:
            if self._mounted and not self._root.is_dir():
                raise StoreFailed(f"The directory of recordings is not there: {self._root}.")
            yield
        except FileNotFoundError:
            raise NotStored(f"There is nothing under {name}.") from None
        except OSError as error:
            raise StoreFailed(f"The directory of recordings: {error.strerror} ({name}).") from error

    def _put(self, target: Path, path: Path) -> None:
        draft = target.with_name(f"{DRAFT}{target.name}.{secrets.token_hex(8)}")
        with self._told(target.name):
            if not self._mounted:
                # Parents that mkdir makes on the way are open to others.
                self._root.mkdir(mode=0o700, parents=True, exist_ok=True)
            target.parent.mkdir(mode=0o700, exist_ok=True)
            try:
                _place(path, draft)
                draft.replace(target)
            finally:
                draft.unlink(missing_ok=True)
            for folder in (target.parent, self._root, self._root.parent):
                _sync(folder)

    def _size(self, name: str) -> int:
        with self._told(name):
            return self._path(name).stat().st_size

    def _read(self, name: str, offset: int, length: int) -> bytes:
        with self._told(name), self._path(name).open("rb") as file:
            file.seek(offset)
            return file.read(length)

    def _delete(self, target: Path) -> int:
        with self._told(target.name):
            if not target.parent.is_dir():
                return 0
            there = [one for one in target.parent.iterdir() if _is_of(one, target)]
            for one in there:
                one.unlink(missing_ok=True)
            _sync(target.parent)
            # The other side's file keeps the directory.
            with contextlib.suppress(OSError):
                target.parent.rmdir()
        return len(there)

    def _list(self) -> list[Stored]:
        found = []
        with self._told("the list"):
            if not self._root.exists():
                return []
            for path in self._root.glob(f"*/*{SUFFIX}"):
                name = path.relative_to(self._root).as_posix()
                if whose(name) is not None:
                    kept = path.stat()
                    found.append(Stored(name, kept.st_size, datetime.fromtimestamp(kept.st_mtime, UTC)))
        return found

    def _sweep(self, before: datetime) -> int:
        with self._told("the drafts"):
            old = [path for path in self._root.glob(f"*/{DRAFT}*") if _ended(path) < before]
            for path in old:
                path.unlink(missing_ok=True)
        return len(old)


def _place(path: Path, draft: Path) -> None:
    """Make a draft with the content of a file, all of it on the disk."""
    with path.open("rb") as file:
        os.fsync(file.fileno())
    try:
        os.link(path, draft)
    except OSError:  # another file system, or one without hard links
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as copy, path.open("rb") as file:
            shutil.copyfileobj(file, copy, 1 << 20)
            copy.flush()
            os.fsync(copy.fileno())


def _is_of(path: Path, target: Path) -> bool:
    return path == target or path.name.startswith(f"{DRAFT}{target.name}.")


def _ended(path: Path) -> datetime:
    """Say when a draft was last touched; a hard link made just now has its old times, but a new ctime."""
    return datetime.fromtimestamp(path.stat().st_ctime, UTC)


def _sync(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
