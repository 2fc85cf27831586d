"""An invitation works once, for seven days, and gives the roles it says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from accounts import invitations, people
from accounts.codes import Codes, normal
from accounts.invitations import Invitation, Spent
from accounts.people import Person
from accounts.roles import Role
from core.db import Database

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CODES = Codes(bytes(32))


async def admin(database: Database) -> Person:
    async with database.sessions.begin() as db:
        return await people.create_staff(db, name="Sri", language="id", roles=[Role.ADMIN], now=NOW)


async def invite(database: Database, by: Person, once: str = "a") -> tuple[Invitation, str]:
    async with database.sessions.begin() as db:
        return await invitations.create(
            db, CODES, roles=[Role.COUNSELOR, Role.SUPERVISOR], note="Bima", by=by.id, once=once, now=NOW
        )


async def find(database: Database, code: str, now: datetime = NOW) -> Invitation | None:
    async with database.sessions() as db:
        return await invitations.find(db, CODES, typed=code, now=now)


async def test_it_is_found_by_its_code_for_seven_days(database: Database) -> None:
    made, code = await invite(database, await admin(database))
    assert await find(database, code.upper()) == made
    assert made.roles == {Role.COUNSELOR, Role.SUPERVISOR}
    assert await find(database, code, NOW + timedelta(days=7)) is None
    assert await find(database, code[:-1]) is None
    path, _, fragment = invitations.path_of(code).partition("#")
    assert path == "/invitation"
    assert normal(fragment) == code


async def test_it_is_used_once(database: Database) -> None:
    by = await admin(database)
    made, code = await invite(database, by)
    async with database.sessions.begin() as db:
        await invitations.use(db, invitation=made.id, user=by.id, now=NOW)
    assert await find(database, code) is None
    with pytest.raises(Spent):
        async with database.sessions.begin() as db:
            await invitations.use(db, invitation=made.id, user=by.id, now=NOW)
    async with database.sessions() as db:
        (listed,) = await invitations.every(db)
    assert (listed.used_by, listed.used_at) == (by.id, NOW)


async def test_a_revoked_one_opens_nothing(database: Database) -> None:
    made, code = await invite(database, await admin(database))
    async with database.sessions.begin() as db:
        await invitations.revoke(db, invitation=made.id, now=NOW)
    assert await find(database, code) is None


async def test_nobody_is_invited_to_be_a_client(database: Database) -> None:
    by = await admin(database)
    for roles in ([], [Role.CLIENT]):
        with pytest.raises(ValueError, match="roles of staff"):
            async with database.sessions.begin() as db:
                await invitations.create(db, CODES, roles=roles, note="", by=by.id, once="a", now=NOW)


async def test_who_is_erased_is_not_named_by_the_invitation(database: Database) -> None:
    by = await admin(database)
    made, _ = await invite(database, by)
    async with database.sessions.begin() as db:
        await invitations.use(db, invitation=made.id, user=by.id, now=NOW)
        await invitations.erase(db, user=by.id, now=NOW)
        (listed,) = await invitations.every(db)
        assert listed.note == ""
