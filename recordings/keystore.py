"""``keys.db``: the wrapped keys of recordings, in a SQLite file of its own.

It is apart from the main database and from its backups: those may be kept for long, a key may not. What is
deleted here is overwritten (``secure_delete``, and the file written anew), and the write-ahead log is emptied
behind it; what the disk itself keeps, and what a backup does, stands in docs/recordings.md.

Every call opens the file and closes it again, in whichever thread or process it is made: they are few.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from core.clock import AHEAD, rfc3339
from core.errors import ConfigError, InvalidState, TeduhError

VERSION: Final = 1
BUSY_S: Final = 20.0
EMPTYING_S: Final = 5.0
DRAFT: Final = ".draft"
"""How the hidden name of a copy ends until it is whole."""
_TABLES: Final = """
CREATE TABLE wrapped_keys (
    recording_id TEXT PRIMARY KEY,
    recipient TEXT NOT NULL,
    key_id TEXT NOT NULL,
    sealed BLOB NOT NULL,
    escrow BLOB,
    made_at TEXT NOT NULL
) WITHOUT ROWID;
CREATE INDEX ix_wrapped_keys_key_id ON wrapped_keys (key_id);
CREATE TABLE emptied (key_id TEXT PRIMARY KEY, at TEXT NOT NULL) WITHOUT ROWID;
"""
"""``emptied`` names the wrapping keys that nothing hangs on any more, and since when."""


class KeyLingers(TeduhError):
    """A key was deleted, and the write-ahead log still holds it because somebody reads; try again."""

    code = "key_lingers"


class KeysUnusable(ConfigError):
    """The file is no database of keys, or the disk refuses."""

    code = "keys_unusable"


@dataclass(frozen=True, slots=True)
class KeptKey:
    """One row. ``escrow`` is the same secret sealed to those who keep the escrow, if it was on."""

    recording_id: str
    recipient: str
    key_id: str
    sealed: bytes
    escrow: bytes | None
    made_at: datetime


class KeyStore:
    """The file. Every method raises ``KeysUnusable`` when it cannot be used.

    Only the first key makes it; before that it reads as empty, for a start without the file that there
    should be must be found (``guard.check``). ``read_only`` is for a backup: nothing is written, not even
    beside it.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self._read_only = read_only

    @property
    def is_there(self) -> bool:
        """Whether there is such a file."""
        try:
            return self.path.exists()
        except OSError as error:  # a directory that this user may not enter
            raise KeysUnusable(
                f"Nobody here can tell whether recordings' keys are in {self.path} (TEDUH_KEYS_DB): "
                f"{error.strerror}."
            ) from None

    def add(self, key: KeptKey) -> None:
        """Keep a key; it is on disk when this returns. Raises ``InvalidState`` if the recording has one."""
        row = (key.recording_id, key.recipient, key.key_id, key.sealed, key.escrow, rfc3339(key.made_at))
        with self._open(make=True) as db, _transaction(db):
            try:
                db.execute("INSERT INTO wrapped_keys VALUES (?, ?, ?, ?, ?, ?)", row)
            except sqlite3.IntegrityError:
                raise InvalidState(f"The recording {key.recording_id} has a key already.") from None
            db.execute("DELETE FROM emptied WHERE key_id = ?", (key.key_id,))

    def find(self, recording_id: str) -> KeptKey | None:
        """Give the key of a recording."""
        with self._open() as db:
            row = db.execute("SELECT * FROM wrapped_keys WHERE recording_id = ?", (recording_id,)).fetchone()
        return None if row is None else _kept(row)

    def every(self) -> list[KeptKey]:
        """Give all keys, in the order of their recordings' ids."""
        with self._open() as db:
            return [_kept(row) for row in db.execute("SELECT * FROM wrapped_keys ORDER BY recording_id")]

    def key_ids(self) -> set[str]:
        """Name the wrapping keys that something hangs on."""
        with self._open() as db:
            return {row[0] for row in db.execute("SELECT DISTINCT key_id FROM wrapped_keys")}

    def remove(self, recording_id: str, *, now: datetime) -> None:
        """Delete a key, so that no file of this database holds it; again is fine. Raises ``KeyLingers``.

        Where there is no file nothing is known to be gone: that raises too.
        """
        if not self.is_there:
            raise KeysUnusable(f"The keys of recordings are not there: {self.path}.")
        with self._open() as db:
            with _transaction(db):
                row = db.execute(
                    "DELETE FROM wrapped_keys WHERE recording_id = ? RETURNING key_id", (recording_id,)
                ).fetchone()
                if row is not None:
                    _note_emptied(db, row[0], now)
            _empty_log(db)

    def replace(self, old: KeptKey, *, key_id: str, sealed: bytes, now: datetime) -> bool:
        """Put another wrapping in the place of one; False: that was destroyed or replaced meanwhile."""
        with self._writing() as db:
            done = db.execute(
                "UPDATE wrapped_keys SET key_id = ?, sealed = ? WHERE recording_id = ? AND sealed = ?",
                (key_id, sealed, old.recording_id, old.sealed),
            )
            if done.rowcount:
                db.execute("DELETE FROM emptied WHERE key_id = ?", (key_id,))
                _note_emptied(db, old.key_id, now)
            return bool(done.rowcount)

    def empty_log(self) -> None:
        """Have no file but the database itself hold anything. Raises ``KeyLingers``."""
        with self._open() as db:
            _empty_log(db)

    def emptied(self, *, before: datetime) -> list[str]:
        """Name the wrapping keys that nothing has hung on since before a moment."""
        with self._open() as db:
            rows = db.execute("SELECT key_id FROM emptied WHERE at <= ? ORDER BY at", (rfc3339(before),))
            return [row[0] for row in rows]

    def forget(self, key_id: str) -> None:
        """Take note that an emptied wrapping key is gone."""
        with self._writing() as db:
            db.execute("DELETE FROM emptied WHERE key_id = ?", (key_id,))

    def pull_back(self, *, now: datetime) -> None:
        """Let no emptied wrapping key wait for a time to come, which a clock that was wrong wrote down."""
        with self._writing() as db:
            late = rfc3339(now + AHEAD)
            db.execute("UPDATE emptied SET at = ? WHERE at > ?", (rfc3339(now), late))

    def wait_again(self, key_id: str, *, now: datetime) -> None:
        """Take note that an emptied wrapping key was still the newest one now."""
        with self._writing() as db:
            db.execute("UPDATE emptied SET at = ? WHERE key_id = ?", (rfc3339(now), key_id))

    def copy_to(self, target: Path) -> None:
        """Write a copy as it is at one moment, without anything that was deleted; ``target`` must be new."""
        draft = target.with_name(f".{target.name}{DRAFT}")
        draft.unlink(missing_ok=True)
        try:
            _make_file(draft)
            with self._open() as db:
                db.execute("VACUUM INTO ?", (str(draft),))
            _sync(draft)
            draft.replace(target)
            _sync(target.parent)
        finally:
            draft.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._open() as db, _transaction(db):
            yield db

    @contextlib.contextmanager
    def _open(self, *, make: bool = False) -> Iterator[sqlite3.Connection]:
        try:
            with contextlib.closing(self._connect(make=make)) as db:
                _prepare(db, read_only=self._read_only)
                yield db
        except (OSError, sqlite3.Error) as error:
            raise KeysUnusable(f"The keys of recordings in {self.path} cannot be used: {error}.") from None

    def _connect(self, *, make: bool) -> sqlite3.Connection:
        if make:
            _make_file(self.path)
        mode = "mode=ro&immutable=1" if self._read_only else "mode=rw"
        there = self._read_only or self.is_there
        uri = f"{self.path.absolute().as_uri()}?{mode}" if there else "file::memory:"
        return sqlite3.connect(uri, uri=True, timeout=BUSY_S, isolation_level=None)


