"""``keys.db``: what is deleted is in none of its files, and what is kept is kept at once."""

from __future__ import annotations

import dataclasses
import random
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import InvalidState
from recordings import keystore
from recordings.keystore import KeptKey, KeyLingers, KeyStore, KeysUnusable

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
MARK = b"the very bytes of a wrapped key "


def kept(recording_id: str = "r_1", key_id: str = "2026-11.1.aa") -> KeptKey:
    return KeptKey(recording_id, "age1x", key_id, MARK + recording_id.encode(), None, NOW)


def everything(path: Path) -> bytes:
    return b"".join(file.read_bytes() for file in path.parent.iterdir() if file.is_file())


@pytest.fixture
def store(tmp_path: Path) -> KeyStore:
    return KeyStore(tmp_path / "keys.db")


def test_what_is_kept_is_found(store: KeyStore) -> None:
    one, two = kept(), dataclasses.replace(kept("r_2", "2026-12.1.bb"), escrow=b"for the escrow")
    store.add(two)
    store.add(one)
    assert KeyStore(store.path).find("r_1") == one
    assert store.every() == [one, two]
    assert store.key_ids() == {"2026-11.1.aa", "2026-12.1.bb"}
    assert store.find("r_3") is None


def test_a_recording_has_one_key(store: KeyStore) -> None:
    store.add(kept())
    with pytest.raises(InvalidState):
        store.add(kept())


def test_nobody_else_reads_the_file(store: KeyStore) -> None:
    store.add(kept())
    reading = sqlite3.connect(store.path)
    reading.execute("SELECT * FROM wrapped_keys").fetchall()
    modes = {file.name: file.stat().st_mode & 0o777 for file in store.path.parent.iterdir()}
    reading.close()
    assert set(modes) >= {"keys.db", "keys.db-wal"}
    assert set(modes.values()) == {0o600}


def test_what_is_deleted_is_in_no_file(store: KeyStore) -> None:
    for number in range(60):
        store.add(kept(f"r_{number:03}"))
    assert everything(store.path).count(MARK) == 60
    onlooker = sqlite3.connect(store.path)  # keeps the write-ahead log from going away by itself
    onlooker.execute("SELECT count(*) FROM wrapped_keys").fetchone()
    for number in range(0, 60, 2):
        store.remove(f"r_{number:03}", now=NOW)
    left = everything(store.path)
    assert {number for number in range(60) if MARK + b"r_%03d" % number in left} == set(range(1, 60, 2))
    onlooker.close()


def test_removing_again_is_fine(store: KeyStore) -> None:
    store.add(kept())
    store.remove("r_1", now=NOW)
    store.remove("r_1", now=NOW)
    assert store.find("r_1") is None


