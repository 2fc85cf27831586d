"""What each theft opens (docs/recordings.md): the thief has the files, and tries every key on everything.

Two recordings stand there, one stored and one that has only just ended, with what a real server leaves
behind. The last test reads the table of the documents and finds each of its rows tried here.
"""

from __future__ import annotations

import asyncio
import dataclasses
import re
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

from core.agefile import Identity
from core.config import Config
from core.db import Database
from core.escrow import split
from core.keyd import serve
from core.keyrings import keyring_here
from core.shapes import KeysAt
from core.warrants import Warrants
from migrations.run import upgrade
from recordings.working import work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.coded import voice
from tests.recordings.ended import MASTER, end_one, workshop
from tests.recordings.thief import Thief
from tests.transit import TOKEN, running_transit

ROOT = Path(__file__).parents[2]
SOUND: Final = voice(20)[7]
"""A packet of what was said: whoever has these bytes has opened media."""


@dataclass(frozen=True)
class House:
    """A server's files after two recordings, each kind in a place of its own."""

    data: Path
    keys: Path
    halves: tuple[Path, Path]

    @property
    def database(self) -> Path:
        """The main database, as a backup would have it."""
        return self.data / "teduh.db"

    @property
    def media(self) -> Path:
        """Logs and finished files; the bucket holds less."""
        return self.data / "recordings"

    @property
    def keys_db(self) -> Path:
        return self.data / "keys.db"


async def build(folder: Path, clock: FakeClock, *, how: str = "inside", escrow: bool = False) -> House:
    """Run a server that keeps its wrapping keys ``inside`` the data directory, or somewhere else."""
    data, holder = folder / "data", Identity.generate()
    data.mkdir()
    theirs = data / "keys" if how == "inside" else folder / "keys"
    config = Config(data_dir=data, master_key=MASTER)
    (data / "master.key").write_bytes(MASTER)
    if escrow:
        config = dataclasses.replace(config, escrow=str(holder.recipient))
    async with AsyncExitStack() as stack:
        if how == "directory":
            config = dataclasses.replace(config, keys=KeysAt(directory=theirs))
        elif how == "keyd":
            keys = keyring_here(config, theirs, signer=Warrants(MASTER).public, clock=clock)
            await stack.enter_async_context(await serve(keys, folder / "keyd"))
            config = dataclasses.replace(config, keys=KeysAt(socket=folder / "keyd"))
        elif how == "vault":
            (data / "token").write_text(TOKEN)
            _, url = await stack.enter_async_context(running_transit())
            config = dataclasses.replace(config, keys=KeysAt(vault=url), keys_token=data / "token")
        await record_two(config, clock, stack)
    halves = (folder / "first half", folder / "second half")
    for path, half in zip(halves, split(holder), strict=True):
        path.write_text(half)
    return House(data, theirs, halves)


async def record_two(config: Config, clock: FakeClock, stack: AsyncExitStack) -> None:
    database = Database(config.database_url)
    stack.push_async_callback(database.close)
    await upgrade(database)
    shop: Workshop = await stack.enter_async_context(workshop(config, database, clock))
    await end_one(shop)
    await work(shop)
    await end_one(shop)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> House:
    """As in 1 of the documents; no thief changes anything."""
    return asyncio.run(build(tmp_path_factory.mktemp("house"), FakeClock()))


ROWS: Final[dict[str, tuple[tuple[str, ...], bool]]] = {
    "the main database, or a backup of it": (("database",), False),
    "the bucket, or the directory of media": (("media",), False),
    "both": (("database", "media"), False),
    "both and `keys.db`": (("database", "media", "keys_db"), False),
    "`keys.db` and the wrapping keys, without media": (("keys_db", "keys"), False),
    "the wrapping keys and media, without `keys.db`": (("keys", "media", "database"), False),
    "media, `keys.db` and the wrapping keys (the key host)": (("media", "keys_db", "keys"), True),
    "the whole disk, set up as in 1, or as in 2 or 3 with the keys on it too": (("data", "keys"), True),
}
ROWS_ELSEWHERE: Final = {
    "the whole disk, set up as in 2 to 4 with the keys on another disk or host": False,
}
ROWS_OF_ESCROW: Final = {
    "one half of the escrow with all of the above but wrapping keys": (1, False),
    "both halves of the escrow, `keys.db` and media": (2, True),
}


@pytest.mark.parametrize("row", ROWS)
def test_what_a_thief_opens(house: House, row: str) -> None:
    stolen, opens = ROWS[row]
    thief = Thief([getattr(house, name) for name in stolen])
    assert thief.has_seen(SOUND) is opens
    if opens:
        assert len(thief.keys) == 3  # of the month, and of each recording


def test_the_thief_finds_the_keys_that_are_there(house: House) -> None:
    """A thief who knows less than the formats would open nothing and prove nothing."""
    assert Thief([house.database]).keys == {}
    assert Thief([house.keys_db]).keys == {}
    assert len(Thief([house.keys]).keys) == 1
    assert len(Thief([house.keys_db, house.keys]).keys) == 3


@pytest.mark.parametrize("how", ["directory", "keyd", "vault"])
async def test_the_whole_disk_opens_nothing_where_the_keys_are_elsewhere(
    tmp_path: Path, clock: FakeClock, how: str
) -> None:
    house = await build(tmp_path, clock, how=how)
    thief = Thief([house.data])
    assert (thief.keys, thief.opened) == ({}, [])
    if how != "vault":
        assert Thief([house.data, house.keys]).has_seen(SOUND)


@pytest.mark.parametrize("row", ROWS_OF_ESCROW)
async def test_the_escrow_opens_with_both_halves_only(tmp_path: Path, clock: FakeClock, row: str) -> None:
    count, opens = ROWS_OF_ESCROW[row]
    house = await build(tmp_path, clock, how="directory", escrow=True)
    for halves in (house.halves, house.halves[::-1]):
        thief = Thief([house.database, house.media, house.keys_db, *halves[:count]])
        assert thief.has_seen(SOUND) is opens


async def test_without_escrow_both_halves_open_nothing(tmp_path: Path, clock: FakeClock) -> None:
    house = await build(tmp_path, clock, how="directory")
    assert not Thief([house.data, *house.halves]).has_seen(SOUND)


def test_a_log_opens_no_more_than_a_finished_file(house: House) -> None:
    """What is not finished yet lies sealed like everything else."""
    logs = sorted(house.media.rglob("*.log"))
    assert len(logs) == 2
    assert not Thief([*logs, house.database, house.keys_db]).opened
    assert Thief([*logs, house.keys_db, house.keys]).has_seen(SOUND)


def test_every_row_of_the_documents_is_tried_and_says_the_same() -> None:
    text = (ROOT / "docs" / "recordings.md").read_text()
    table = text.partition("## What a thief opens")[2].partition("\n## ")[0]
    said = dict(
        re.findall(
            r"^\| (.+?) \| (nothing|everything|what was recorded while it was on) \|$", table, re.MULTILINE
        )
    )
    tried = {row: opens for row, (_, opens) in (ROWS | ROWS_OF_ESCROW).items()} | ROWS_ELSEWHERE
    assert {row: words != "nothing" for row, words in said.items()} == tried
