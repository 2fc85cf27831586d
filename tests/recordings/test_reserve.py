"""The room that recordings leave on their disk: nothing of theirs goes into it, and destroying needs it."""

from __future__ import annotations

import os
from pathlib import Path
from queue import Queue
from typing import NamedTuple

import pytest

from core.agefile import Identity
from recordings import reserve
from recordings.cutter import Piece
from recordings.events import Failure
from recordings.log import read_log
from recordings.reserve import NoRoom
from recordings.sides import log_path
from recordings.states import Side, SideState
from recordings.states import State as Kept
from recordings.wire import Open, Told, ToldFailed, ToldGrew
from recordings.working import work
from recordings.workshop import Workshop
from recordings.writing import End, Writing
from tests.recordings.booth import KEY, NAME
from tests.recordings.ended import end_one, side_of, state_of
from tests.recordings.test_exports import NOW, made

BLOCK = 4096
RESERVE = reserve.RESERVE_BYTES


class Blocks(NamedTuple):
    """What ``statvfs`` says."""

    f_bavail: int
    f_blocks: int = 1 << 30
    f_frsize: int = BLOCK


class Disk:
    """How full the disk is."""

    free = RESERVE

    def look(self, _path: object) -> Blocks:
        return Blocks(self.free // BLOCK)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    made = Disk()
    monkeypatch.setattr(os, "statvfs", made.look)
    return made


def test_the_reserve_stays_free(tmp_path: Path, disk: Disk) -> None:
    disk.free = RESERVE + BLOCK
    reserve.demand(tmp_path / "not" / "yet" / "made", BLOCK)
    with pytest.raises(NoRoom, match=r"256 MB would be left free: 256 MB are\."):
        reserve.demand(tmp_path, BLOCK + 1)


def test_a_disk_that_does_not_tell_is_believed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda _path: Blocks(0, f_blocks=0))
    reserve.demand(tmp_path)


def write(directory: Path) -> tuple[Writing, Queue[Told]]:
    told = Queue[Told]()
    opening = Open(NAME, Side.CLIENT, str(directory), str(KEY.recipient), 0.0)
    return Writing(1, opening, told.put), told


def test_a_recording_ends_where_the_reserve_begins(tmp_path: Path, disk: Disk) -> None:
    writing, told = write(tmp_path)
    writing.put(Piece(b"kept", 1_000))
    assert isinstance(told.get(timeout=10), ToldGrew)
    disk.free = RESERVE - BLOCK
    writing.put(Piece(b"not kept", 2_000))
    assert told.get(timeout=10) == ToldFailed(1, Failure.DISK_FULL)
    writing.join(10)
    log = log_path(tmp_path, NAME, Side.CLIENT)
    found = list(read_log(log, recording_id=NAME, side=Side.CLIENT, identity=KEY))
    assert [one.plain for one in found] == [b"kept"]


def test_none_begins_there(tmp_path: Path, disk: Disk) -> None:
    disk.free = RESERVE - BLOCK
    writing, told = write(tmp_path)
    assert told.get(timeout=10) == ToldFailed(1, Failure.DISK_FULL)
    writing.join(10)
    assert list(tmp_path.iterdir()) == []


def test_one_that_ends_there_still_gets_its_last_record(tmp_path: Path, disk: Disk) -> None:
    writing, told = write(tmp_path)
    writing.put(Piece(b"kept", 1_000))
    assert isinstance(told.get(timeout=10), ToldGrew)
    disk.free = RESERVE - BLOCK
    writing.put(End.COMPLETE)
    assert isinstance(told.get(timeout=10), ToldGrew)


async def test_a_finished_file_waits_for_room_and_its_log_stays(shop: Workshop, disk: Disk) -> None:
    one = await end_one(shop)
    log = log_path(shop.spool, one.id, Side.CLIENT)
    before = log.read_bytes()
    await work(shop)
    row = await side_of(shop, one.id, Side.CLIENT)
    assert (row.state, row.problem) == (SideState.LOG, "no_room")
    assert {path.suffix for path in log.parent.iterdir()} == {".log"}
    assert log.read_bytes() == before
    assert await state_of(shop, one.id) is Kept.FINALIZING


async def test_an_export_is_not_begun(tmp_path: Path, disk: Disk) -> None:
    exporter, export, recording, _ = await made(
        tmp_path, {Side.CLIENT: bytes(10 * BLOCK)}, str(Identity.generate().recipient)
    )
    disk.free = RESERVE + 9 * BLOCK
    with pytest.raises(NoRoom):
        await exporter.make(export, recording, now=NOW, told=lambda _percent: None)
    assert list((tmp_path / "exports").iterdir()) == []
