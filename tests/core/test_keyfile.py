from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from core.errors import ConfigError
from core.keyfile import master_key, write_once


def test_the_key_is_made_once_for_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "data"
    key = master_key(folder)
    assert len(key) == 32
    assert master_key(folder) == key
    assert stat.S_IMODE((folder / "master.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert [path.name for path in folder.iterdir()] == ["master.key"]


def test_two_installations_have_two_keys(tmp_path: Path) -> None:
    assert master_key(tmp_path / "a") != master_key(tmp_path / "b")


def test_those_who_start_together_get_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: master_key(tmp_path), range(16)))
    assert len(keys) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["master.key"]


def test_a_secret_that_is_there_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    write_once(path, b"first")
    write_once(path, b"second")
    assert path.read_bytes() == b"first"


def test_a_spoiled_key_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "master.key").write_text("too short\n")
    with pytest.raises(ConfigError, match=r"master\.key does not fit"):
        master_key(tmp_path)


def test_a_data_directory_that_cannot_be_made_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="TEDUH_DATA_DIR"):
        master_key(tmp_path / "file" / "data")
