"""Closing a staff member's account: all that it opens ends with it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import invitations, logins, people
from core.ids import UserId


async def close(db: AsyncSession, *, user: UserId, now: datetime) -> None:
    """Close an account: its logins end, and whom it invited can come no more."""
    await people.hold(db, users=[user])
    await people.disable(db, user=user, at=now)
    await logins.end_all(db, user=user)
    await invitations.revoke_all(db, by=user, now=now)
