"""Wrapping keys in files: of a month, this user's alone, and openable with ``age``."""

from __future__ import annotations

import asyncio
import errno
import os
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from core import filekeys
from core.errors import ConfigError, InvalidState
from core.filekeys import FileKeys
from core.keyring import KeyBroken, KeyMissing
from tests.fakes import FakeClock

DAY = 86_400


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 3, 9, 0, tzinfo=UTC))


@pytest.fixture
def shelf(tmp_path: Path, clock: FakeClock) -> FileKeys:
    return FileKeys(tmp_path / "keys", clock)


async def test_what_was_sealed_opens(shelf: FileKeys) -> None:
    key_id, sealed = await shelf.seal(b"secret")
    assert await shelf.open(key_id, sealed) == b"secret"
    assert await shelf.held() == {key_id}


async def test_a_month_has_a_key_of_its_own(shelf: FileKeys, clock: FakeClock) -> None:
    november, sealed = await shelf.seal(b"secret")
    assert (await shelf.seal(b"other"))[0] == november
    clock.advance(28 * DAY)
    december, _ = await shelf.seal(b"later")
    assert (november[:9], december[:9]) == ("2026-11.1", "2026-12.1")
    assert await shelf.held() == {november, december}
    assert await shelf.open(november, sealed) == b"secret"


async def test_a_new_key_takes_what_is_sealed_from_then_on(shelf: FileKeys) -> None:
    old, sealed = await shelf.seal(b"secret")
    new = await shelf.renew()
    assert new.startswith("2026-11.2.")
    assert (await shelf.seal(b"x"))[0] == new
    assert await shelf.open(old, sealed) == b"secret"


async def test_files_and_directory_are_this_users_alone(shelf: FileKeys, tmp_path: Path) -> None:
    await shelf.seal(b"secret")
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert [path.stat().st_mode & 0o777 for path in (tmp_path / "keys").iterdir()] == [0o600]


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o601])
async def test_a_file_that_others_can_read_is_refused(shelf: FileKeys, tmp_path: Path, mode: int) -> None:
    key_id, sealed = await shelf.seal(b"secret")
    (file,) = (tmp_path / "keys").iterdir()
    file.chmod(mode)
    for wish in (shelf.seal(b"x"), shelf.open(key_id, sealed), shelf.held(), shelf.drop(key_id)):
        with pytest.raises(ConfigError, match="chmod 600"):
            await wish
    assert file.exists()


async def test_a_directory_that_others_can_read_is_refused(shelf: FileKeys, tmp_path: Path) -> None:
    await shelf.seal(b"secret")
    (tmp_path / "keys").chmod(0o750)
    with pytest.raises(ConfigError, match="chmod 700"):
        await shelf.held()
    with pytest.raises(ConfigError, match="chmod 700"):
        await shelf.renew()


@pytest.mark.parametrize("content", [b"", b"# a comment\n", b"AGE-SECRET-KEY-1QQ\n", b"\xff\xfe", b"a\nb\n"])
async def test_a_broken_file_is_told_and_not_quoted(shelf: FileKeys, tmp_path: Path, content: bytes) -> None:
    await shelf.seal(b"secret")
    (file,) = (tmp_path / "keys").iterdir()
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=r"2026-11\.1\.txt is broken") as told:
        await shelf.held()
    assert "AGE-SECRET" not in str(told.value)


async def test_a_missing_key_is_named(shelf: FileKeys, tmp_path: Path) -> None:
    key_id, sealed = await shelf.seal(b"secret")
    (file,) = (tmp_path / "keys").iterdir()
    file.unlink()
    with pytest.raises(KeyMissing, match=key_id):
        await shelf.open(key_id, sealed)


async def test_another_key_under_the_same_name_is_not_the_same(shelf: FileKeys, tmp_path: Path) -> None:
    key_id, sealed = await shelf.seal(b"secret")
    (file,) = (tmp_path / "keys").iterdir()
    file.unlink()
    other, _ = await shelf.seal(b"x")
    assert other != key_id
    with pytest.raises(KeyMissing, match=key_id):
        await shelf.open(key_id, sealed)


