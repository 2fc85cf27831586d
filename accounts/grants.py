"""Grants: leave to look at what is somebody's, for a stated purpose and a short while.

A function that reads something sensitive takes a ``Grant`` as its second argument and calls
``grant.require(...)``. There is one way to come by a grant, ``give``, and it writes the audit row in the
same transaction: a forgotten check is a type error, not a leak.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import InitVar, dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Permission
from accounts.trust_tables import GrantRow
from core.errors import Forbidden, InvalidInput, Misfit
from core.ids import UserId, new_id

MIN_PURPOSE_CHARS: Final = 3
MAX_PURPOSE_CHARS: Final = 200
MINUTES: Final = 15
MAX_MINUTES: Final = 24 * 60

FIXED: Final[Mapping[Permission, tuple[str, ...]]] = {
    Permission.HANDLE_COMPLAINTS: ("read", "look_into", "answer", "check"),
}
"""Purposes to choose from, where words of one's own would tell admins what is sealed from them."""

_HERE: Final = object()


@dataclass(frozen=True, slots=True)
class Grant:
    """One grant. Only ``give`` and ``current`` make it; ``object_id`` None is all of this kind."""

    id: str
    person: UserId
    permission: Permission
    subject: UserId | None
    object_id: str | None
    purpose: str
    expires_at: datetime
    made: InitVar[object]

    def __post_init__(self, made: object) -> None:
        """Refuse to be made elsewhere."""
        if made is not _HERE:
            raise TypeError("a grant is made by accounts.grants.give")

    def require(
        self, permission: Permission, subject: UserId | None, now: datetime, *, object_id: str | None = None
    ) -> None:
        """Raise ``Forbidden`` unless this grant is for that, for this person, and still holds."""
        if self.permission is not permission or self.subject != subject:
            raise Forbidden("This grant is for something else.")
        if self.object_id is not None and self.object_id != object_id:
            raise Forbidden("This grant is for something else.")
        if now >= self.expires_at:
            raise Forbidden("This grant has ended: say again what you need it for.")


async def give(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    permission: Permission,
    subject: UserId | None,
    purpose: str,
    now: datetime,
    minutes: int = MINUTES,
    object_id: str | None = None,
) -> Grant:
    """Give a grant and write it down. ``subject`` None is for what concerns nobody in particular.

    Raises ``Forbidden`` when the person's roles do not permit it, ``InvalidInput`` without a purpose, or
    with one of their own words where it is to be chosen (``FIXED``).
    """
    if person.is_leaving or not person.may(permission):
        raise Forbidden("This is not open to you.")
    if not 0 < minutes <= MAX_MINUTES:
        raise ValueError("a grant lasts for minutes, not for days")
    told = fit_purpose(purpose)
    if told not in FIXED.get(permission, (told,)):
        raise InvalidInput("Choose what it is for.", [Misfit("/purpose", "one of those there are")])
    seq = await audit.append(
        db,
        tag="grant:give",
        actor=person.id,
        subject=subject,
        object_id=object_id,
        detail={"permission": permission.value, "purpose": told, "minutes": minutes},
        now=now,
    )
    row = GrantRow(
        id=new_id("g"),
        person_id=person.id,
        permission=permission.value,
        subject_id=subject,
        object_id=object_id,
        audit_seq=seq,
        expires_at=now + timedelta(minutes=minutes),
    )
    db.add(row)
    await db.flush()
    return _grant(row, told)


def fit_purpose(purpose: str) -> str:
    """Take a purpose as typed, in one line. Raises ``InvalidInput`` when it says too little or too much."""
    told = " ".join(purpose.split())
    if not MIN_PURPOSE_CHARS <= len(told) <= MAX_PURPOSE_CHARS:
        raise InvalidInput(
            "Say in 3 to 200 characters what it is for.",
            [Misfit("/purpose", f"{MIN_PURPOSE_CHARS} to {MAX_PURPOSE_CHARS} characters")],
        )
    return told


async def current(
    db: AsyncSession,
    audit: Audit,
    *,
    person: Person,
    permission: Permission,
    subject: UserId | None,
    now: datetime,
    object_id: str | None = None,
) -> Grant | None:
    """Find a grant that was given before and still holds; None asks for a purpose first."""
    if person.is_leaving or not person.may(permission):
        return None
    row = (
        await db.scalars(
            select(GrantRow)
            .where(
                GrantRow.person_id == person.id,
                GrantRow.permission == permission.value,
                GrantRow.subject_id.is_(None) if subject is None else GrantRow.subject_id == subject,
                or_(GrantRow.object_id.is_(None), GrantRow.object_id == object_id),
                GrantRow.expires_at > now,
            )
            .order_by(GrantRow.expires_at.desc())
            .limit(1)
        )
    ).one_or_none()
    if row is None:
        return None
    purpose = await audit.purpose(db, seq=row.audit_seq)
    return None if purpose is None else _grant(row, purpose)


async def end(
    db: AsyncSession, *, permission: Permission, object_id: str, person: UserId | None = None
) -> None:
    """End grants for one thing before their time, one person's or everybody's; that they were given stays."""
    mine = [] if person is None else [GrantRow.person_id == person]
    await db.execute(
        delete(GrantRow).where(
            GrantRow.permission == permission.value, GrantRow.object_id == object_id, *mine
        )
    )


async def stands(db: AsyncSession, *, grant: str) -> bool:
    """Whether a grant was not ended before its time."""
    return await db.get(GrantRow, grant, populate_existing=True) is not None


async def prune(db: AsyncSession, *, now: datetime) -> None:
    """Delete what does not hold any more; that it was given stays in the audit."""
    await db.execute(delete(GrantRow).where(GrantRow.expires_at <= now))


async def erase(db: AsyncSession, *, user: UserId, now: datetime) -> None:  # noqa: ARG001  # as erasers are
    """Delete the grants of a person, and those about them."""
    await db.execute(delete(GrantRow).where(or_(GrantRow.person_id == user, GrantRow.subject_id == user)))


def _grant(row: GrantRow, purpose: str) -> Grant:
    return Grant(
        row.id,
        UserId(row.person_id),
        Permission(row.permission),
        None if row.subject_id is None else UserId(row.subject_id),
        row.object_id,
        purpose,
        row.expires_at,
        _HERE,
    )