def test_a_trace_that_a_reader_holds_is_told_and_goes_later(
    store: KeyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keystore, "EMPTYING_S", 0.2)
    store.add(kept())
    reader = sqlite3.connect(store.path, isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT * FROM wrapped_keys").fetchall()
    with pytest.raises(KeyLingers):
        store.remove("r_1", now=NOW)
    assert store.find("r_1") is None
    reader.execute("COMMIT")
    store.remove("r_1", now=NOW)
    assert MARK not in everything(store.path)
    reader.close()


def test_a_wrapping_key_that_nothing_hangs_on_is_noted(store: KeyStore) -> None:
    store.add(kept("r_1"))
    store.add(kept("r_2"))
    store.remove("r_1", now=NOW)
    assert store.emptied(before=NOW) == []
    store.remove("r_2", now=NOW)
    assert store.emptied(before=NOW - timedelta(seconds=1)) == []
    assert store.emptied(before=NOW) == ["2026-11.1.aa"]
    store.add(kept("r_3"))
    assert store.emptied(before=NOW) == []


def test_another_wrapping_takes_the_place_of_the_old_one(store: KeyStore) -> None:
    store.add(kept())
    store.replace(kept(), key_id="2026-11.2.cc", sealed=b"wrapped anew", now=NOW)
    found = store.find("r_1")
    assert found is not None
    assert (found.key_id, found.sealed) == ("2026-11.2.cc", b"wrapped anew")
    assert store.emptied(before=NOW) == ["2026-11.1.aa"]
    store.forget("2026-11.1.aa")
    assert store.emptied(before=NOW) == []


def test_a_destroyed_key_does_not_come_back_by_wrapping_it_anew(store: KeyStore) -> None:
    store.add(kept())
    store.remove("r_1", now=NOW)
    store.replace(kept(), key_id="2026-11.2.cc", sealed=b"wrapped anew", now=NOW)
    assert store.find("r_1") is None
    assert store.key_ids() == set()


def test_a_copy_holds_what_is_there_and_nothing_that_was(store: KeyStore, tmp_path: Path) -> None:
    store.add(kept("r_1"))
    store.add(kept("r_2"))
    store.remove("r_1", now=NOW)
    (tmp_path / "backup").mkdir()
    copy = KeyStore(tmp_path / "backup" / "keys.db")
    store.copy_to(copy.path)
    assert copy.path.stat().st_mode & 0o777 == 0o600
    assert copy.every() == [kept("r_2")]
    assert MARK + b"r_1" not in everything(copy.path)


@pytest.mark.parametrize(
    "content", [b"this is no database at all" * 100, b"SQLite format 3\0" + b"\xff" * 2000]
)
def test_a_file_that_is_something_else_is_left_alone(store: KeyStore, content: bytes) -> None:
    store.path.write_bytes(content)
    with pytest.raises(KeysUnusable, match=r"keys\.db"):
        store.add(kept())
    assert store.path.read_bytes() == content


def test_a_file_of_a_later_version_is_left_alone(store: KeyStore) -> None:
    store.add(kept())
    with sqlite3.connect(store.path) as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(KeysUnusable, match="version is 9"):
        store.find("r_1")


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(KeysUnusable, match="nowhere"):
        KeyStore(tmp_path / "nowhere" / "keys.db").add(kept())


def test_looking_makes_no_file(store: KeyStore, tmp_path: Path) -> None:
    """Else a server whose keys.db is lost would start after one command of its operator."""
    assert (store.find("r_1"), store.every(), store.key_ids(), store.emptied(before=NOW)) == (
        None,
        [],
        set(),
        [],
    )
    with pytest.raises(KeysUnusable):
        store.remove("r_1", now=NOW)
    store.forget("2026-11.1.aa")
    assert not store.replace(kept(), key_id="2026-11.2.cc", sealed=b"x", now=NOW)
    store.empty_log()
    assert list(tmp_path.iterdir()) == []


def test_a_backup_is_read_and_left_as_it_is(store: KeyStore, tmp_path: Path) -> None:
    store.add(kept())
    (tmp_path / "backup").mkdir()
    copy = tmp_path / "backup" / "keys.db"
    store.copy_to(copy)
    copy.chmod(0o400)
    before = copy.read_bytes()
    assert KeyStore(copy, read_only=True).every() == [kept()]
    assert [(path.name, path.read_bytes()) for path in copy.parent.iterdir()] == [("keys.db", before)]
    with pytest.raises(KeysUnusable):
        KeyStore(copy, read_only=True).remove("r_1", now=NOW)
    with pytest.raises(KeysUnusable):
        KeyStore(tmp_path / "nowhere.db", read_only=True).every()


def test_an_empty_file_is_a_new_one(store: KeyStore) -> None:
    store.path.touch()
    store.add(kept())
    assert store.find("r_1") == kept()


def test_a_key_is_not_destroyed_where_the_file_is_not_there(store: KeyStore, tmp_path: Path) -> None:
    store.add(kept())
    store.path.rename(tmp_path / "away")
    with pytest.raises(KeysUnusable):
        store.remove("r_1", now=NOW)
    (tmp_path / "away").rename(store.path)
    store.remove("r_1", now=NOW)
    assert store.find("r_1") is None


def test_a_backup_that_failed_is_none(store: KeyStore, tmp_path: Path) -> None:
    store.add(kept())
    store.path.rename(tmp_path / "away")
    store.path.write_bytes(b"no database at all" * 100)
    target = tmp_path / "backups" / "keys.db"
    target.parent.mkdir()
    with pytest.raises(KeysUnusable):
        store.copy_to(target)
    assert list(target.parent.iterdir()) == []


@pytest.mark.parametrize("seed", [5, 7])
def test_rows_of_many_sizes_leave_nothing_when_they_are_moved(store: KeyStore, seed: int) -> None:
    chance, there, gone = random.Random(seed), dict[str, KeptKey](), list[bytes]()
    for number in range(300):
        if there and chance.random() < 0.4:
            one = there.pop(chance.choice(list(there)))
            store.remove(one.recording_id, now=NOW)
            gone += [one.sealed, one.escrow or b""]
            continue
        one = dataclasses.replace(
            kept(f"r_{number:030}", f"2026-11.{number % 3}.aaaaaaaa"),
            recipient="age1" + "q" * 58,
            sealed=chance.randbytes(chance.choice([330, 360, 420])),
            escrow=chance.choice([None, chance.randbytes(330)]),
        )
        store.add(one)
        there[one.recording_id] = one
        on_disk = everything(store.path)
        pieces = [blob[at : at + 24] for blob in gone for at in range(0, len(blob) - 24, 24)]
        assert [piece for piece in pieces if piece in on_disk] == []
