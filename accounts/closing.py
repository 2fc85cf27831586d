"""Closing a staff member's account: all that it opens ends with it. One admin always stays."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import invitations, logins, people
from accounts.roles import Role
from core.errors import InvalidState
from core.ids import UserId


class NoAdmin(InvalidState):
    """Nobody would be left who can let others in."""

    code = "no_admin"


async def close(db: AsyncSession, *, user: UserId, now: datetime) -> None:
    """Close an account: its logins end, and whom it invited can come no more."""
    await people.hold(db, users=[user])
    await people.disable(db, user=user, at=now)
    await logins.end_all(db, user=user)
    await invitations.revoke_all(db, by=user, now=now)


async def require_admin(db: AsyncSession) -> None:
    """Raise ``NoAdmin`` unless an account of an admin is open, after a change and before its commit."""
    if not await people.with_role(db, role=Role.ADMIN):
        raise NoAdmin("There would be no admin left.")
