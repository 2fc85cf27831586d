"""Sessions that have ended, as their lines were, the newest first: what leads to their reports."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from core.ids import SessionId, UserId
from counseling.oversight import Oversight
from media.codecs import Mode
from signaling.directory import Role
from signaling.summaries import EndedWhy
from signaling.tables import ParticipantRow, SessionRow, SummaryRow


@dataclass(frozen=True, slots=True)
class Talked:
    """One session; ``client`` and ``counselor`` None where no login opened their place."""

    id: SessionId
    began_at: datetime
    medium: Mode
    client: UserId | None
    counselor: UserId | None
    minutes: float
    interruptions: int
    longest_gap_ms: int
    ended_why: EndedWhy


async def lately(db: AsyncSession, *, oversight: Oversight, past: int, most: int) -> list[Talked]:
    """List sessions that somebody may see, but for the newest ``past`` of them.

    A client who asked to be erased is gone at once, with the sessions.
    """
    which = select(SessionRow.id, SessionRow.started_at, SummaryRow.counselor_id, ParticipantRow.user_id)
    which = (
        which.join(SummaryRow, SummaryRow.session_id == SessionRow.id)
        .join(ParticipantRow, ParticipantRow.id == SummaryRow.participant_id)
        .where(
            SummaryRow.role == Role.CLIENT.value,
            or_(ParticipantRow.user_id.is_(None), ParticipantRow.user_id.not_in(people.leaving())),
            or_(SummaryRow.counselor_id.is_(None), ParticipantRow.user_id.is_not(None)),
        )
        .order_by(SummaryRow.hour.desc(), SessionRow.started_at.desc(), SessionRow.id)
        .offset(past)
        .limit(most)
    )
    if oversight.counselors is not None:
        which = which.where(SummaryRow.counselor_id.in_(sorted(oversight.counselors)))
    found = (await db.execute(which)).all()
    sides = await _sides(db, [row.id for row in found])
    return [
        _talked(
            sides[row.id],
            row.started_at,
            client=None if row.user_id is None else UserId(row.user_id),
        )
        for row in found
    ]


async def _sides(db: AsyncSession, sessions: Sequence[str]) -> dict[str, list[SummaryRow]]:
    rows = await db.scalars(select(SummaryRow).where(SummaryRow.session_id.in_(sessions)))
    sides: dict[str, list[SummaryRow]] = {}
    for row in rows:
        sides.setdefault(row.session_id, []).append(row)
    return sides


def _talked(sides: Sequence[SummaryRow], began_at: datetime, *, client: UserId | None) -> Talked:
    one = sides[0]
    return Talked(
        SessionId(one.session_id),
        began_at,
        Mode(one.medium),
        client,
        None if one.counselor_id is None else UserId(one.counselor_id),
        one.minutes,
        sum(side.interruptions for side in sides),
        max(side.longest_gap_ms for side in sides),
        EndedWhy(one.ended_why),
    )
