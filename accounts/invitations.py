"""Invitations to the staff: a link that works once, for seven days, and says which roles it gives.

The code (100 bits) stands in the link's fragment, which browsers send to nobody; it is kept as a keyed
hash. Without script the invited person types it. It holds no longer than whoever made it may invite.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.auth_tables import MOST_LABEL_CHARS, InvitationRow
from accounts.codes import Codes, is_code, normal, shown
from accounts.roles import STAFF, Permission, Role
from core.errors import InvalidState
from core.ids import UserId, new_id

LIFE: Final = timedelta(days=7)
CHARS: Final = 20
PURPOSE: Final = "invitation"


class Spent(InvalidState):
    """The invitation was used, revoked, or is too old."""

    code = "spent"


@dataclass(frozen=True, slots=True)
class Invitation:
    """One invitation. ``note`` is the admin's own; ``invited_by`` is None once that admin was erased."""

    id: str
    roles: frozenset[Role]
    note: str
    invited_by: UserId | None
    created_at: datetime
    expires_at: datetime
    revoked_at: datetime | None
    used_at: datetime | None
    used_by: UserId | None

    def holds(self, now: datetime) -> bool:
        """Whether it can still be used."""
        return self.revoked_at is None and self.used_at is None and now < self.expires_at


def path_of(code: str) -> str:
    """Write the link behind the host: the code is in the fragment."""
    return f"/invitation#{shown(code)}"


async def create(
    db: AsyncSession,
    codes: Codes,
    *,
    roles: Iterable[Role],
    note: str,
    by: UserId,
    once: str,
    now: datetime,
) -> tuple[Invitation, str]:
    """Invite somebody; gives the code too, which is shown once. ``once`` is the form's one-time number."""
    given = frozenset(roles)
    if not given or not given <= STAFF:
        raise ValueError("staff have roles of staff")
    code = code_of(codes, by=by, once=once)
    row = InvitationRow(
        id=new_id("i"),
        code_hash=codes.hash(PURPOSE, code),
        roles=" ".join(sorted(given)),
        note=note[:MOST_LABEL_CHARS],
        invited_by=by,
        created_at=now,
        expires_at=now + LIFE,
        revoked_at=None,
        used_at=None,
        used_by=None,
    )
    db.add(row)
    await db.flush()
    return _invitation(row), code


def code_of(codes: Codes, *, by: UserId, once: str) -> str:
    """Give the code of the invitation that this form made; sent twice, it is the same one."""
    return codes.make(PURPOSE, f"{by}|{once}", CHARS)


async def find(db: AsyncSession, codes: Codes, *, typed: str, now: datetime) -> Invitation | None:
    """Look an invitation up by its code as it is typed; None when there is none that holds."""
    code = normal(typed)
    if not is_code(code, CHARS):
        return None
    row = (
        await db.execute(select(InvitationRow).where(InvitationRow.code_hash == codes.hash(PURPOSE, code)))
    ).scalar_one_or_none()
    found = None if row is None else _invitation(row)
    return found if found is not None and found.holds(now) and await _stands(db, found.invited_by) else None


async def use(db: AsyncSession, *, invitation: str, user: UserId, now: datetime) -> None:
    """Use an invitation up. Raises ``Spent``; of two at once one gets it."""
    inviter = await db.scalar(select(InvitationRow.invited_by).where(InvitationRow.id == invitation))
    if inviter is not None:  # held before the invitation, in the order in which an account is closed
        await people.hold(db, users=[UserId(inviter)])
    taken = await db.scalar(
        update(InvitationRow)
        .where(
            InvitationRow.id == invitation,
            InvitationRow.used_at.is_(None),
            InvitationRow.revoked_at.is_(None),
            InvitationRow.expires_at > now,
        )
        .values(used_at=now, used_by=user)
        .returning(InvitationRow.id)
    )
    if taken is None or not await _stands(db, None if inviter is None else UserId(inviter)):
        raise Spent("This invitation holds no more.")


async def revoke(db: AsyncSession, *, invitation: str, now: datetime) -> None:
    """Take an invitation back, unless it was used."""
    await db.execute(
        update(InvitationRow)
        .where(
            InvitationRow.id == invitation,
            InvitationRow.used_at.is_(None),
            InvitationRow.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )


async def revoke_all(db: AsyncSession, *, by: UserId, now: datetime) -> None:
    """Take back all that somebody made and nobody used."""
    await db.execute(
        update(InvitationRow)
        .where(
            InvitationRow.invited_by == by,
            InvitationRow.used_at.is_(None),
            InvitationRow.revoked_at.is_(None),
        )
        .values(revoked_at=now)
    )


async def every(db: AsyncSession, *, most: int = 200) -> list[Invitation]:
    """List invitations, the newest first."""
    rows = await db.scalars(
        select(InvitationRow).order_by(InvitationRow.created_at.desc(), InvitationRow.id).limit(most)
    )
    return [_invitation(row) for row in rows]


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as every eraser
    """Forget what an admin noted about the person who used an invitation."""
    await db.execute(update(InvitationRow).where(InvitationRow.used_by == user).values(note=""))


async def _stands(db: AsyncSession, inviter: UserId | None) -> bool:
    """Whether whoever invited may still do so; one who was erased may not."""
    person = None if inviter is None else await people.find(db, user=inviter)
    return person is not None and not person.is_leaving and person.may(Permission.CHANGE_PEOPLE)


def _invitation(row: InvitationRow) -> Invitation:
    return Invitation(
        row.id,
        frozenset(Role(word) for word in row.roles.split()),
        row.note,
        None if row.invited_by is None else UserId(row.invited_by),
        row.created_at,
        row.expires_at,
        row.revoked_at,
        row.used_at,
        None if row.used_by is None else UserId(row.used_by),
    )
