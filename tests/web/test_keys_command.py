"""``teduh keys`` and ``teduh keyd``, as an operator runs them."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
from pathlib import Path

import pytest

from core.clock import SystemClock
from core.config import Config
from core.errors import ConfigError, NotFound
from core.keyring import KeyMissing
from core.settings import keys as read_keys
from core.warrants import SYSTEM, Purpose, Warrants
from recordings.vault import Vault
from tests.web.commanding import command
from tests.web.process import COMMAND, environment
from web.commands.keyring import DrillFailed

MASTER = bytes(32)


@pytest.fixture
def config(tmp_path: Path) -> Config:
    (tmp_path / "var").mkdir(mode=0o700)
    return Config(data_dir=tmp_path / "var", master_key=MASTER)


def record(config: Config, *recordings: str) -> None:
    async def go() -> None:
        for recording in recordings:
            await Vault.of(config, master=MASTER, clock=SystemClock()).create(recording)

    asyncio.run(go())


def opens(config: Config, recording: str) -> bool:
    clock = SystemClock()
    warrant = Warrants(MASTER).issue(
        recording_id=recording, viewer=SYSTEM, purpose=Purpose.VERIFY, now=clock.now()
    )
    identity = asyncio.run(Vault.of(config, master=MASTER, clock=clock).open(warrant))
    return str(identity).startswith("AGE-SECRET-KEY-1")


def listed(config: Config) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(command(config, "keys", "list", "--json"))
    return found


def test_keys_are_listed_rotated_backed_up_and_drilled(config: Config, tmp_path: Path) -> None:
    record(config, "r_1", "r_2")
    (old,) = listed(config)
    assert (old["recordings"], old["held"]) == (2, True)
    assert command(config, "keys", "rotate").startswith("2 recordings hang on a new key.")
    shown = [line.split() for line in command(config, "keys", "list").splitlines()]
    assert [words[1:3] for words in shown] == [["held", "0"], ["held", "2"]]
    assert shown[0][0] == old["id"]
    backup = command(config, "keys", "backup", str(tmp_path / "backups"))
    assert Path(backup.strip()).is_file()
    assert "2 recordings would open again." in command(config, "keys", "drill", str(tmp_path / "backups"))
    assert opens(config, "r_1")


def test_a_key_that_is_missing_is_listed_so_and_the_drill_fails(config: Config, tmp_path: Path) -> None:
    record(config, "r_1")
    command(config, "keys", "backup", str(tmp_path / "backups"))
    (file,) = (config.data_dir / "keys").glob("*.txt")
    file.unlink()
    (row,) = listed(config)
    assert (row["recordings"], row["held"]) == (1, False)
    with pytest.raises(DrillFailed, match="1 recordings would be lost"):
        command(config, "keys", "drill", str(tmp_path / "backups"))
    with pytest.raises(KeyMissing, match=str(row["id"])):
        command(config, "keys", "rotate")


def test_without_recordings_there_is_nothing_to_back_up(config: Config, tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="no keys of recordings"):
        command(config, "keys", "backup", str(tmp_path / "backups"))
    with pytest.raises(ConfigError, match="no backup"):
        command(config, "keys", "drill", str(tmp_path / "backups"))
    assert command(config, "keys", "list") == ""
    assert not config.keys_file.exists()


def test_keyd_keeps_the_keys_for_the_server(config: Config, tmp_path: Path) -> None:
    """Whoever runs teduh has no wrapping key on its disk, and no way to open what it was not asked to."""
    signer = command(config, "keys", "signer").strip()
    socket, theirs = tmp_path / "keyd.sock", tmp_path / "theirs"
    keyd = subprocess.Popen(
        [*COMMAND, "keyd", str(socket), signer],
        cwd=tmp_path,
        env=environment(tmp_path / "other", KEYS=str(theirs)),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert keyd.stdout is not None
        assert keyd.stdout.readline() == f"teduh keyd answers at {socket}\n"
        asking = dataclasses.replace(config, keys=read_keys(f"unix:{socket}"))
        record(asking, "r_1")
        assert opens(asking, "r_1")
        (row,) = listed(asking)
        assert (row["recordings"], row["held"]) == (1, True)
        assert not (config.data_dir / "keys").exists()
        assert not (tmp_path / "other").exists()
        assert '"outcome":"opened"' in (theirs / "openings.jsonl").read_text()
    finally:
        keyd.terminate()
        keyd.wait(10)
        assert keyd.stdout is not None
        keyd.stdout.close()


def test_keyd_takes_no_signer_that_is_none(
    config: Config, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        command(config, "keyd", str(tmp_path / "keyd.sock"), "abc")
    assert "teduh keys signer" in capsys.readouterr().err


def test_keyd_asks_no_other_keyd(config: Config, tmp_path: Path) -> None:
    asking = dataclasses.replace(config, keys=read_keys("unix:/nowhere"))
    with pytest.raises(ConfigError, match="must name a directory"):
        command(asking, "keyd", str(tmp_path / "keyd.sock"), "00" * 32)
