"""How far logs are is written for all recordings at once, and never less than was written before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from core.db import Database
from core.ids import new_id
from recordings import records
from recordings.records import Growth
from recordings.states import Side, SideState, State
from recordings.tables import RecordingRow, RecordingSideRow
from signaling.growing import Growing

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
EVERY_S = 0.1


class Counted:
    """The sessions of a database: counts transactions, and is away while it is told to."""

    def __init__(self, database: Database) -> None:
        self.begun = 0
        self.is_away = False
        self._sessions = database.sessions

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        self.begun += 1
        if self.is_away:
            raise ConnectionError("the database is away")
        async with self._sessions.begin() as db:
            yield db


@pytest.fixture
async def counted(database: Database, monkeypatch: pytest.MonkeyPatch) -> Counted:
    monkeypatch.setattr("signaling.growing.EVERY_S", EVERY_S)
    return Counted(database)


@pytest.fixture
async def growing(counted: Counted) -> AsyncIterator[Growing]:
    made = Growing(cast("Any", counted))
    yield made
    await made.close()


async def begin(database: Database) -> str:
    """Write down a recording of a session that is not kept, and both its sides."""
    recording = new_id("r")
    async with database.sessions.begin() as db:
        db.add(RecordingRow(id=recording, state=State.RECORDING.value, started_at=NOW, expires_at=NOW))
        await db.flush()
        for side in Side:
            row = RecordingSideRow(recording_id=recording, side=side.value, participant_id=new_id("p"))
            row.state, row.records, row.bytes, row.until_ms, row.tries = SideState.LOG.value, 0, 0, 0, 0
            db.add(row)
    return recording


def growth(recording: str, side: Side, count: int) -> Growth:
    return Growth(recording, side, count, f"{count:064x}", 1_000 * count, 900 * count)


async def counts(database: Database) -> list[int]:
    """How many records each side has by the database, in the order of recording and side."""
    async with database.sessions() as db:
        found = select(RecordingSideRow.records).order_by(
            RecordingSideRow.recording_id, RecordingSideRow.side
        )
        return list(await db.scalars(found))


async def until(database: Database, wanted: list[int]) -> None:
    async with asyncio.timeout(5):
        while await counts(database) != wanted:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)


def nobody() -> None:
    raise AssertionError("the database is there")


async def test_all_sides_are_written_in_one_transaction(
    database: Database, counted: Counted, growing: Growing
) -> None:
    recordings = sorted([await begin(database), await begin(database)])
    for count in (1, 2):
        for recording in reversed(recordings):
            for side in Side:
                growing.put(growth(recording, side, count), nobody)
    await until(database, [2, 2, 2, 2])
    assert counted.begun == 1
    async with database.sessions() as db:
        row = await db.get_one(RecordingSideRow, (recordings[0], Side.CLIENT.value))
    assert (row.head, row.bytes, row.until_ms) == (f"{2:064x}", 2_000, 1_800)


async def test_what_comes_meanwhile_waits_for_the_next_one(
    database: Database, counted: Counted, growing: Growing
) -> None:
    recording = await begin(database)
    growing.put(growth(recording, Side.CLIENT, 1), nobody)
    await until(database, [1, 0])
    for count in range(2, 20):
        growing.put(growth(recording, Side.COUNSELOR, count), nobody)
    await until(database, [1, 19])
    assert counted.begun == 2
    await asyncio.sleep(2 * EVERY_S)
    growing.put(growth(recording, Side.CLIENT, 7), nobody)
    await until(database, [7, 19])


async def test_a_log_never_grows_shorter(database: Database, growing: Growing) -> None:
    """What waits while somebody ends the recording comes too late, and takes nothing back."""
    recording = await begin(database)
    async with database.sessions.begin() as db:
        await records.grew(db, [growth(recording, Side.COUNSELOR, 9)])
    growing.put(growth(recording, Side.COUNSELOR, 8), nobody)
    growing.put(growth(recording, Side.CLIENT, 1), nobody)
    await until(database, [1, 9])


async def test_what_ends_is_left_out(database: Database, growing: Growing) -> None:
    first, second = sorted([await begin(database), await begin(database)])
    growing.put(growth(first, Side.CLIENT, 5), nobody)
    growing.put(growth(second, Side.CLIENT, 5), nobody)
    growing.drop(first)
    await until(database, [0, 0, 5, 0])


async def test_a_lost_database_is_told_once_to_each_of_them(
    database: Database, counted: Counted, growing: Growing
) -> None:
    first, second = sorted([await begin(database), await begin(database)])
    counted.is_away, told = True, list[str]()
    for side in Side:
        growing.put(growth(first, side, 1), lambda: told.append(first))
        growing.put(growth(second, side, 1), lambda: told.append(second))
    async with asyncio.timeout(5):
        while not told:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
    assert sorted(told) == [first, second]
    counted.is_away = False
    growing.put(growth(second, Side.CLIENT, 2), nobody)
    await until(database, [0, 0, 2, 0])


async def test_whoever_cannot_take_the_loss_keeps_nobody_else_from_hearing_it(
    database: Database, counted: Counted, growing: Growing, caplog: pytest.LogCaptureFixture
) -> None:
    first, second = sorted([await begin(database), await begin(database)])
    counted.is_away, told = True, list[str]()

    def cannot() -> None:
        raise RuntimeError("its relay is gone")

    growing.put(growth(first, Side.CLIENT, 1), cannot)
    growing.put(growth(second, Side.CLIENT, 1), lambda: told.append(second))
    async with asyncio.timeout(5):
        while not told:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
    assert "recording.not_ended" in [record.message for record in caplog.records]


async def test_after_the_end_nothing_is_written(
    database: Database, counted: Counted, growing: Growing
) -> None:
    recording = await begin(database)
    growing.put(growth(recording, Side.CLIENT, 1), nobody)
    await growing.close()
    await growing.close()
    await asyncio.sleep(2 * EVERY_S)
    assert (await counts(database), counted.begun) == ([0, 0], 0)
