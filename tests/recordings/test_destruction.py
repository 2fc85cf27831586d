"""The drill: back up, destroy, restore, and try every key that survives on every copy that survives."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from core.config import Config
from core.db import Database
from core.errors import NotFound
from migrations.run import upgrade
from recordings import ending, guard, keybackup, restored
from recordings.keystore import KeyStore
from recordings.retention import Why
from recordings.states import Side, State
from recordings.vault import TOMBSTONES
from recordings.working import work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.ended import MASTER, Ended, end_one, opened, state_of, workshop
from tests.recordings.thief import Thief

DAY_S = 86_400


@dataclass
class Operated:
    """A server, and all that its operator ever copied: keys by the rule, everything else for good."""

    shop: Workshop
    config: Config
    copies: Path
    clock: FakeClock

    def night(self) -> None:
        """Back up as the documents say, with nothing of the main database or media ever deleted."""
        kept = self.copies / f"{self.clock.now():%Y-%m-%d}"
        kept.mkdir(parents=True)
        for path in self.config.data_dir.rglob("*"):
            if path.is_file() and path.name.startswith("teduh.db"):
                shutil.copy(path, kept / path.name)
        shutil.copytree(self.config.data_dir / "recordings", kept / "recordings", dirs_exist_ok=True)
        shutil.copytree(self.config.data_dir / "keys", self.copies / "keys", dirs_exist_ok=True)
        keybackup.back_up(KeyStore(self.config.keys_file), self.keys_backup, now=self.clock.now())

    @property
    def keys_backup(self) -> Path:
        return self.copies / "keys.db"

    async def nights(self, count: int) -> None:
        for _ in range(count):
            self.clock.advance(DAY_S)
            self.night()

    async def destroy(self, recording: Ended) -> datetime:
        """Destroy it as a withdrawal does; gives what the proof says of backups."""
        async with self.shop.database.sessions.begin() as db:
            await ending.begin(
                db, self.shop.audit, recording=recording.id, why=Why.WITHDRAWN, now=self.clock.now()
            )
        await work(self.shop)
        async with self.shop.database.sessions() as db:
            proof = await ending.proof_of(db, recording=recording.id)
        assert proof is not None
        assert proof.backups_until is not None
        return proof.backups_until

    def opens(self, recording: Ended, *places: Path) -> bool:
        """Whether anybody who has all of this gets at the key, a log, or a file of the recording."""
        return Thief(places).has_seen(recording.id.encode())


@pytest.fixture
async def operated(tmp_path: Path, clock: FakeClock) -> AsyncIterator[Operated]:
    config = Config(data_dir=tmp_path / "data", master_key=MASTER)
    config.data_dir.mkdir()
    database = Database(config.database_url)
    await upgrade(database)
    async with workshop(config, database, clock) as shop:
        yield Operated(shop, config, tmp_path / "copies", clock)
    await database.close()


async def test_what_was_destroyed_opens_with_no_key_that_survives(operated: Operated) -> None:
    shop, data, copies = operated.shop, operated.config.data_dir, operated.copies
    gone, kept = await end_one(shop), await end_one(shop)
    await operated.nights(1)  # copies of the logs
    await work(shop)
    await operated.nights(2)  # copies of the finished files
    assert operated.opens(gone, data)
    until = await operated.destroy(gone)
    assert until == operated.clock.now() + timedelta(days=7)

    # Unreadable now: nobody who has the server, its keys and every copy of media opens it again.
    media = [path for path in copies.iterdir() if path.name not in {"keys.db", "keys"}]
    assert any(gone.id in path.as_posix() for place in media for path in place.rglob("*.age"))
    assert not operated.opens(gone, data, *media)
    assert operated.opens(kept, data, *media)

    # As the proof says, a backup of keys.db still does, until it is gone.
    assert operated.opens(gone, data, copies)
    await operated.nights(6)
    assert operated.opens(gone, data, copies)
    await operated.nights(1)
    assert operated.clock.now() == until
    assert not operated.opens(gone, data, copies)
    assert operated.opens(kept, data, copies)


async def test_a_restored_server_opens_what_it_should_and_no_more(operated: Operated, tmp_path: Path) -> None:
    """The oldest database and all media, which still know the recording, with the oldest keys there are."""
    shop, clock = operated.shop, operated.clock
    gone, kept = await end_one(shop), await end_one(shop)
    await work(shop)
    await operated.nights(1)
    await operated.destroy(gone)
    await operated.nights(8)

    restored = tmp_path / "restored"
    oldest = min(path for path in operated.copies.iterdir() if (path / "recordings").is_dir())
    shutil.copytree(oldest, restored)
    shutil.copytree(operated.copies / "keys", restored / "keys")
    shutil.copy(keybackup.backups(operated.keys_backup)[0].path, restored / "keys.db")
    config = Config(data_dir=restored, master_key=MASTER)
    database = Database(config.database_url)
    async with workshop(config, database, clock) as again:
        async with database.sessions() as db:
            await guard.check(db, again.vault)
        assert await state_of(again, gone.id) is State.STORED
        with pytest.raises(NotFound):
            await opened(again, gone.id, Side.CLIENT)
        assert (await opened(again, kept.id, Side.CLIENT)).startswith(b"\x1a\x45\xdf\xa3")
    await database.close()


async def test_what_was_destroyed_since_last_night_does_not_come_back_with_its_backup(
    operated: Operated, tmp_path: Path
) -> None:
    """The database, the keys and the media of one night, which all know it, and what outlives them."""
    shop, clock = operated.shop, operated.clock
    gone, kept = await end_one(shop), await end_one(shop)
    await work(shop)
    await operated.nights(1)
    clock.advance(3_600)
    await operated.destroy(gone)

    again = tmp_path / "restored"
    shutil.copytree(max(path for path in operated.copies.iterdir() if (path / "recordings").is_dir()), again)
    shutil.copytree(operated.copies / "keys", again / "keys")
    shutil.copy(keybackup.backups(operated.keys_backup)[-1].path, again / "keys.db")
    shutil.copy(operated.config.data_dir / TOMBSTONES, again)
    config = Config(data_dir=again, master_key=MASTER)
    database = Database(config.database_url)
    async with workshop(config, database, clock) as server:
        assert await server.vault.has(gone.id)
        assert await restored.begin_again(server) == [gone.id]
        assert await state_of(server, gone.id) is State.DESTROYING
        assert await restored.destroy_keys_again(server) == [gone.id]
        await work(server)
        assert await state_of(server, gone.id) is State.DESTROYED
        assert await restored.begin_again(server) == await restored.destroy_keys_again(server) == []
        assert (await opened(server, kept.id, Side.CLIENT)).startswith(b"\x1a\x45\xdf\xa3")
    await database.close()
    assert not operated.opens(gone, config.data_dir)


async def test_media_that_was_deleted_is_not_missed_when_only_its_rows_are_back(
    operated: Operated, tmp_path: Path
) -> None:
    """The database of last night; keys and media are as the destruction left them."""
    data, again = operated.config.data_dir, tmp_path / "restored"
    gone = await end_one(operated.shop)
    await work(operated.shop)
    await operated.nights(1)
    await operated.destroy(gone)
    night = max(path for path in operated.copies.iterdir() if (path / "recordings").is_dir())
    shutil.copytree(data, again, ignore=shutil.ignore_patterns("teduh.db*"))
    for path in night.glob("teduh.db*"):
        shutil.copy(path, again)
    database = Database(Config(data_dir=again).database_url)
    async with workshop(Config(data_dir=again, master_key=MASTER), database, operated.clock) as shop:
        assert await state_of(shop, gone.id) is State.STORED
        assert await restored.begin_again(shop) == [gone.id]
        await work(shop)
        async with database.sessions() as db:
            proof = await ending.proof_of(db, recording=gone.id)
    await database.close()
    assert proof is not None
    assert (proof.why, proof.files, proof.problem) == (Why.RESTORED, 0, None)
    assert proof.media_at is not None


async def test_the_key_of_a_month_goes_with_its_last_recording(operated: Operated) -> None:
    shop, clock = operated.shop, operated.clock
    first, second = await end_one(shop), await end_one(shop)
    await work(shop)
    await operated.nights(40)
    last = await end_one(shop)
    for recording in (first, second):
        await operated.destroy(recording)
    clock.advance(3_600)
    assert len(await shop.vault.tidy()) == 1
    (left,) = (operated.config.data_dir / "keys").glob("*.txt")
    assert left.name.startswith(f"{clock.now():%Y-%m}")
    assert await shop.vault.has(last.id)
