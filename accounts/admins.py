"""Admins: one always stays, and each of them hears of a new one."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices, people
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
