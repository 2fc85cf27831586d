"""Reports of the way in: how long people waited, who was answered, why they were matched, where they left.

Counts and durations only; no id leaves, and small groups are kept back (``tallies``). What happens before the
line is not counted: nobody's steps on the front page are followed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from counseling.message_tables import MessageRow
from counseling.tallies import Tally, Times, tally, times
from counseling.triage import Risk
from counseling.urgent_tables import AlarmRow, AlarmStepRow
from counseling.walkin_states import Ended
from counseling.walkins import RETENTION
from counseling.way_tables import TalkRow, WalkinRow

PERIODS: Final = (7, 30, RETENTION.days)
"""Days that one may look back: as long as walk-ins are kept."""
WENT: Final = frozenset({Ended.LEFT, Ended.QUICK_EXIT, Ended.ABSENT})
PATIENCE_MIN: Final = (2, 5, 10)
"""Bounds of how long people had waited when they left, in minutes."""


@dataclass(frozen=True, slots=True)
class Report:
    """One period.

    The words are those of ``walkin_states.Ended`` (and `open`), ``matching.Reason``, ``urgent.State``,
    ``urgent.Kind`` and ``patience``; of the promises `kept` and `late`.
    """

    outcomes: Tally
    topics: Tally
    waited: Times | None
    waited_urgent: Times | None
    left_after: Tally
    media: Tally
    reasons: Tally
    alarms: Tally
    steps: Tally
    promises: Tally
    answered: Times | None


async def over(db: AsyncSession, *, since: datetime) -> Report:
    """Count what was asked, begun and answered since a moment."""
    asked = (
        await db.execute(
            select(WalkinRow.ended_why, WalkinRow.topic, WalkinRow.asked_at, WalkinRow.ended_at).where(
                WalkinRow.asked_at >= since
            )
        )
    ).all()
    begun = (
        await db.execute(
            select(TalkRow.medium, TalkRow.reasons, TalkRow.begun_at, WalkinRow.asked_at, WalkinRow.risk)
            .outerjoin(WalkinRow, WalkinRow.id == TalkRow.walkin_id)
            .where(TalkRow.begun_at >= since)
        )
    ).all()
    waits = [(row.risk, row.begun_at - row.asked_at) for row in begun if row.asked_at is not None]
    left = [row.ended_at - row.asked_at for row in asked if row.ended_at and row.ended_why in WENT]
    alarms = (await db.scalars(select(AlarmRow.state).where(AlarmRow.raised_at >= since))).all()
    steps = await db.execute(
        select(AlarmStepRow.alarm_id, AlarmStepRow.kind).where(AlarmStepRow.at >= since).distinct()
    )
    answers = (
        await db.execute(
            select(MessageRow.owed_since, MessageRow.due_at, MessageRow.at).where(
                MessageRow.at >= since, MessageRow.owed_since.is_not(None)
            )
        )
    ).all()
    return Report(
        outcomes=tally(Counter(row.ended_why or "open" for row in asked)),
        topics=tally(Counter(row.topic for row in asked)),
        waited=times(_seconds(wait for risk, wait in waits if risk != Risk.URGENT.value)),
        waited_urgent=times(_seconds(wait for risk, wait in waits if risk == Risk.URGENT.value)),
        left_after=tally(Counter(map(patience, left))),
        media=tally(Counter(row.medium for row in begun)),
        reasons=tally(Counter(reason for row in begun for reason in row.reasons)),
        alarms=tally(Counter(alarms)),
        steps=tally(Counter(row.kind for row in steps)),
        promises=tally(
            Counter("kept" if row.at <= row.due_at else "late" for row in answers if row.due_at is not None)
        ),
        answered=times(_seconds(row.at - row.owed_since for row in answers)),
    )


def patience(waited: timedelta) -> str:
    """Name how long somebody had waited when they left."""
    for bound in PATIENCE_MIN:
        if waited < timedelta(minutes=bound):
            return f"under_{bound}"
    return "later"


def _seconds(durations: Iterable[timedelta]) -> list[float]:
    return [one.total_seconds() for one in durations]
