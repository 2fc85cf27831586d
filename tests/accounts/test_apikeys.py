from __future__ import annotations

import pytest

from accounts import apikeys
from accounts.apikeys import ALL_SCOPES, Scope
from core.db import Database
from core.errors import NotFound
from core.ids import ApiKeyId
from tests.fakes import FakeClock


async def test_a_key_is_found_with_what_it_may_do(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        made = await apikeys.create(
            db, name="booking", scopes=frozenset({Scope.READ, Scope.END}), now=clock.now()
        )
    async with database.sessions() as db:
        found = await apikeys.find(db, key=made.id)
    assert found == made
    assert found.scopes == {Scope.READ, Scope.END}
    assert found.revoked_at is None


async def test_keys_are_listed_oldest_first(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        for name in ("first", "second", "third"):
            await apikeys.create(db, name=name, now=clock.now())
            clock.advance(1)
        assert [key.name for key in await apikeys.every(db)] == ["first", "second", "third"]


async def test_a_revoked_key_stays_revoked_at_its_first_time(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        made = await apikeys.create(db, name="old", now=clock.now())
    began = clock.now()
    for _ in range(2):
        async with database.sessions.begin() as db:
            await apikeys.revoke(db, key=made.id, now=clock.now())
        clock.advance(60)
    async with database.sessions() as db:
        found = await apikeys.find(db, key=made.id)
    assert found is not None
    assert found.revoked_at == began
    assert found.scopes == ALL_SCOPES


async def test_a_key_that_is_not_there_cannot_be_revoked(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        with pytest.raises(NotFound):
            await apikeys.revoke(db, key=ApiKeyId("k_none"), now=clock.now())
        assert await apikeys.find(db, key=ApiKeyId("k_none")) is None
