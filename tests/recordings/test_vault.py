"""A key for each recording: kept wrapped, opened for a warrant, destroyed for good."""

from __future__ import annotations

import asyncio
import dataclasses
import shutil
import sqlite3
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from core.agefile import Identity, NoMatch, decrypt, encrypt
from core.config import Config
from core.errors import InvalidState, NotFound
from core.keyring import KeyBroken, KeyMissing
from core.warrants import SYSTEM, Purpose, Warrant, WarrantRefused, Warrants
from recordings.keystore import KeptKey, KeyStore
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


MONTH_S = 30 * 86_400
HOUR_S = 3_600


def key_files(config: Config) -> list[str]:
    return sorted(path.stem for path in (config.data_dir / "keys").glob("*.txt"))


async def test_the_last_recording_of_a_month_takes_its_key_along(
    vault: Vault, config: Config, clock: FakeClock
) -> None:
    await vault.create("r_1")
    await vault.create("r_2")
    clock.advance(MONTH_S)
    await vault.create("r_3")
    assert key_files(config) == ["2026-11.1", "2026-12.1"]
    await vault.destroy("r_1", now=clock.now())
    clock.advance(2 * HOUR_S)
    assert await vault.tidy() == []
    await vault.destroy("r_2", now=clock.now())
    assert await vault.tidy() == []
    clock.advance(HOUR_S)
    (gone,) = await vault.tidy()
    assert gone.startswith("2026-11.1.")
    assert key_files(config) == ["2026-12.1"]
    assert await vault.tidy() == []
    await vault.open(warrant(clock, "r_3"))


async def test_the_newest_key_stays_though_nothing_hangs_on_it(
    vault: Vault, config: Config, clock: FakeClock
) -> None:
    await vault.create("r_1")
    await vault.destroy("r_1", now=clock.now())
    clock.advance(2 * HOUR_S)
    assert await vault.tidy() == []
    clock.advance(MONTH_S)
    await vault.tidy()
    await vault.create("r_2")
    assert await vault.tidy() == []  # somebody may still be wrapping with it: it was the newest a moment ago
    clock.advance(HOUR_S)
    assert len(await vault.tidy()) == 1
    assert key_files(config) == ["2026-12.1"]


async def test_a_lost_database_of_keys_destroys_no_wrapping_key(
    vault: Vault, config: Config, clock: FakeClock
) -> None:
    """An operator who starts with an empty keys.db by mistake finds the key files as they were."""
    await vault.create("r_1")
    config.keys_file.rename(config.data_dir / "right.db")
    config.keys_file.touch()
    clock.advance(MONTH_S)
    await vault.create("r_2")
    clock.advance(2 * HOUR_S)
    assert await vault.tidy() == []
    (config.data_dir / "right.db").rename(config.keys_file)
    await vault.open(warrant(clock))


async def test_rotating_moves_every_recording_to_a_new_key(
    vault: Vault, config: Config, clock: FakeClock
) -> None:
    recipients = [await vault.create(f"r_{number}") for number in range(5)]
    assert await vault.rotate() == 5
    (old, new) = key_files(config)
    assert (old, new) == ("2026-11.1", "2026-11.2")
    clock.advance(HOUR_S)
    assert len(await vault.tidy()) == 1
    assert key_files(config) == ["2026-11.2"]
    for number, recipient in enumerate(recipients):
        identity = await vault.open(warrant(clock, f"r_{number}"))
        assert identity.recipient == recipient


async def test_a_key_that_does_not_open_keeps_no_other_from_being_rotated(
    vault: Vault, config: Config, clock: FakeClock
) -> None:
    for number in range(3):
        await vault.create(f"r_{number}")
    with sqlite3.connect(config.keys_file) as db:
        db.execute("UPDATE wrapped_keys SET sealed = zeroblob(length(sealed)) WHERE recording_id = 'r_0'")
    with pytest.raises(KeyBroken, match=r"2 recordings were moved.* r_0"):
        await vault.rotate()
    hung = {kept.recording_id: kept.key_id for kept in KeyStore(config.keys_file).every()}
    assert hung["r_1"] == hung["r_2"] != hung["r_0"]
    await vault.open(warrant(clock, "r_2"))


async def test_rotating_without_recordings_moves_nothing(vault: Vault) -> None:
    assert await vault.rotate() == 0


async def test_rotating_that_was_stopped_is_done_again(
    vault: Vault, config: Config, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(4):
        await vault.create(f"r_{number}")
    moved = 0
    really = KeyStore.replace

    def stopping(self: KeyStore, old: KeptKey, **fields: Any) -> bool:
        nonlocal moved
        moved += 1
        if moved == 3:
            raise KeyboardInterrupt
        return really(self, old, **fields)

    with monkeypatch.context() as patched:
        patched.setattr(KeyStore, "replace", stopping)
        with pytest.raises(KeyboardInterrupt):
            await vault.rotate()
    for number in range(4):
        await vault.open(warrant(clock, f"r_{number}"))
    assert await vault.rotate() == 4
    clock.advance(HOUR_S)
    await vault.tidy()
    assert key_files(config) == ["2026-11.3"]
    for number in range(4):
        await vault.open(warrant(clock, f"r_{number}"))


async def test_what_is_destroyed_while_rotating_stays_destroyed(
    vault: Vault, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await vault.create("r_1")
    really = KeyStore.every

    def destroyed_meanwhile(self: KeyStore) -> list[KeptKey]:
        found = really(self)
        self.remove("r_1", now=clock.now())
        return found

    monkeypatch.setattr(KeyStore, "every", destroyed_meanwhile)
    assert await vault.rotate() == 0
    assert not await vault.has("r_1")


async def test_the_escrow_opens_a_recording_with_age_alone(
    config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    holder = Identity.generate()
    config = dataclasses.replace(config, escrow=str(holder.recipient))
    vault = Vault.of(config, master=MASTER, clock=clock)
    media = encrypt(b"a picture", [await vault.create("r_1")])
    (tmp_path / "escrow.txt").write_text(f"{holder}\n")
    key = await vault.escrowed("r_1")

    def by_hand() -> bytes:
        (tmp_path / "recording.txt").write_bytes(age(tmp_path / "escrow.txt", key))
        return age(tmp_path / "recording.txt", media)

    assert await asyncio.to_thread(by_hand) == b"a picture"


def age(key_file: Path, sealed: bytes) -> bytes:
    """Open with the command ``age``."""
    return subprocess.run(["age", "-d", "-i", key_file], input=sealed, capture_output=True, check=True).stdout


async def test_without_escrow_nobody_else_has_the_key(vault: Vault) -> None:
    await vault.create("r_1")
    with pytest.raises(NotFound, match="no escrow"):
        await vault.escrowed("r_1")


async def test_what_the_escrow_holds_goes_with_the_key(config: Config, clock: FakeClock) -> None:
    holder = Identity.generate()
    vault = Vault.of(dataclasses.replace(config, escrow=str(holder.recipient)), master=MASTER, clock=clock)
    await vault.create("r_1")
    sealed = await vault.escrowed("r_1")
    await vault.destroy("r_1", now=clock.now())
    with pytest.raises(NotFound):
        await vault.escrowed("r_1")
    assert all(sealed[-64:] not in content for content in contents(config.data_dir))
