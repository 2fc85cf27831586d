"""Backups of ``keys.db``: kept for seven days at most, or no proof of destruction is true.

A backup is a copy as of one moment, named after it: ``keys-20261122T193000Z.db``. Nothing that was deleted
before is in it. What is older is deleted with each new one and in between (``prune``). A backup of a time to
come was made while the clock was wrong: nobody knows how old it is, so it counts as none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from core.clock import AHEAD
from core.errors import ConfigError
from recordings.keystore import DRAFT, KeyStore
from recordings.vault import BACKUPS_KEPT

EVERY: Final = timedelta(hours=20)
"""Less than a day, so that a nightly turn is never late."""
EARLIER: Final = timedelta(hours=2)
"""How much before their time backups go: who prunes comes by each hour."""
WRITTEN_WITHIN: Final = timedelta(hours=1)
"""No backup is written for so long."""
_FORM: Final = "keys-%Y%m%dT%H%M%SZ.db"


@dataclass(frozen=True, slots=True)
class Backup:
    """One file."""

    path: Path
    at: datetime


def back_up(store: KeyStore, directory: Path, *, now: datetime) -> Backup:
    """Write one more, and delete those that are too old. Raises ``ConfigError``."""
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = directory / now.astimezone(UTC).strftime(_FORM)
        store.copy_to(path)
        prune(directory, now=now)
        # Of a time to come: it was not today's clock that was wrong, as far as who makes one today can know.
        for ahead in backups(directory)[len(_dated(directory, now)) :]:
            ahead.path.unlink(missing_ok=True)
    except OSError as error:
        raise ConfigError(f"No backup of the keys in {directory}: {error.strerror}.") from None
    return Backup(path, now)


def backups(directory: Path) -> list[Backup]:
    """List what is there, the oldest first; other files are let be."""
    if not directory.is_dir():
        return []
    found = [Backup(path, at) for path in directory.iterdir() if (at := _made_at(path.name)) is not None]
    return sorted(found, key=lambda backup: backup.at)


def prune(directory: Path, *, now: datetime) -> int:
    """Delete backups whose time is over; gives how many.

    Those of a time to come stay until another is made: it may be today's clock that is wrong.
    """
    old = [backup for backup in _dated(directory, now) if now - backup.at > BACKUPS_KEPT - EARLIER]
    for backup in old:
        backup.path.unlink(missing_ok=True)
    _drop_drafts(directory, now)
    return len(old)


def is_due(store: KeyStore, directory: Path, *, now: datetime) -> bool:
    """Whether it is time for another: each night, and before a wrapping key goes that the newest needs."""
    there = _dated(directory, now)
    if not there or now - there[-1].at >= EVERY:
        return True
    return store.emptied(before=now) != store.emptied(before=there[-1].at)


def saved_at(directory: Path, *, now: datetime) -> datetime:
    """Say when the newest was made; before all time where there is none."""
    there = _dated(directory, now)
    return there[-1].at if there else datetime.min.replace(tzinfo=UTC)


def _dated(directory: Path, now: datetime) -> list[Backup]:
    """List those that are not of a time to come, the oldest first."""
    return [backup for backup in backups(directory) if backup.at <= now + AHEAD]


def _drop_drafts(directory: Path, now: datetime) -> None:
    """Delete what was left by who was killed while they wrote: keys that were destroyed since are in it."""
    for path in directory.glob(f".*{DRAFT}*"):
        made_at = _made_at(path.name[1:].partition(DRAFT)[0])
        if made_at is not None and abs(now - made_at) > WRITTEN_WITHIN:
            path.unlink(missing_ok=True)


def _made_at(name: str) -> datetime | None:
    try:
        return datetime.strptime(name, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
