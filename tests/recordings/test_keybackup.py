"""Backups of keys: whole, private, and gone after seven days; and a drill that says what would open."""

from __future__ import annotations

import asyncio
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.config import Config
from core.errors import ConfigError
from core.keyrings import keyring_for
from core.warrants import Warrants
from recordings import keybackup
from recordings.drill import Drilled, drill
from recordings.keystore import KeyStore
from recordings.vault import Vault
from tests.fakes import FakeClock
from tests.recordings.killed import ROOT

MASTER = bytes(32)
DAY_S = 86_400


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 3, 2, 0, tzinfo=UTC))


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(data_dir=tmp_path / "data")


@pytest.fixture
async def vault(config: Config, clock: FakeClock) -> Vault:
    config.data_dir.mkdir()
    made = Vault.of(config, master=MASTER, clock=clock)
    await made.create("r_1")
    await made.create("r_2")
    return made


def back_up(config: Config, clock: FakeClock, directory: Path) -> KeyStore:
    made = keybackup.back_up(KeyStore(config.keys_file), directory, now=clock.now())
    return KeyStore(made.path, read_only=True)


async def drilled(config: Config, clock: FakeClock, backup: KeyStore) -> Drilled:
    warrants = Warrants(MASTER)
    return await drill(
        backup,
        live=KeyStore(config.keys_file),
        keys=keyring_for(config, signer=warrants.public, clock=clock),
        warrants=warrants,
        clock=clock,
    )


