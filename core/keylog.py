"""The log of a keyring: who opened which recording's key, for what. Only ever added to.

One line of JSON for each opening, on disk before the key is given out. It is also what the limit is counted
from, so that another process, or a start anew, is no way around it. Refusals are lines of a file beside it:
whoever is refused ever so often keeps nobody from opening what they may.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Self

import msgspec

from core.clock import AHEAD
from core.errors import TooMany, Unavailable
from core.warrants import Purpose, Warrant

NAME: Final = "openings.jsonl"
REFUSED: Final = "refusals.jsonl"
REFUSED_BYTES: Final = 64_000_000
"""So much is kept of them: whoever is refused ever so often does not fill the disk either."""
HOURLY: Final = 60
HOURLY_WORK: Final = 3_600
"""What finishing may open in an hour, and verifying, each: nobody sees anything of it."""
WITHIN: Final = timedelta(hours=1)
TAIL_BYTES: Final = 4_000_000
"""More than an hour's lines: 60 openings and three kinds of work have 3 MB at the most."""
WORD_CHARS: Final = 64
"""How much is written of what a warrant names: a forged one names whatever it likes."""
OPENED: Final = "opened"
TOO_MANY: Final = "too_many"


class LogUnwritable(Unavailable):
    """The log cannot be written, so nothing is opened."""

    code = "key_log"


class _Line(msgspec.Struct, frozen=True):
    at: datetime
    outcome: str
    recording: str
    viewer: str
    purpose: Purpose
    expires_at: datetime


class KeyLog:
    """The log in one file, mode 0600."""

    def __init__(self, path: Path, *, hourly: int = HOURLY) -> None:
        """``hourly`` is how often people may have keys opened within an hour."""
        self._path = path
        self._hourly = hourly

    def opened(self, warrant: Warrant, *, now: datetime) -> None:
        """Write down that a key is given out now. Raises ``TooMany``, which is written down too.

        Raises ``LogUnwritable`` when it cannot be written.
        """
        with _told(self._path), _File(self._path) as file:
            free_at = self._free_at(file, purpose=warrant.purpose, now=now)
            if free_at is None:
                file.add(_line(warrant, OPENED, now))
        if free_at is not None:
            self.refused(warrant, why=TOO_MANY, now=now)
            raise TooMany(
                "Too many recordings were opened within an hour.",
                retry_after_s=max((free_at - now).total_seconds(), 1.0),
            )

    def refused(self, warrant: Warrant, *, why: str, now: datetime) -> None:
        """Write down that a warrant was refused, as long as there is room. Raises ``LogUnwritable``."""
        path = self._path.with_name(REFUSED)
        with _told(path), _File(path) as file:
            if file.size < REFUSED_BYTES:
                file.add(_line(warrant, why, now))

    def _free_at(self, file: _File, *, purpose: Purpose, now: datetime) -> datetime | None:
        """Say when another may be opened; None is now."""
        # People share one limit; each kind of work has its own, so that verifying all holds up no finishing.
        most = HOURLY_WORK if purpose.is_work else self._hourly
        counted = {purpose} if purpose.is_work else {one for one in Purpose if not one.is_work}
        lines, whole = file.tail()
        # A line of a time to come was written by a clock that was wrong: it says nothing of this hour.
        lines = [line for line in lines if line.at <= now + AHEAD]
        recent = [line for line in lines if line.at > now - WITHIN]
        times = sorted(line.at for line in recent if line.outcome == OPENED and line.purpose in counted)
        if len(times) >= most:
            return times[-most] + WITHIN
        # More lines than the tail holds, all of them of this hour: nobody can tell how many were opened.
        return None if whole or len(recent) < len(lines) else now + WITHIN


@contextlib.contextmanager
def _told(path: Path) -> Iterator[None]:
    """Say in our words that a log cannot be written."""
    try:
        yield
    except OSError as error:
        raise LogUnwritable(f"Nothing is opened: {path} cannot be used ({error.strerror}).") from None


class _File:
    """The file, held by one process at a time."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> Self:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC
        self._descriptor = os.open(self._path, flags, 0o600)
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        return self

    def __exit__(self, *_error: object) -> None:
        os.close(self._descriptor)

    @property
    def size(self) -> int:
        """Its bytes."""
        return os.fstat(self._descriptor).st_size

    def add(self, line: _Line) -> None:
        """Append one line, on disk when this returns. Raises ``OSError``, and then leaves nothing of it."""
        text, size = msgspec.json.encode(line) + b"\n", self.size
        if os.write(self._descriptor, text) < len(text):
            os.ftruncate(self._descriptor, size)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        os.fsync(self._descriptor)

    def tail(self) -> tuple[list[_Line], bool]:
        """Give the last lines, and whether these are all there are."""
        size = self.size
        begin = max(size - TAIL_BYTES, 0)
        return list(_lines(os.pread(self._descriptor, size - begin, begin), whole=not begin)), not begin


def _lines(text: bytes, *, whole: bool) -> Iterator[_Line]:
    """Read lines; a first one that is cut, and one that a full disk tore, are passed over."""
    for line in text.split(b"\n")[0 if whole else 1 :]:
        try:
            yield msgspec.json.decode(line, type=_Line)
        except msgspec.MsgspecError:
            continue


def _line(warrant: Warrant, outcome: str, now: datetime) -> _Line:
    recording, viewer = warrant.recording_id[:WORD_CHARS], warrant.viewer[:WORD_CHARS]
    return _Line(now, outcome, recording, viewer, warrant.purpose, warrant.expires_at)
