"""With which name and password staff log in. Names are one whatever their case; the hash is Argon2id's."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.auth_tables import MOST_LOGIN_CHARS, PasswordRow
from core.errors import InvalidState, NotFound
from core.ids import UserId

FORM: Final = re.compile(r"[a-z0-9](?:[a-z0-9._@-]*[a-z0-9])")
FEWEST_CHARS: Final = 3


class Taken(InvalidState):
    """Somebody else logs in with this name."""

    code = "taken"


@dataclass(frozen=True, slots=True)
class LoginName:
    """One staff member's name to log in with, and the hash that the password must have."""

    user: UserId
    login: str
    hash: str
    changed_at: datetime


def key_of(login: str) -> str:
    """Give what two spellings of one name have in common; cut, so that it fits the table."""
    return unicodedata.normalize("NFKC", login).strip().casefold()[:MOST_LOGIN_CHARS]


def is_fit(login: str) -> bool:
    """Whether a name may be taken: 3 to 40 letters a to z, digits, and ``._@-`` between them."""
    text = login.strip().lower()
    return FEWEST_CHARS <= len(text) <= MOST_LOGIN_CHARS and FORM.fullmatch(text) is not None


async def keep(db: AsyncSession, *, user: UserId, login: str, hashed: str, now: datetime) -> None:
    """Give a new staff member a name to log in with. Raises ``Taken``; then the transaction is spoilt."""
    if await find(db, login=login) is not None:
        raise Taken("This name is taken.")
    row = PasswordRow(user_id=user, login=login.strip(), login_key=key_of(login), hash=hashed, changed_at=now)
    db.add(row)
    try:
        await db.flush()
    except IntegrityError:  # another one was as quick
        raise Taken("This name is taken.") from None


async def find(db: AsyncSession, *, login: str) -> LoginName | None:
    """Look a name up, in any case."""
    row = (
        await db.execute(select(PasswordRow).where(PasswordRow.login_key == key_of(login)))
    ).scalar_one_or_none()
    return None if row is None else _login_name(row)


async def of(db: AsyncSession, *, user: UserId) -> LoginName:
    """Say with which name somebody logs in. Raises ``NotFound`` for who has none."""
    row = await db.get(PasswordRow, user, populate_existing=True)
    if row is None:
        raise NotFound("This person logs in without a name.")
    return _login_name(row)


async def change(db: AsyncSession, *, user: UserId, hashed: str, now: datetime) -> None:
    """Keep another password's hash."""
    await db.execute(
        update(PasswordRow).where(PasswordRow.user_id == user).values(hash=hashed, changed_at=now)
    )


def _login_name(row: PasswordRow) -> LoginName:
    return LoginName(UserId(row.user_id), row.login, row.hash, row.changed_at)
