"""Before a server starts: recordings hang on keys, and those must be there. Nothing is made or destroyed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert, update

from core.config import Config
from core.db import Database
from core.keyring import KeyMissing
from recordings import guard
from recordings.guard import KeysLost
from recordings.keystore import KeysUnusable
from recordings.states import State
from recordings.tables import RecordingRow
from recordings.vault import Vault
from tests.fakes import FakeClock


@dataclass
class Kept:
    """A database that knows one recording, and the vault with its key."""

    config: Config
    database: Database
    vault: Vault

    async def check(self) -> None:
        async with self.database.sessions() as db:
            await guard.check(db, self.vault)


@pytest.fixture
async def kept(database: Database, clock: FakeClock, tmp_path: Path) -> Kept:
    config = Config(data_dir=tmp_path)
    vault = Vault.of(config, master=bytes(32), clock=clock)
    await vault.create("r_1")
    async with database.sessions.begin() as db:
        await db.execute(insert(RecordingRow).values(recording("r_1", clock.now())))
    return Kept(config, database, vault)


async def test_a_place_that_cannot_be_looked_into_is_said_in_a_sentence(
    kept: Kept, clock: FakeClock, tmp_path: Path
) -> None:
    """As a directory of somebody else's; of a name that is too long nobody can tell either."""
    config = replace(kept.config, keys_db=tmp_path / ("x" * 300) / "keys.db")
    vault = Vault.of(config, master=bytes(32), clock=clock)
    async with kept.database.sessions() as db:
        with pytest.raises(KeysUnusable, match="TEDUH_KEYS_DB"):
            await guard.check(db, vault)
    for doing in (vault.check(), vault.create("r_2"), vault.has("r_1"), vault.tidy()):
        with pytest.raises(KeysUnusable):
            await doing
    with pytest.raises(KeysUnusable):
        await vault.destroy("r_1", now=clock.now())


def recording(recording_id: str, now: datetime) -> dict[str, object]:
    return {
        "id": recording_id,
        "state": State.STORED.value,
        "started_at": now,
        "expires_at": now + timedelta(days=30),
    }


async def test_a_whole_server_may_start(kept: Kept) -> None:
    await kept.check()


async def test_a_new_server_may_start_and_gets_no_keys(
    database: Database, clock: FakeClock, tmp_path: Path
) -> None:
    config = Config(data_dir=tmp_path / "data")
    async with database.sessions() as db:
        await guard.check(db, Vault.of(config, master=bytes(32), clock=clock))
    assert not config.data_dir.exists()


async def test_without_the_file_of_keys_nothing_starts(kept: Kept) -> None:
    kept.config.keys_file.unlink()
    with pytest.raises(KeysLost, match=r"1 recordings.*keys\.db.*bring that file back"):
        await kept.check()
    assert not kept.config.keys_file.exists()


async def test_an_empty_file_says_that_the_keys_are_lost_for_good(kept: Kept, tmp_path: Path) -> None:
    kept.config.keys_file.write_bytes(b"")
    await kept.check()
    assert len(list((tmp_path / "keys").glob("*.txt"))) == 1


async def test_what_is_destroyed_needs_no_key(kept: Kept) -> None:
    kept.config.keys_file.unlink()
    async with kept.database.sessions.begin() as db:
        await db.execute(update(RecordingRow).values(state=State.DESTROYED.value))
    await kept.check()


async def test_without_the_wrapping_key_nothing_starts(kept: Kept, tmp_path: Path) -> None:
    (file,) = (tmp_path / "keys").glob("*.txt")
    file.unlink()
    with pytest.raises(KeyMissing, match=r"2026-03\.1\."):
        await kept.check()
    assert list((tmp_path / "keys").glob("*.txt")) == []
