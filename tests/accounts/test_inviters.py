"""An invitation holds no longer than whoever made it may invite."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from sqlalchemy import delete

from accounts import admins, closing, invitations, logins, people
from accounts.codes import Codes
from accounts.invitations import Spent
from accounts.logins import Stage
from accounts.people import Person
from accounts.roles import Role
from accounts.tables import UserRow
from core.db import Database
from core.errors import InvalidState

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)
CODES = Codes(bytes(32))


async def make(database: Database, *roles: Role) -> Person:
    async with database.sessions.begin() as db:
        return await people.create_staff(db, name="Sri", language="id", roles=roles, now=NOW)


async def invite(database: Database, by: Person) -> tuple[str, str]:
    """Invite an admin; gives the invitation's id and its code."""
    async with database.sessions.begin() as db:
        made, code = await invitations.create(
            db, CODES, roles=[Role.ADMIN], note="", by=by.id, once=by.id, now=NOW
        )
    return made.id, code


async def opens(database: Database, invitation: str, code: str) -> bool:
    """Whether it can be read and used; both must say the same."""
    someone = await make(database, Role.COUNSELOR)
    async with database.sessions() as db:
        found = await invitations.find(db, CODES, typed=code, now=NOW) is not None
    try:
        async with database.sessions.begin() as db:
            await invitations.use(db, invitation=invitation, user=someone.id, now=NOW)
    except Spent:
        assert not found
        return False
    assert found
    return True


async def test_who_may_invite_no_more_has_invited_nobody(database: Database) -> None:
    closed, lowered, leaving, gone, still = [await make(database, Role.ADMIN) for _ in range(5)]
    made = {one.id: await invite(database, one) for one in (closed, lowered, leaving, gone, still)}
    async with database.sessions.begin() as db:
        await people.disable(db, user=closed.id, at=NOW)
        await people.set_roles(db, user=lowered.id, roles=[Role.COUNSELOR])
        await people.leave(db, user=leaving.id, at=NOW)
        await db.execute(delete(UserRow).where(UserRow.id == gone.id))
    for one in (closed, lowered, leaving, gone):
        assert not await opens(database, *made[one.id])
    assert await opens(database, *made[still.id])


async def test_a_closed_account_has_no_logins_and_no_invitations_also_when_it_is_opened_again(
    database: Database,
) -> None:
    one, other = await make(database, Role.ADMIN), await make(database, Role.ADMIN)
    mine, theirs = await invite(database, one), await invite(database, other)
    async with database.sessions.begin() as db:
        await logins.open_login(
            db, person=one, token="t" * 40, stage=Stage.FULL, device="x", own_phone=False, now=NOW
        )
        await closing.close(db, user=one.id, now=NOW)
        assert await logins.of(db, user=one.id, now=NOW) == []
        assert (await people.get(db, user=one.id)).disabled_at == NOW
        await people.disable(db, user=one.id, at=None)
    assert not await opens(database, *mine)
    assert await opens(database, *theirs)


async def test_an_invitation_that_is_used_as_its_maker_is_closed_waits_for_that(database: Database) -> None:
    maker, someone = await make(database, Role.ADMIN), await make(database, Role.COUNSELOR)
    invitation, _ = await invite(database, maker)

    async def use() -> None:
        async with database.sessions.begin() as db:
            await invitations.use(db, invitation=invitation, user=someone.id, now=NOW)

    async with database.sessions.begin() as db:
        await closing.close(db, user=maker.id, now=NOW)
        using = asyncio.create_task(use())
        await asyncio.sleep(0.2)
        assert not using.done()
    with pytest.raises(Spent):
        await using


async def test_there_is_always_an_open_admin(database: Database) -> None:
    one, other = await make(database, Role.ADMIN), await make(database, Role.ADMIN)
    async with database.sessions.begin() as db:
        await closing.close(db, user=one.id, now=NOW)
        await admins.require_one(db)

    async def lower() -> None:
        async with database.sessions.begin() as db:
            await people.set_roles(db, user=other.id, roles=[Role.OFFICER])
            await admins.require_one(db)

    with pytest.raises(InvalidState, match="no admin"):
        await lower()
    async with database.sessions() as db:
        assert [person.id for person in await people.with_role(db, role=Role.ADMIN)] == [other.id]
