from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from sqlalchemy import Column, MetaData, Table, column, insert, select, table, text
from sqlalchemy.exc import IntegrityError, OperationalError, StatementError

from accounts.tables import ApiKeyRow
from core import db as core_db
from core.db import Database, Fixed, async_url

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


async def test_times_come_back_aware_and_in_utc(database: Database) -> None:
    east = datetime(2026, 3, 2, 16, 0, 0, 123456, tzinfo=timezone(timedelta(hours=7)))
    async with database.sessions.begin() as db:
        db.add(ApiKeyRow(id="k", name="n", scopes="", created_at=east, revoked_at=None))
    async with database.sessions() as db:
        found = await db.get_one(ApiKeyRow, "k")
    assert found.created_at == east
    assert found.created_at.tzinfo is UTC
    assert found.revoked_at is None


async def test_a_time_without_a_zone_is_refused(database: Database) -> None:
    naive = datetime(2026, 3, 2)  # noqa: DTZ001  # that is the point
    async with database.sessions() as db:
        with pytest.raises(StatementError, match="without a zone"):
            await db.execute(insert(ApiKeyRow).values(id="k", name="n", scopes="", created_at=naive))


async def test_it_answers_until_it_is_closed_and_closing_twice_is_fine(database: Database) -> None:
    await database.check()
    await database.close()
    await database.close()


@pytest.mark.parametrize(
    ("kind", "given", "kept"),
    [
        (Fixed(10), 20.54, 20.5),
        (Fixed(100, small=True), 4.409, 4.41),
        (Fixed(10), 1e12, 214_748_364.7),
        (Fixed(10, small=True), 1e12, 3_276.7),
        (Fixed(10, small=True), -1e12, -3_276.7),
        (Fixed(1), 0.4, 0.0),
        (Fixed(1), None, None),
    ],
)
async def test_a_fixed_number_is_kept_to_its_last_part(
    empty_database_url: str, kind: Fixed, given: float | None, kept: float | None
) -> None:
    database = Database(empty_database_url)
    there = Table("numbers", MetaData(), Column("number", kind))
    async with database.engine.begin() as connection:
        await connection.run_sync(there.create)
        await connection.execute(insert(there), [{"number": given}])
        assert (await connection.execute(select(there.c.number))).scalar_one() == kept
    await database.close()


async def test_a_foreign_key_holds(database: Database) -> None:
    places = table("participants", *map(column, ("id", "session_id", "position", "role", "name", "state")))
    async with database.sessions() as db:
        with pytest.raises(Exception, match=r"(?i)constraint|null"):
            await db.execute(
                insert(places).values(id="p", session_id="none", position=0, role="client", name="", state="")
            )
        await db.rollback()
        assert (await db.execute(select(places.c.id))).all() == []


@pytest.fixture
async def sqlite(migrated_sqlite: Path, tmp_path: Path) -> AsyncIterator[Database]:
    path = tmp_path / "line.db"
    shutil.copy(migrated_sqlite, path)
    database = Database(f"sqlite:///{path}")
    await asyncio.gather(*(database.check() for _ in range(5)))  # connecting takes its time in a thread
    yield database
    await database.close()


async def put(database: Database, name: str, *, until: asyncio.Event | None = None) -> None:
    """Write a row, and keep the transaction open until then."""
    async with database.sessions.begin() as db:
        await db.execute(insert(ApiKeyRow).values(id=name, name=name, scopes="", created_at=NOW))
        if until is not None:
            await until.wait()


async def names(database: Database) -> list[str]:
    """The rows, in the order in which they were written."""
    async with database.sessions() as db:
        return list(await db.scalars(text("SELECT name FROM api_keys ORDER BY rowid")))


async def test_who_writes_again_stands_behind_who_waits(sqlite: Database) -> None:
    """SQLite alone would let the one who writes go on and on, and the other ask again in vain."""
    go, other = asyncio.Event(), asyncio.Event()

    async def again_and_again() -> None:
        await put(sqlite, "first", until=go)
        for number in range(5):
            await put(sqlite, f"again {number}")

    async def once() -> None:
        other.set()
        await put(sqlite, "other")

    async with asyncio.TaskGroup() as group:
        group.create_task(again_and_again())
        await asyncio.sleep(0.1)
        group.create_task(once())
        await other.wait()
        await asyncio.sleep(0.5)  # by now they stand in the line
        go.set()
    assert (await names(sqlite))[:3] == ["first", "other", "again 0"]


async def test_who_gives_up_holds_nobody_up(sqlite: Database) -> None:
    never = asyncio.Event()
    writing = asyncio.create_task(put(sqlite, "writing", until=never))
    await asyncio.sleep(0.1)
    waiting = [asyncio.create_task(put(sqlite, name)) for name in ("waiting", "gone", "last")]
    await asyncio.sleep(0.1)
    waiting[1].cancel()
    writing.cancel()
    async with asyncio.timeout(5):
        await asyncio.gather(writing, *waiting, return_exceptions=True)
    assert set(await names(sqlite)) == {"waiting", "last"}


async def test_a_change_that_fails_lets_the_next_one_write(sqlite: Database) -> None:
    await put(sqlite, "one")
    with pytest.raises(IntegrityError):
        await put(sqlite, "one")
    async with asyncio.timeout(5):
        await put(sqlite, "two")
    assert await names(sqlite) == ["one", "two"]


async def test_who_waits_for_themselves_is_told(sqlite: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(core_db, "BUSY_TIMEOUT_MS", 100)
    async with sqlite.sessions.begin() as db:
        await db.execute(insert(ApiKeyRow).values(id="a", name="a", scopes="", created_at=NOW))
        with pytest.raises(OperationalError, match="locked"):
            await put(sqlite, "inside")
    await put(sqlite, "after")
    assert await names(sqlite) == ["a", "after"]


@pytest.mark.parametrize(
    ("url", "driver"),
    [
        ("sqlite:////tmp/x.db", "sqlite+aiosqlite"),
        ("postgresql://u@h/d", "postgresql+asyncpg"),
        ("postgresql+psycopg://u@h/d", "postgresql+asyncpg"),
    ],
)
def test_a_url_gets_its_asynchronous_driver(url: str, driver: str) -> None:
    assert async_url(url).drivername == driver


def test_another_database_is_refused() -> None:
    with pytest.raises(ValueError, match="not supported"):
        async_url("mysql://h/d")
