"""Without teduh: the commands of docs/recordings.md, as they stand there, open what was recorded."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.agefile import Identity
from core.config import Config
from core.db import Database
from recordings.states import Side
from recordings.working import work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.ended import SECONDS, end_one, workshop

DOCUMENT = (Path(__file__).parents[2] / "docs" / "recordings.md").read_text()
HOLDER = Identity.generate()


@pytest.fixture
async def shop(config: Config, database: Database, clock: FakeClock) -> AsyncIterator[Workshop]:
    config = dataclasses.replace(config, escrow=str(HOLDER.recipient))
    async with workshop(config, database, clock) as made:
        yield made


def commands(first: str, last: str) -> str:
    """Cut the lines of one block out of the document, from one that begins so to one that begins so."""
    block = re.search(
        rf"^    {re.escape(first)}.*?^    {re.escape(last)}.*?$", DOCUMENT, re.DOTALL | re.MULTILINE
    )
    assert block is not None, (first, last)
    return block[0]


async def stored(shop: Workshop, folder: Path) -> str:
    """Record, finish, and lay both files where somebody would have copied them; gives the recording's id."""
    ended = await end_one(shop)
    await work(shop)
    for side in Side:
        (path,) = shop.spool.rglob(f"{ended.id}/{side.value}.webm.age")
        shutil.copy(path, folder)
    return ended.id


async def run(script: str, folder: Path) -> None:
    def go() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euc", script], cwd=folder, capture_output=True, text=True, check=False
        )

    done = await asyncio.to_thread(go)
    assert done.returncode == 0, done.stderr


async def plays(path: Path) -> list[tuple[str, float]]:
    """Decode all of it, and give kind and length of each track."""
    await run(f"ffmpeg -v error -xerror -i {path.name} -f null -", path.parent)
    await run(f"ffprobe -v error -show_packets -show_streams -of json {path.name} > told.json", path.parent)
    told = json.loads((path.parent / "told.json").read_text())
    last = {packet["stream_index"]: float(packet["pts_time"]) for packet in told["packets"]}
    return [(stream["codec_name"], last[stream["index"]]) for stream in told["streams"]]


async def test_the_holders_of_the_escrow_play_both_sides(shop: Workshop, tmp_path: Path) -> None:
    recording = await stored(shop, tmp_path)
    (tmp_path / "key.age").write_bytes(await shop.vault.escrowed(recording))
    (tmp_path / "escrow.txt").write_text(f"{HOLDER}\n")
    await run(commands("age -d -i escrow.txt", "ffmpeg"), tmp_path)
    tracks = await plays(tmp_path / "both.mkv")
    assert [codec for codec, _ in tracks] == ["opus", "opus"]
    assert all(SECONDS - 0.1 < last < SECONDS for _, last in tracks)


async def test_who_has_the_keys_plays_a_side(shop: Workshop, config: Config, tmp_path: Path) -> None:
    recording = await stored(shop, tmp_path)
    script = commands("sqlite3 keys.db", "age -d -i recording.txt client")
    month = re.search(r"keys/(\d{4}-\d{2})\.1\.txt", script)
    assert month is not None
    script = script.replace("'r_…'", f"'{recording}'").replace(month[1], f"{shop.clock.now():%Y-%m}")
    shutil.copy(config.keys_file, tmp_path / "keys.db")
    shutil.copytree(config.data_dir / "keys", tmp_path / "keys")
    await run(script, tmp_path)
    assert [codec for codec, _ in await plays(tmp_path / "client.webm")] == ["opus"]
