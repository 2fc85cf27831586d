"""A key for each recording: kept wrapped, opened for a warrant, destroyed for good."""

from __future__ import annotations

import dataclasses
import shutil
import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.agefile import Identity, NoMatch, decrypt, encrypt
from core.config import Config
from core.errors import InvalidState, NotFound
from core.keyring import KeyBroken, KeyMissing
from core.warrants import SYSTEM, Purpose, Warrant, WarrantRefused, Warrants
from recordings.vault import Vault
from tests.fakes import FakeClock

MASTER = bytes(32)
WARRANTS = Warrants(MASTER)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 3, 9, 0, tzinfo=UTC))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path)


@pytest.fixture
def vault(config: Config, clock: FakeClock) -> Vault:
    return Vault.of(config, master=MASTER, clock=clock)


def warrant(clock: FakeClock, recording_id: str = "r_1") -> Warrant:
    return WARRANTS.issue(recording_id=recording_id, viewer=SYSTEM, purpose=Purpose.FINALIZE, now=clock.now())


async def test_what_is_sealed_to_a_recording_opens_for_a_warrant(vault: Vault, clock: FakeClock) -> None:
    recipient = await vault.create("r_1")
    sealed = encrypt(b"a picture", [recipient])
    identity = await vault.open(warrant(clock))
    assert decrypt(sealed, [identity]) == b"a picture"
    assert identity.recipient == recipient


async def test_each_recording_has_a_key_of_its_own(vault: Vault, clock: FakeClock) -> None:
    first, second = await vault.create("r_1"), await vault.create("r_2")
    assert first != second
    with pytest.raises(NoMatch):
        decrypt(encrypt(b"a picture", [second]), [await vault.open(warrant(clock))])


async def test_the_secret_is_nowhere_in_the_clear(vault: Vault, clock: FakeClock, tmp_path: Path) -> None:
    await vault.create("r_1")
    secret = await vault.open(warrant(clock))
    for content in contents(tmp_path):
        assert str(secret).encode() not in content
        assert secret.secret not in content


async def test_a_recording_gets_one_key_only(vault: Vault) -> None:
    await vault.create("r_1")
    with pytest.raises(InvalidState):
        await vault.create("r_1")


async def test_another_recordings_row_does_not_help(vault: Vault, clock: FakeClock, config: Config) -> None:
    """Who can write to keys.db, and may open r_1, puts r_2's wrapped key there."""
    await vault.create("r_1")
    await vault.create("r_2")
    with sqlite3.connect(config.keys_file) as db:
        db.execute(
            "UPDATE wrapped_keys SET (recipient, key_id, sealed) = "
            "(SELECT recipient, key_id, sealed FROM wrapped_keys WHERE recording_id = 'r_2') "
            "WHERE recording_id = 'r_1'"
        )
    db.close()
    with pytest.raises(KeyBroken):
        await vault.open(warrant(clock))


async def test_a_row_with_another_recipient_is_found(vault: Vault, clock: FakeClock, config: Config) -> None:
    """What it says there may be told to somebody; what the key itself says is what media is sealed to."""
    await vault.create("r_1")
    with sqlite3.connect(config.keys_file) as db:
        db.execute("UPDATE wrapped_keys SET recipient = ?", (str(Identity.generate().recipient),))
    db.close()
    with pytest.raises(KeyBroken):
        await vault.open(warrant(clock))


async def test_nothing_opens_without_a_warrant_that_holds(vault: Vault, clock: FakeClock) -> None:
    await vault.create("r_1")
    bent = dataclasses.replace(warrant(clock), viewer="u_9")
    with pytest.raises(WarrantRefused):
        await vault.open(bent)
    with pytest.raises(NotFound):
        await vault.open(warrant(clock, "r_2"))


async def test_a_destroyed_key_is_gone(vault: Vault, clock: FakeClock) -> None:
    await vault.create("r_1")
    await vault.create("r_2")
    assert await vault.has("r_1")
    gone = await vault.destroy("r_1", now=clock.now())
    assert (gone.at, gone.backups_until) == (clock.now(), clock.now() + timedelta(days=7))
    assert not await vault.has("r_1")
    with pytest.raises(NotFound):
        await vault.open(warrant(clock))
    await vault.open(warrant(clock, "r_2"))
    await vault.destroy("r_1", now=clock.now())


async def test_a_missing_key_file_stops_the_start_and_destroys_nothing(
    vault: Vault, config: Config, tmp_path: Path, clock: FakeClock
) -> None:
    await vault.check()
    await vault.create("r_1")
    (key_file,) = (tmp_path / "keys").glob("*.txt")
    shutil.move(key_file, tmp_path / "elsewhere")
    before = sqlite_dump(config.keys_file)
    for _ in range(2):
        with pytest.raises(KeyMissing, match=r"2026-11\.1\.[0-9a-f]{8}"):
            await vault.check()
        with pytest.raises(KeyMissing):
            await vault.create("r_2")
    assert list((tmp_path / "keys").glob("*.txt")) == []
    assert sqlite_dump(config.keys_file) == before
    shutil.move(tmp_path / "elsewhere", key_file)
    await vault.check()
    await vault.open(warrant(clock))


async def test_a_wrong_key_file_stops_the_start_and_destroys_nothing(
    vault: Vault, config: Config, tmp_path: Path, clock: FakeClock
) -> None:
    await vault.create("r_1")
    (key_file,) = (tmp_path / "keys").glob("*.txt")
    right, wrong = key_file.read_text(), f"{Identity.generate()}\n"
    before = sqlite_dump(config.keys_file)
    key_file.write_text(wrong)
    with pytest.raises(KeyMissing, match=r"2026-11\.1\.[0-9a-f]{8}"):
        await vault.check()
    with pytest.raises(KeyMissing):
        await vault.create("r_2")
    assert key_file.read_text() == wrong
    assert sqlite_dump(config.keys_file) == before
    key_file.write_text(right)
    await vault.open(warrant(clock))


def contents(directory: Path) -> list[bytes]:
    found = [path.read_bytes() for path in directory.rglob("*") if path.is_file()]
    assert len(found) >= 2
    return found


def sqlite_dump(path: Path) -> list[str]:
    db = sqlite3.connect(path)
    try:
        return list(db.iterdump())
    finally:
        db.close()
