"""Admins: one always stays, and each of them hears of a new one, and of who may be no colleague."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
from accounts.people import Person
from accounts.roles import Role
from core.errors import InvalidState
from core.ids import UserId


class NoAdmin(InvalidState):
    """Nobody would be left who can let others in."""

    code = "no_admin"


async def require_one(db: AsyncSession) -> None:
    """Raise ``NoAdmin`` unless an account of an admin is open, after a change and before its commit."""
    if not await people.with_role(db, role=Role.ADMIN):
        raise NoAdmin("There would be no admin left.")


async def tell_of_new(db: AsyncSession, *, but: Collection[UserId], now: datetime) -> None:
    """Tell all admins but these that somebody was made one: a thief would be too."""
    told = [one.id for one in await people.with_role(db, role=Role.ADMIN) if one.id not in but]
    await notices.post_all(db, users=told, kind="admin_new", now=now)


async def tell_of_tries(db: AsyncSession, *, person: Person, now: datetime) -> None:
    """Tell all admins, and the person, that somebody knew the password and no second factor."""
    told = [one.id for one in await people.with_role(db, role=Role.ADMIN) if one.id != person.id]
    await notices.post_all(db, users=told, kind="factor_tried", places={"name": person.name}, now=now)
    await notices.post(db, user=person.id, kind="factor_tried_own", now=now)
