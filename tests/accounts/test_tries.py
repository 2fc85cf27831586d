"""Ten tries a day for each look-up part, then one an hour; many at once count as many."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from accounts import tries
from accounts.auth_tables import TryRow
from accounts.tries import RECOVERY, Tries, next_try
from core.db import Database
from core.errors import TooMany

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.mark.parametrize(
    ("count", "since_first", "since_last", "free"),
    [
        (0, 0 * HOUR, 0 * HOUR, True),
        (9, HOUR, 0 * HOUR, True),
        (10, HOUR, 0.9 * HOUR, False),
        (10, 2 * HOUR, HOUR, True),
        (15, 20 * HOUR, 0.5 * HOUR, False),
        (15, 24 * HOUR, 0.1 * HOUR, True),
    ],
)
def test_ten_a_day_and_then_one_an_hour(
    count: int, since_first: timedelta, since_last: timedelta, free: bool
) -> None:
    before = Tries(count, NOW - since_first, NOW - since_last)
    if free:
        assert next_try(before, RECOVERY, NOW).last_at == NOW
    else:
        with pytest.raises(TooMany):
            next_try(before, RECOVERY, NOW)


def test_it_says_when_it_is_free_again() -> None:
    with pytest.raises(TooMany) as refused:
        next_try(Tries(10, NOW - 23.5 * HOUR, NOW), RECOVERY, NOW)
    assert refused.value.retry_after_s == 1800


async def take(database: Database, subject: str, now: datetime = NOW) -> None:
    async with database.sessions.begin() as db:
        await tries.take(db, subject=subject, limit=RECOVERY, now=now)


async def test_the_eleventh_try_is_refused_and_another_subject_is_not(database: Database) -> None:
    for _ in range(10):
        await take(database, "a" * 64)
    with pytest.raises(TooMany):
        await take(database, "a" * 64)
    await take(database, "b" * 64)
    await take(database, "a" * 64, NOW + HOUR)


async def test_many_at_once_count_as_many(database: Database) -> None:
    done = await asyncio.gather(*(take(database, "a" * 64) for _ in range(25)), return_exceptions=True)
    assert sum(one is None for one in done) == 10
    assert sum(isinstance(one, TooMany) for one in done) == 15


async def test_a_right_try_clears_the_wrong_ones_and_old_ones_are_forgotten(database: Database) -> None:
    for _ in range(10):
        await take(database, "a" * 64)
    async with database.sessions.begin() as db:
        await tries.clear(db, subject="a" * 64)
    await take(database, "a" * 64)
    async with database.sessions.begin() as db:
        await tries.prune(db, now=NOW + timedelta(days=3))
    for _ in range(10):
        await take(database, "a" * 64, NOW)


async def test_five_thousand_behind_one_address_are_each_counted_alone(database: Database) -> None:
    async with database.sessions.begin() as db:
        for number in range(5_000):
            await tries.take(db, subject=f"{number:064}", limit=RECOVERY, now=NOW)


async def test_of_too_many_those_tried_least_are_forgotten(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tries, "MOST_KEPT", 3)
    for _ in range(10):
        await take(database, "a" * 64)
    for number in range(6):
        await take(database, f"{number:064}", NOW + number * timedelta(seconds=1))
    async with database.sessions.begin() as db:
        await tries.prune(db, now=NOW + timedelta(minutes=1))
        kept = set(await db.scalars(select(TryRow.id)))
    assert kept == {"a" * 64, f"{5:064}", f"{4:064}"}
    with pytest.raises(TooMany):
        await take(database, "a" * 64)
