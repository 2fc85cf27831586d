"""What a client says of being recorded before a session, and whether a question in the room reaches them.

Two things are kept apart. Whether the question fits a talk (``fits``) follows from what its counselor knows
too. Whether it reaches the client (``reaches``) follows from their answer, and is for nobody to see.
"""

from __future__ import annotations

import enum
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from core.errors import InvalidState
from counseling.entry import Medium
from counseling.preparation import Occasion, begun, of_talk, write_down
from counseling.triage import Risk
from counseling.walkin_states import Alone
from counseling.way_tables import TalkRow, WalkinRow


class Asking(enum.StrEnum):
    """Whether the recording question is asked now."""

    YES = "yes"
    FIRST_ALONE = "first_alone"
    """Only once the client has said that they are alone."""
    NO = "no"


def asks_recording(occasion: Occasion, *, adult: bool | None) -> Asking:
    """Say whether the recording question is asked: of adults, alone, at no risk, and not in person."""
    if not adult or occasion.risk is not Risk.NONE or occasion.medium is Medium.IN_PERSON:
        return Asking.NO
    if occasion.alone is None:
        return Asking.FIRST_ALONE
    return Asking.YES if occasion.alone is Alone.YES else Asking.NO


async def keep(
    db: AsyncSession, audit: Audit, *, occasion: Occasion, client: Person, answer: bool | None, now: datetime
) -> None:
    """Keep the answer to the recording question. Raises ``InvalidState`` where it is not asked."""
    if asks_recording(occasion, adult=client.adult) is Asking.NO:
        raise InvalidState("This is not asked now.")
    row = await begun(db, occasion, now)
    row.recording = answer
    await write_down(db, audit, row, "recording", now)


async def answer_of(db: AsyncSession, *, talk: str) -> bool | None:
    """Give the answer for a talk; None where there is none, or where it would not be asked any more."""
    found = await of_talk(db, talk=talk)
    return found.recording if found is not None and await fits(db, talk=talk) else None


async def fits(db: AsyncSession, *, talk: str) -> bool:
    """Whether the question fits a talk: no risk was seen, and nobody listens, as far as anybody asked."""
    walkin = await _walkin_of(db, talk)
    return walkin is None or (walkin.risk == Risk.NONE.value and walkin.alone == Alone.YES.value)


async def reaches(db: AsyncSession, *, talk: str) -> bool:
    """Whether a question in the room reaches the client: not after a no.

    Nor where they did not answer for an appointment: then nobody knows that they are alone.
    """
    answer = await answer_of(db, talk=talk)
    if answer is not None:
        return answer
    return await _walkin_of(db, talk) is not None and await fits(db, talk=talk)


async def _walkin_of(db: AsyncSession, talk: str) -> WalkinRow | None:
    found: WalkinRow | None = await db.scalar(
        select(WalkinRow)
        .join(TalkRow, TalkRow.walkin_id == WalkinRow.id)
        .where(TalkRow.id == talk)
        .execution_options(populate_existing=True)
    )
    return found
