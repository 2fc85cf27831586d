from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from sqlalchemy import column, insert, select, table
from sqlalchemy.exc import StatementError

from accounts.tables import ApiKeyRow
from core.db import Database, async_url


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


async def test_a_foreign_key_holds(database: Database) -> None:
    places = table("participants", *map(column, ("id", "session_id", "position", "role", "name", "state")))
    async with database.sessions() as db:
        with pytest.raises(Exception, match=r"(?i)constraint|null"):
            await db.execute(
                insert(places).values(id="p", session_id="none", position=0, role="client", name="", state="")
            )
        await db.rollback()
        assert (await db.execute(select(places.c.id))).all() == []


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
