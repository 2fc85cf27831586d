"""Somebody who has files, knows every format in them, and tries every key they find on everything."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import tempfile
from collections.abc import Iterable
from pathlib import Path

from core.agefile import AgeError, Identity, decrypt
from core.ageheader import VERSION_LINE
from core.escrow import join

_SECRET = re.compile(rb"AGE-SECRET-KEY-1[A-Z0-9]{58}")
_HALF = re.compile(rb"TEDUH-ESCROW-HALF-1[A-Z0-9]{66}")
_SQLITE = b"SQLite format 3\0"
_LENGTH_BYTES = 4


class Thief:
    """``opened`` is all that was sealed and could be opened; ``keys`` are all the keys that came to light."""

    def __init__(self, loot: Iterable[Path]) -> None:
        self.keys: dict[str, Identity] = {}
        self.opened: list[bytes] = []
        files = [path for place in loot for path in _files(place)]
        assert files, "nothing was stolen"
        self._sealed = {one for path in files for one in _sealed_in(path)}
        clear = [content for path in files for content in _contents(path)]
        self._learn(clear)
        while self._open_more():
            pass

    def has_seen(self, words: bytes) -> bool:
        """Whether something was opened that holds these bytes."""
        return any(words in plain for plain in self.opened)

    def _open_more(self) -> bool:
        news = list[bytes]()
        for sealed in list(self._sealed):
            try:
                news.append(decrypt(sealed, list(self.keys.values())))
            except AgeError:
                continue
            self._sealed.remove(sealed)
        self.opened += news
        return self._learn(news)

    def _learn(self, contents: list[bytes]) -> bool:
        """Look for keys; gives whether there were new ones."""
        before = len(self.keys)
        halves = [half.decode() for content in contents for half in _HALF.findall(content)]
        found = [secret.decode() for content in contents for secret in _SECRET.findall(content)]
        found += [str(join(one, two)) for one in halves for two in halves if one < two]
        self.keys |= {secret: Identity.parse(secret) for secret in found}
        return len(self.keys) > before


def _files(place: Path) -> list[Path]:
    return sorted(path for path in place.rglob("*") if path.is_file()) if place.is_dir() else [place]


def _contents(path: Path) -> list[bytes]:
    return [path.read_bytes(), *_values(path)]


def _values(path: Path) -> list[bytes]:
    """Give every value of every row of a SQLite file, also what only its write-ahead log holds."""
    with path.open("rb") as file:
        if file.read(len(_SQLITE)) != _SQLITE:
            return []
    with tempfile.TemporaryDirectory() as folder:
        for one in (path, path.with_name(f"{path.name}-wal")):
            if one.exists():
                shutil.copy(one, folder)  # SQLite would tidy up what is looked at
        with contextlib.closing(sqlite3.connect(Path(folder) / path.name)) as db:
            tables = [row[0] for row in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            rows = [row for table in tables for row in db.execute(f'SELECT * FROM "{table}"')]
    values = [value for row in rows for value in row]
    return [value if isinstance(value, bytes) else str(value).encode() for value in values]


def _sealed_in(path: Path) -> set[bytes]:
    """Give every age file in a file: alone, in a row of a database, or in a log behind its length."""
    found = set[bytes]()
    for content in _contents(path):
        begins = [match.start() for match in re.finditer(re.escape(VERSION_LINE), content)]
        if begins == [0]:
            found.add(content)
        for begin in begins:
            length = int.from_bytes(content[max(begin - _LENGTH_BYTES, 0) : begin], "big")
            if length and begin + length <= len(content):
                found.add(content[begin : begin + length])
    return found