async def test_a_changed_wrapping_does_not_open(shelf: FileKeys) -> None:
    key_id, sealed = await shelf.seal(b"secret")
    for at in (30, len(sealed) // 2, len(sealed) - 1):
        bent = bytearray(sealed)
        bent[at] ^= 1
        with pytest.raises(KeyBroken):
            await shelf.open(key_id, bytes(bent))


async def test_a_dropped_key_is_overwritten_and_gone(shelf: FileKeys, tmp_path: Path) -> None:
    old, sealed = await shelf.seal(b"secret")
    (file,) = (tmp_path / "keys").iterdir()
    os.link(file, tmp_path / "what was on the disk")
    await shelf.renew()
    await shelf.drop(old)
    assert set((tmp_path / "what was on the disk").read_bytes()) == {0}
    assert old not in await shelf.held()
    with pytest.raises(KeyMissing):
        await shelf.open(old, sealed)
    await shelf.drop(old)


async def test_the_newest_key_is_never_dropped(shelf: FileKeys, tmp_path: Path) -> None:
    newest, _ = await shelf.seal(b"secret")
    with pytest.raises(InvalidState, match="in use"):
        await shelf.drop(newest)
    assert await shelf.held() == {newest}


async def test_the_tenth_key_of_a_month_is_newer_than_the_ninth(shelf: FileKeys) -> None:
    made = [await shelf.renew() for _ in range(11)]
    assert (await shelf.seal(b"x"))[0] == made[-1]
    with pytest.raises(InvalidState):
        await shelf.drop(made[-1])


async def test_two_processes_that_make_a_months_key_at_once_make_one(
    tmp_path: Path, clock: FakeClock
) -> None:
    made = await asyncio.gather(*(FileKeys(tmp_path / "keys", clock).seal(b"x") for _ in range(8)))
    assert len({key_id for key_id, _ in made}) == 1
    assert len(list((tmp_path / "keys").iterdir())) == 1


async def test_looking_makes_nothing(shelf: FileKeys, tmp_path: Path) -> None:
    assert await shelf.held() == set()
    with pytest.raises(KeyMissing):
        await shelf.open("2026-11.1.00000000", b"x")
    assert not (tmp_path / "keys").exists()


async def test_a_place_that_cannot_be_written_is_told(
    shelf: FileKeys, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot be used"):
        await FileKeys(tmp_path / "file" / "keys", clock).seal(b"secret")

    def full(_path: Path, _content: bytes) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(filekeys, "write_once", full)
    with pytest.raises(ConfigError, match=r"2026-11\.1\.txt cannot be made: No space"):
        await shelf.seal(b"secret")


async def test_the_command_age_opens_what_a_file_sealed(shelf: FileKeys, tmp_path: Path) -> None:
    _, sealed = await shelf.seal(b"secret")
    (file,) = (tmp_path / "keys").iterdir()
    assert await asyncio.to_thread(age, file, sealed) == b"secret"


def age(key_file: Path, sealed: bytes) -> bytes:
    """Open with the command ``age``."""
    done = subprocess.run(["age", "-d", "-i", key_file], input=sealed, capture_output=True, check=True)
    return done.stdout


async def test_a_drop_that_a_crash_stopped_stops_nothing_and_goes_on(
    shelf: FileKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, _ = await shelf.seal(b"secret")
    newest = await shelf.renew()
    overwrite = filekeys._overwrite

    def crash(path: Path) -> None:
        overwrite(path)
        raise KeyboardInterrupt

    monkeypatch.setattr(filekeys, "_overwrite", crash)
    with pytest.raises(KeyboardInterrupt):
        shelf._drop(old)
    monkeypatch.undo()
    assert await shelf.held() == {newest}
    await shelf.seal(b"other")
    await shelf.drop(old)
    assert [path.name for path in (tmp_path / "keys").iterdir()] == ["2026-11.2.txt"]


async def test_a_key_that_another_process_drops_meanwhile_stops_nothing(
    shelf: FileKeys, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was listed, and is gone when it is to be read."""
    old, _ = await shelf.seal(b"secret")
    newest = await shelf.renew()
    _, sealed = await shelf.seal(b"other")
    listed = shelf._files()
    monkeypatch.setattr(shelf, "_files", lambda: listed)
    (tmp_path / "keys" / "2026-11.1.txt").unlink()
    assert await shelf.held() == {newest}
    assert await shelf.open(newest, sealed) == b"other"
    await shelf.drop(old)
