"""What a worker leaves that is killed while it has a whole recording open: nothing of it in the clear.

What the recorder leaves is in ``test_recorder.py``.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from core.config import Config
from recordings.states import Side
from recordings.working import work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.coded import voice
from tests.recordings.ended import SECONDS, end_one, opened
from tests.recordings.killed import work_and_die

SAID = [*voice(50 * SECONDS), b"\x42\x82\x84webm", b"OpusHead", b"A_OPUS"]
SECRET = b"AGE-SECRET-KEY-1"


@pytest.fixture
def clock() -> FakeClock:
    """It stands still at the time of day that the killed processes have."""
    return FakeClock(datetime.now(UTC))


def look_through(folder: Path, keys: Path) -> list[str]:
    """Search all files for what was said, what a WebM begins with, and keys out of their place."""
    looked = []
    for path in sorted(folder.rglob("*")):
        if path.is_file():
            data = path.read_bytes()
            looked.append(path.name)
            assert not [one for one in SAID if one in data], path
            assert path.is_relative_to(keys) or SECRET not in data, path
    return looked


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("function", "when", "number", "left"),
    [
        ("core.agefile:Writer.write", "after", 2, ".draft"),
        ("core.agefile:Writer.write", "after", 5, ".draft"),
        ("recordings.moving:finalize", "after", 1, "client.log"),
        ("recordings.store_local:_place", "after", 1, "client.webm.age"),
        ("recordings.vault:Vault.open", "after", 2, "counselor.log"),
    ],
)
async def test_a_worker_that_is_killed_leaves_nothing_in_the_clear(  # noqa: PLR0917  # fixtures and a case
    shop: Workshop,
    config: Config,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    function: str,
    when: str,
    number: int,
    left: str,
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    made = await end_one(shop)
    await work_and_die(config, function, when, number)
    looked = look_through(tmp_path, config.data_dir / "keys")
    assert [name for name in looked if left in name], looked
    await work(shop)
    look_through(tmp_path, config.data_dir / "keys")
    plain = await opened(shop, made.id, Side.CLIENT)
    assert not [one for one in SAID if one not in plain], "what was searched for is in it"
