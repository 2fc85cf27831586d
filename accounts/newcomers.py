"""Newcomers: a person's newer logins, which each older browser shows until somebody there says "seen"."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import logins
from accounts.auth_tables import LoginSeenRow
from accounts.logins import Login, Stage
from core.db import insert_into


async def unseen(db: AsyncSession, *, login: Login, now: datetime) -> list[Login]:
    """List the person's other logins that came after this one and were not acknowledged here."""
    others = [
        one
        for one in await logins.of(db, user=login.user, now=now)
        if one.id != login.id and one.stage is Stage.FULL and one.created_at >= login.created_at
    ]
    if not others:
        return []
    row = await db.get(LoginSeenRow, login.id, populate_existing=True)
    return others if row is None else [one for one in others if one.created_at > row.until]


async def acknowledge(db: AsyncSession, *, login: Login, now: datetime) -> None:
    """Note that whoever has this login has seen all that came up to now."""
    await db.execute(
        insert_into(db, LoginSeenRow)
        .values(login_id=login.id, until=now)
        .on_conflict_do_update(index_elements=["login_id"], set_={"until": now})
    )
