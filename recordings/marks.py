"""Withdrawals that the database does not know yet: an empty file in the recording's folder of the spool.

A withdrawal that was said while the database is away is written down when it is back. Should the server stop
before, the next one finds the file and ends the recording as it was told to.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from recordings.states import Side

PREFIX = "withdrawn."


class Marks:
    """The files below one spool. All of it blocks on the disk."""

    def __init__(self, spool: Path) -> None:
        self._spool = spool

    def put(self, recording: str, side: Side) -> None:
        """Keep that a side took its consent back; on the disk when this returns."""
        folder = self._spool / recording
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(folder / f"{PREFIX}{side.value}", os.O_CREAT | os.O_WRONLY, 0o600))
        for one in (folder, self._spool):
            held = os.open(one, os.O_RDONLY | os.O_DIRECTORY)
            try:
                os.fsync(held)
            finally:
                os.close(held)

    def found(self, recording: str) -> Side | None:
        """Say who took a consent back. A client's withdrawal goes before a counselor's."""
        return next((side for side in Side if self._file(recording, side).exists()), None)

    def drop(self, recording: str) -> None:
        """Forget it: the database knows. The folder may have been deleted with the recording."""
        for side in Side:
            with contextlib.suppress(FileNotFoundError):
                self._file(recording, side).unlink()

    def _file(self, recording: str, side: Side) -> Path:
        return self._spool / recording / f"{PREFIX}{side.value}"
