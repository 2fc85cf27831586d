"""Who could answer an urgent call at this moment: read for ``urgent``, which decides about it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from counseling import desks, lineup, matching
from counseling.lineup import Rules
from counseling.roster import Roster
from counseling.urgent import Around


async def around(db: AsyncSession, rules: Rules, *, walkin: str, roster: Roster, now: datetime) -> Around:
    """Say who is at an open desk, fits this walk-in and is not in a talk, and who is on duty.

    Somebody who is just being shown another client is among them. Whom the client will not talk to, or who
    does not take people of a group that the client named, is barred, on duty too.
    """
    duty = roster.on_duty(now)
    one = await lineup.one(db, walkin=walkin)
    if one is None:
        return Around()
    free = set(await desks.free(db, now=now))
    there = {
        candidate.counselor: candidate
        for candidate in await lineup.candidates(db, rules.credentials, free_only=False, now=now)
        if candidate.counselor in free and matching.fits(one, candidate)
    }
    chosen = sorted(there)
    await lineup.checked(db, rules, there, chosen, now=now)
    barred = set(one.keeps)
    for user in () if duty is None else (duty.person, duty.deputy):
        if user is not None and one.groups:
            candidate = await lineup.candidate(db, rules.credentials, counselor=user)
            if candidate is not None and not one.groups.isdisjoint(candidate.recusals):
                barred.add(user)
    return Around(tuple(sorted(there)), duty, frozenset(barred))
