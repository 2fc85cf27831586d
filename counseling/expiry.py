"""Licences that run out: warnings 60, 30 and 7 days ahead and at the end.

Nothing here closes matching: that follows from the day itself (``matchable``), whether a job ran or not.
"""

from __future__ import annotations

from datetime import date, datetime
from typing import Final

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import notices
from core.ids import UserId
from counseling.queue import SOON
from counseling.register_tables import CounselorRow
from counseling.verification import State

AHEAD_DAYS: Final = (60, 30, 7)
ENDED: Final = 0
MONTHS: Final = {
    "id": [
        "Januari",
        "Februari",
        "Maret",
        "April",
        "Mei",
        "Juni",
        "Juli",
        "Agustus",
        "September",
        "Oktober",
        "November",
        "Desember",
    ],
    "en": [
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
    ],
}


def due_warning(valid_until: date | None, *, today: date, warned: int | None) -> int | None:
    """Say which warning is to be sent now: 60, 30, 7, or 0 for the end; None for none.

    ``warned`` is the last one that was sent. One that was missed is not sent after a later one.
    """
    if valid_until is None:
        return None
    left = (valid_until - today).days
    reached = ENDED if left < 0 else min((days for days in AHEAD_DAYS if left <= days), default=None)
    if reached is None or (warned is not None and warned <= reached):
        return None
    return reached


async def warn(db: AsyncSession, *, today: date, now: datetime) -> int:
    """Send each verified counselor the warning that is due, as a notice; says how many were sent.

    To be done daily; done more often it sends nothing twice.
    """
    found = await db.scalars(
        select(CounselorRow)
        .where(CounselorRow.state == State.VERIFIED.value, CounselorRow.valid_until <= today + SOON)
        .order_by(CounselorRow.user_id)
        .with_for_update()
    )
    sent = 0
    for row in found.all():
        warning = due_warning(row.valid_until, today=today, warned=row.warned_days)
        if warning is None or row.valid_until is None:
            continue
        row.warned_days = warning
        kind = "register_ended" if warning == ENDED else "register_ends"
        left = str(max(0, (row.valid_until - today).days))
        places = {"days": left} | {f"day@{language}": _day(row.valid_until, language) for language in MONTHS}
        await notices.post(db, user=UserId(row.user_id), kind=kind, places=places, now=now)
        sent += 1
    await db.flush()
    return sent


def _day(day: date, language: str) -> str:
    return f"{day.day} {MONTHS[language][day.month - 1]} {day.year}"