def _make_file(path: Path) -> None:
    """Make it for this user alone; SQLite gives its logs the same mode."""
    os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _prepare(db: sqlite3.Connection, *, read_only: bool) -> None:
    """Check that it is ours, and make its tables when it is new."""
    if not read_only:
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")
        if _version(db) == 0:
            with _transaction(db):
                if _version(db) == 0:
                    _make_tables(db)
    if (version := _version(db)) != VERSION:
        raise sqlite3.DatabaseError(f"its version is {version}, and this teduh knows {VERSION}")


def _make_tables(db: sqlite3.Connection) -> None:
    for statement in _TABLES.split(";"):
        db.execute(statement)
    db.execute(f"PRAGMA user_version = {VERSION}")


def _version(db: sqlite3.Connection) -> int:
    return int(db.execute("PRAGMA user_version").fetchone()[0])


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _note_emptied(db: sqlite3.Connection, key_id: str, now: datetime) -> None:
    db.execute(
        "INSERT INTO emptied SELECT ?, ? WHERE NOT EXISTS (SELECT 1 FROM wrapped_keys WHERE key_id = ?) "
        "ON CONFLICT DO NOTHING",
        (key_id, rfc3339(now), key_id),
    )


def _empty_log(db: sqlite3.Connection) -> None:
    """Move the write-ahead log into the database and cut it to nothing, as soon as nobody reads.

    The database is written anew before: ``secure_delete`` leaves pieces of rows that SQLite moved from one
    page to another.
    """
    db.execute("PRAGMA temp_store = MEMORY")
    db.execute("VACUUM")
    until = time.monotonic() + EMPTYING_S
    db.execute("PRAGMA busy_timeout = 100")
    while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > until:
            raise KeyLingers("A key was deleted, and somebody who reads keeps its traces: try again.")
        time.sleep(0.02)


def _kept(row: tuple[str, str, str, bytes, bytes | None, str]) -> KeptKey:
    recording_id, recipient, key_id, sealed, escrow, made_at = row
    return KeptKey(recording_id, recipient, key_id, sealed, escrow, datetime.fromisoformat(made_at))
