"""Ten backup codes, each worth one login."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

from accounts import backup_codes, people
from accounts.codes import Codes, shown
from accounts.roles import Role
from core.db import Database
from core.ids import UserId

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CODES = Codes(bytes(32))


async def staff(database: Database) -> tuple[UserId, list[str]]:
    async with database.sessions.begin() as db:
        made = await people.create_staff(db, name="Sri", language="id", roles=[Role.ADMIN], now=NOW)
        codes = backup_codes.new_codes(CODES, user=made.id, once="a")
        await backup_codes.keep(db, CODES, user=made.id, made=codes, now=NOW)
    return made.id, codes


async def use(database: Database, user: UserId, typed: str) -> bool:
    async with database.sessions.begin() as db:
        return await backup_codes.use(db, CODES, user=user, typed=typed)


async def test_each_counts_once_and_for_its_owner_alone(database: Database) -> None:
    user, codes = await staff(database)
    other, _ = await staff(database)
    assert len(set(codes)) == 10
    assert not await use(database, other, codes[0])
    assert await use(database, user, shown(codes[0], 5))
    assert not await use(database, user, codes[0])
    assert not await use(database, user, "000000")
    async with database.sessions() as db:
        assert await backup_codes.left(db, user=user) == 9


async def test_of_two_at_once_one_gets_it(database: Database) -> None:
    user, codes = await staff(database)
    assert sorted(await asyncio.gather(*(use(database, user, codes[3]) for _ in range(2)))) == [False, True]


async def test_new_ones_void_the_old(database: Database) -> None:
    user, codes = await staff(database)
    async with database.sessions.begin() as db:
        new = backup_codes.new_codes(CODES, user=user, once="b")
        await backup_codes.keep(db, CODES, user=user, made=new, now=NOW)
    assert not await use(database, user, codes[1])
    assert await use(database, user, new[1])
