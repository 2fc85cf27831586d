"""Recovery codes: a client's only way back, on another phone, without telling who they are.

20 characters of Crockford's base32: 8 find the account, 12 (60 bits) prove it. What is kept is a keyed
hash of the first and Argon2id of the second. A new code voids the old one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.auth_tables import RecoveryCodeRow
from accounts.codes import Codes, is_code, normal
from core.db import insert_into
from core.ids import UserId

LOOKUP_CHARS: Final = 8
SECRET_CHARS: Final = 12
CHARS: Final = LOOKUP_CHARS + SECRET_CHARS
PURPOSE: Final = "recovery"


@dataclass(frozen=True, slots=True)
class Code:
    """A code as it was typed, in its two parts."""

    lookup: str
    secret: str


@dataclass(frozen=True, slots=True)
class Found:
    """Whose code a look-up part belongs to, and the hash that its secret part must have."""

    user: UserId
    secret_hash: str


def read(typed: str) -> Code | None:
    """Read a code as people type it; None when it cannot be one."""
    text = normal(typed)
    return Code(text[:LOOKUP_CHARS], text[LOOKUP_CHARS:]) if is_code(text, CHARS) else None


def new_code(codes: Codes, *, user: UserId, once: str) -> Code:
    """Make a person's code; the same form gives the same one."""
    text = codes.make(PURPOSE, f"{user}|{once}", CHARS)
    return Code(text[:LOOKUP_CHARS], text[LOOKUP_CHARS:])


def subject(codes: Codes, code: Code) -> str:
    """Name what is tried: the look-up part, whether it exists or not."""
    return codes.hash(PURPOSE, code.lookup)


async def keep(
    db: AsyncSession, codes: Codes, *, user: UserId, code: Code, secret_hash: str, now: datetime
) -> None:
    """Keep a person's code in place of the former one; ``secret_hash`` is Argon2id of its secret part.

    Raises ``sqlalchemy.exc.IntegrityError`` should another's look-up part be the same (1 in 2**40).
    """
    values = {"lookup_hash": subject(codes, code), "secret_hash": secret_hash, "created_at": now}
    await db.execute(
        insert_into(db, RecoveryCodeRow)
        .values(user_id=user, **values)
        .on_conflict_do_update(index_elements=["user_id"], set_=values)
    )


async def find(db: AsyncSession, codes: Codes, *, code: Code) -> Found | None:
    """Look a code up by its first part; None when there is none. Proves nothing yet."""
    row = (
        await db.execute(
            select(RecoveryCodeRow.user_id, RecoveryCodeRow.secret_hash).where(
                RecoveryCodeRow.lookup_hash == subject(codes, code)
            )
        )
    ).one_or_none()
    return None if row is None else Found(UserId(row.user_id), row.secret_hash)


async def made_at(db: AsyncSession, *, user: UserId) -> datetime | None:
    """Say since when a person has a code; None without one."""
    row = await db.get(RecoveryCodeRow, user, populate_existing=True)
    return None if row is None else row.created_at


async def is_current(db: AsyncSession, codes: Codes, *, user: UserId, code: Code) -> bool:
    """Whether this is the look-up part of the code that counts."""
    row = await db.get(RecoveryCodeRow, user, populate_existing=True)
    return row is not None and row.lookup_hash == subject(codes, code)
