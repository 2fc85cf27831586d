"""Whose sessions somebody may see the lines of: their own, those of whom they supervise, or all."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.people import Person
from accounts.roles import Role
from core.ids import UserId
from counseling import supervision


@dataclass(frozen=True, slots=True)
class Oversight:
    """``counselors`` None: everybody's, and sessions that no counselor of ours has."""

    counselors: frozenset[UserId] | None

    def covers(self, counselor: UserId | None) -> bool:
        """Whether a session of this counselor may be seen; None: one that a program made."""
        return self.counselors is None or counselor in self.counselors


ALL = Oversight(None)


async def of(db: AsyncSession, *, person: Person, day: date) -> Oversight:
    """Say whose sessions somebody may see on a day."""
    if Role.ADMIN in person.roles:
        return ALL
    seen: set[UserId] = set()
    if Role.COUNSELOR in person.roles:
        seen.add(person.id)
    if Role.SUPERVISOR in person.roles:
        seen |= {one.counselor for one in await supervision.of_supervisor(db, supervisor=person.id, day=day)}
    return Oversight(frozenset(seen))
