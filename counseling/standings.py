"""Where counselors stand today: what ``matchable.why_not`` asks, read for many at once in a few queries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.people import Person
from accounts.roles import Permission
from core.ids import UserId
from counseling import ethics, supervision
from counseling.entry import Entry
from counseling.matchable import Standing


async def standings(
    db: AsyncSession, *, entries: Sequence[Entry], today: date
) -> dict[UserId, tuple[Person, Standing]]:
    """Say of each entry whose it is and where it stands. A supervisor counts who still works here.

    Entries of people who are gone are left out.
    """
    users = [entry.user for entry in entries]
    above = await supervision.supervisors(db, counselors=users, day=today)
    others = {supervisor for some in above.values() for supervisor in some} - set(users)
    found = await people.find_all(db, users=[*users, *sorted(others)])
    persons = {person.id: person for person in found}
    signed = await ethics.newest(db, users=users)
    needed = await ethics.needed(db)
    return {
        entry.user: (
            persons[entry.user],
            Standing(
                entry=entry,
                working=_works(persons[entry.user], Permission.OWN_REGISTER),
                ethics_signed=signed.get(entry.user),
                ethics_needed=needed,
                supervised=any(
                    supervisor in persons and _works(persons[supervisor], Permission.SEE_SUPERVISED)
                    for supervisor in above.get(entry.user, ())
                ),
            ),
        )
        for entry in entries
        if entry.user in persons
    }


def _works(person: Person, permission: Permission) -> bool:
    return person.may(permission) and not person.is_leaving
