"""The e-mail address that a person may give: for letters without content, sealed under their own key.

The first letter asks whether it is theirs, by a code; before somebody answers, none other goes there. So
nobody has letters written to a stranger, and whoever mistyped an address tells nobody more than once.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.notice_tables import ContactRow
from accounts.subjects import Subjects
from core.ids import UserId
from core.mail import check_address
from core.sealing import seal, unseal

CONFIRM_WITHIN: Final = timedelta(days=7)


async def keep_email(
    db: AsyncSession, subjects: Subjects, *, user: UserId, email: str, code_hash: str, now: datetime
) -> None:
    """Keep a person's address instead of a former one, to be confirmed by the code with this hash.

    Raises ``BadAddress`` and ``KeyGone``.
    """
    plain = check_address(email).encode()
    key = await subjects.key_of(db, subject=user)
    await db.execute(delete(ContactRow).where(ContactRow.user_id == user))
    db.add(
        ContactRow(
            user_id=user,
            email=seal(key, plain, about=_about(user)),
            at=now,
            confirm_hash=code_hash,
            confirmed_at=None,
            letter_at=now,
        )
    )
    await db.flush()


async def confirm_email(db: AsyncSession, *, code_hash: str, now: datetime) -> UserId | None:
    """Note that an address is its person's, for whoever opened the letter; None for a code of nobody's.

    A second time changes nothing, and is fine.
    """
    user = await db.scalar(
        update(ContactRow)
        .where(ContactRow.confirm_hash == code_hash, ContactRow.at > now - CONFIRM_WITHIN)
        .values(confirmed_at=func.coalesce(ContactRow.confirmed_at, now))
        .returning(ContactRow.user_id)
    )
    return None if user is None else UserId(user)


async def is_confirmed(db: AsyncSession, *, user: UserId) -> bool:
    """Whether a person's address was confirmed."""
    found = select(ContactRow.confirmed_at).where(ContactRow.user_id == user)
    return await db.scalar(found) is not None


async def email_of(db: AsyncSession, subjects: Subjects, *, user: UserId) -> str | None:
    """Give a person's address, for that person; None when there is none."""
    return (await emails_of(db, subjects, users=[user])).get(user)


async def emails_of(db: AsyncSession, subjects: Subjects, *, users: Sequence[UserId]) -> dict[UserId, str]:
    """Give the addresses there are, to write to them and for nothing else."""
    rows = await db.execute(select(ContactRow.user_id, ContactRow.email).where(ContactRow.user_id.in_(users)))
    sealed = {UserId(user): email for user, email in rows}
    keys = await subjects.keys_of(db, subjects=list(sealed))
    return {
        user: unseal(key, sealed[user], about=_about(user)).decode()
        for user, key in keys.items()
        if key is not None
    }


async def forget_email(db: AsyncSession, *, user: UserId) -> None:
    """Delete a person's address; one that is not there is fine."""
    await db.execute(delete(ContactRow).where(ContactRow.user_id == user))


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Delete a person's address."""
    await forget_email(db, user=user)


def _about(user: UserId) -> str:
    return f"contacts:{user}:email"
