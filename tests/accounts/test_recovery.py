"""A recovery code finds and proves one client; a new one voids the old."""

from __future__ import annotations

from datetime import UTC, datetime

from accounts import people, recovery
from accounts.codes import Codes, shown
from core.db import Database
from core.ids import UserId

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CODES = Codes(bytes(32))


async def client(database: Database) -> UserId:
    async with database.sessions.begin() as db:
        made = await people.create_client(db, name="Embun Tenang", language="id", adult=True, now=NOW)
    return made.id


def test_a_code_has_eight_and_twelve_characters() -> None:
    code = recovery.new_code(CODES, user=UserId("u_1"), once="once")
    assert (len(code.lookup), len(code.secret)) == (8, 12)
    assert recovery.read(shown(code.lookup + code.secret)) == code
    assert recovery.read(shown(code.lookup + code.secret)[:-1]) is None


async def test_a_new_code_voids_the_old(database: Database) -> None:
    user = await client(database)
    old, new = (recovery.new_code(CODES, user=user, once=once) for once in ("a", "b"))
    for code in (old, new):
        async with database.sessions.begin() as db:
            await recovery.keep(db, CODES, user=user, code=code, secret_hash=f"hash {code.secret}", now=NOW)
    async with database.sessions() as db:
        assert await recovery.find(db, CODES, code=old) is None
        found = await recovery.find(db, CODES, code=new)
        assert found == recovery.Found(user, f"hash {new.secret}")
        assert await recovery.made_at(db, user=user) == NOW
        assert await recovery.is_current(db, CODES, user=user, code=new)
        assert not await recovery.is_current(db, CODES, user=user, code=old)


async def test_who_has_no_code_has_none(database: Database) -> None:
    user = await client(database)
    async with database.sessions() as db:
        assert await recovery.made_at(db, user=user) is None