async def test_a_backup_is_named_after_its_time_and_private(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    back_up(config, clock, tmp_path / "backups")
    (made,) = keybackup.backups(tmp_path / "backups")
    assert (made.path.name, made.at) == ("keys-20261103T020000Z.db", clock.now())
    assert made.path.stat().st_mode & 0o777 == 0o600
    assert made.path.parent.stat().st_mode & 0o777 == 0o700


KILLED = """
import os, signal, sys
from datetime import datetime
from pathlib import Path
from recordings import keybackup, keystore
keystore._sync = lambda _path: os.kill(os.getpid(), signal.SIGKILL)
store, directory = keystore.KeyStore(Path(sys.argv[1])), Path(sys.argv[2])
keybackup.back_up(store, directory, now=datetime.fromisoformat(sys.argv[3]))
"""


async def test_a_backup_that_was_killed_while_it_was_written_leaves_no_key(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    directory = tmp_path / "backups"
    words = [sys.executable, "-c", KILLED, str(config.keys_file), str(directory), clock.now().isoformat()]
    process = await asyncio.create_subprocess_exec(*words, cwd=ROOT)
    assert await process.wait() == -signal.SIGKILL
    (draft,) = directory.iterdir()
    draft.with_name(f"{draft.name}-journal").touch()
    clock.advance(60)
    keybackup.prune(directory, now=clock.now())
    assert draft.exists(), "somebody may write it just now"
    clock.advance(3_600)
    keybackup.prune(directory, now=clock.now())
    assert list(directory.iterdir()) == []


async def test_no_backup_gets_to_be_seven_days_old(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    """One is written each night, and pruned each hour, as the server's upkeep does."""
    directory = tmp_path / "backups"
    directory.mkdir()
    (directory / "keys-of-the-car.txt").write_text("let be")
    made = 0
    for _ in range(24 * 20):
        if keybackup.is_due(KeyStore(config.keys_file), directory, now=clock.now()):
            back_up(config, clock, directory)
            made += 1
        keybackup.prune(directory, now=clock.now())
        ages = [clock.now() - one.at for one in keybackup.backups(directory)]
        assert max(ages) < timedelta(days=7)
        clock.advance(3_600)
    assert made == 24
    assert len(ages) == 8
    assert (directory / "keys-of-the-car.txt").exists()


async def test_a_place_that_cannot_be_written_is_told(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="No backup"):
        back_up(config, clock, tmp_path / "file")


async def test_a_drill_says_what_would_open(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    backup = back_up(config, clock, tmp_path)
    await vault.destroy("r_1", now=clock.now())
    await vault.create("r_3")
    found = await drilled(config, clock, backup)
    assert (found.opened, found.destroyed, found.missing, found.lost) == (["r_2"], ["r_1"], ["r_3"], {})
    log = (config.data_dir / "keys" / "openings.jsonl").read_text()
    assert log.count('"drill"') == 2


async def test_rotating_makes_no_backup_worthless(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    """The old key goes only when a backup hangs on the new one; before, a lost keys.db was the end of all."""
    store = KeyStore(config.keys_file)
    backup = back_up(config, clock, tmp_path)
    clock.advance(60)
    await vault.rotate()
    clock.advance(2 * 3_600)
    assert await vault.tidy(saved_at=keybackup.saved_at(tmp_path, now=clock.now())) == []
    assert (await drilled(config, clock, backup)).opened == ["r_1", "r_2"]
    assert keybackup.is_due(store, tmp_path, now=clock.now()), "though one was made two hours ago"
    newer = back_up(config, clock, tmp_path)
    assert not keybackup.is_due(store, tmp_path, now=clock.now())
    assert len(await vault.tidy(saved_at=keybackup.saved_at(tmp_path, now=clock.now()))) == 1
    assert (await drilled(config, clock, newer)).opened == ["r_1", "r_2"]


async def test_without_any_backup_so_far_no_wrapping_key_goes(
    vault: Vault, clock: FakeClock, tmp_path: Path
) -> None:
    await vault.rotate()
    clock.advance(2 * 3_600)
    assert await vault.tidy(saved_at=keybackup.saved_at(tmp_path, now=clock.now())) == []


async def test_a_clock_that_was_ahead_ends_no_backups(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    """One dated in ten years was the newest for ten years: no other was made, and it was kept so long."""
    store, right = KeyStore(config.keys_file), clock.now()
    back_up(config, FakeClock(right + timedelta(days=3_650)), tmp_path)
    assert keybackup.is_due(store, tmp_path, now=right)
    assert await vault.tidy(saved_at=keybackup.saved_at(tmp_path, now=right)) == []
    assert keybackup.prune(tmp_path, now=right) == 0, "perhaps it is now that the clock is wrong"
    back_up(config, clock, tmp_path)
    assert [one.at for one in keybackup.backups(tmp_path)] == [right]


async def test_a_clock_that_is_behind_ends_no_backups(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    right = clock.now()
    for days in (4, 0):
        back_up(config, FakeClock(right - timedelta(days=days)), tmp_path)
    behind = right - timedelta(days=3)
    assert keybackup.prune(tmp_path, now=behind) == 0
    assert [one.at for one in keybackup.backups(tmp_path)] == [right - timedelta(days=4), right]


async def test_a_wrapping_key_emptied_in_a_time_to_come_goes_too(
    vault: Vault, config: Config, clock: FakeClock
) -> None:
    right = clock.now()
    clock.advance(3_650 * DAY_S)
    await vault.rotate()
    clock.put_back(3_650 * DAY_S)
    assert clock.now() == right
    await vault.rotate()
    assert await vault.tidy() == []
    clock.advance(3_601)
    assert len(await vault.tidy()) == 1


async def test_a_drill_finds_what_would_be_lost(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    backup = back_up(config, clock, tmp_path)
    (key_file,) = (config.data_dir / "keys").glob("*.txt")
    key_file.rename(tmp_path / "elsewhere")
    found = await drilled(config, clock, backup)
    assert sorted(found.lost) == ["r_1", "r_2"]
    assert found.opened == []


async def test_a_drill_finds_a_key_that_was_bent(
    vault: Vault, config: Config, clock: FakeClock, tmp_path: Path
) -> None:
    backup = back_up(config, clock, tmp_path)
    (kept, _) = backup.every()
    content = backup.path.read_bytes()
    assert content.count(kept.sealed) == 1
    bent = kept.sealed[:-1] + bytes([kept.sealed[-1] ^ 1])
    backup.path.write_bytes(content.replace(kept.sealed, bent))
    found = await drilled(config, clock, backup)
    assert (list(found.lost), found.opened) == (["r_1"], ["r_2"])
