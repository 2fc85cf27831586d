"""Room that recordings leave on their disk, so that one can always be destroyed: pure but for one look.

What destroys a recording begins with its key, and that takes room where the data directory is: a line in
``destructions.jsonl``, a transaction in ``keys.db``, and one in the main database where that is SQLite. On a
disk that recordings have filled to its last byte nothing of it works, and media, which would make room, is
deleted after its key. So what grows by much stops before: logs, finished files, exports.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from core.errors import TeduhError

RESERVE_BYTES: Final = 256 << 20


class NoRoom(TeduhError):
    """It would not leave the reserve free."""

    code = "no_room"


def demand(directory: Path, size_bytes: int = 0) -> None:
    """See that so much may be written where ``directory`` is, or will be. Raises ``NoRoom``, ``OSError``."""
    free = free_bytes(directory)
    if free is not None and free - size_bytes < RESERVE_BYTES:
        raise NoRoom(f"Less than {RESERVE_BYTES >> 20} MB would be left free: {free >> 20} MB are.")


def free_bytes(directory: Path) -> int | None:
    """Say what is free for us where ``directory`` is, or will be; None where the disk does not tell.

    Of the blocks that are free, a part may be for root alone (statvfs(3), f_bavail).
    """
    there = next(path for path in (directory.absolute(), *directory.absolute().parents) if path.is_dir())
    disk = os.statvfs(there)
    return disk.f_bavail * disk.f_frsize if disk.f_blocks else None
