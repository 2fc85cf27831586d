"""Backup codes: ten for the day on which the second factor is not at hand, each worth one login."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.auth_tables import BackupCodeRow
from accounts.codes import Codes, is_code, normal
from core.ids import UserId

COUNT: Final = 10
CHARS: Final = 10  # 50 bits
PURPOSE: Final = "backup"


def new_codes(codes: Codes, *, user: UserId, once: str) -> list[str]:
    """Make ten codes; the same form makes the same ones."""
    return [codes.make(PURPOSE, f"{user}|{once}|{number}", CHARS) for number in range(COUNT)]


async def keep(db: AsyncSession, codes: Codes, *, user: UserId, made: list[str], now: datetime) -> None:
    """Keep these codes in place of all former ones."""
    await db.execute(delete(BackupCodeRow).where(BackupCodeRow.user_id == user))
    rows = [{"user_id": user, "code_hash": _hash(codes, user, code), "created_at": now} for code in made]
    await db.execute(insert(BackupCodeRow), rows)


async def use(db: AsyncSession, codes: Codes, *, user: UserId, typed: str) -> bool:
    """Use a code up; say whether it was one. Of two at once one gets it."""
    code = normal(typed)
    if not is_code(code, CHARS):
        return False
    used = await db.scalar(
        delete(BackupCodeRow)
        .where(BackupCodeRow.user_id == user, BackupCodeRow.code_hash == _hash(codes, user, code))
        .returning(BackupCodeRow.user_id)
    )
    return used is not None


async def left(db: AsyncSession, *, user: UserId) -> int:
    """Count the codes that were not used."""
    count = select(func.count()).select_from(BackupCodeRow).where(BackupCodeRow.user_id == user)
    return await db.scalar(count) or 0


def _hash(codes: Codes, user: UserId, code: str) -> str:
    return codes.hash(PURPOSE, f"{user}|{code}")
