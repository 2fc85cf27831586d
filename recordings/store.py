"""Where finished recordings lie: what every store can do, and which one the settings ask for.

An object is one side of one recording, a whole age file, under ``<recording id>/<side>.webm.age``. A store
never sees a key or anything in the clear, and nothing is ever changed in place: an object is put, read, and
deleted with all that was ever under its name.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from core.bucket import Bucket
from core.errors import NotFound, Unavailable
from core.ids import is_id
from recordings.states import Side

SUFFIX: Final = ".webm.age"
_NAME: Final = re.compile(r"([^/]+)/([^/.]+)\.webm\.age")


class StoreFailed(Unavailable):
    """The store did not do it; it may be tried again. The text names no secret."""

    code = "store_failed"


class NotStored(NotFound):
    """There is nothing under this name."""

    code = "not_stored"


@dataclass(frozen=True, slots=True)
class Stored:
    """One object, as a list tells of it."""

    name: str
    size_bytes: int
    at: datetime


class Store(Protocol):
    """A place for finished recordings. Every method raises ``StoreFailed`` when the place does not answer."""

    async def put(self, name: str, path: Path) -> None:
        """Store a file, whole or not at all; it is durable when this returns, and ``path`` stays."""
        ...

    async def size(self, name: str) -> int:
        """Give the size in bytes. Raises ``NotStored``."""
        ...

    async def read(self, name: str, offset: int, length: int) -> bytes:
        """Read ``length`` bytes, fewer only at the end. Raises ``NotStored``."""
        ...

    async def delete(self, name: str) -> int:
        """Delete all versions and begun uploads of a name, look that none is left, and count them.

        Where nothing is left to delete it does nothing.
        """
        ...

    def every(self) -> AsyncIterator[Stored]:
        """List all objects, in no order."""
        ...

    async def sweep(self, *, before: datetime) -> int:
        """End uploads that were begun before a time and never finished; gives how many."""
        ...

    async def close(self) -> None:
        """Let connections go. Idempotent."""
        ...


def object_name(recording_id: str, side: Side) -> str:
    """Name the object of one side."""
    return f"{recording_id}/{side.value}{SUFFIX}"


def whose(name: str) -> tuple[str, Side] | None:
    """Say which recording and side an object is of; None for what is no name of ours."""
    match = _NAME.fullmatch(name)
    if match is None or not is_id(match[1]) or match[2] not in {side.value for side in Side}:
        return None
    return match[1], Side(match[2])


def stored_in(place: Path | Bucket | None, data_dir: Path) -> Path | Bucket:
    """Say where the settings have recordings stored: in the data directory unless they name a place."""
    return data_dir / "recordings" / "stored" if place is None else place
