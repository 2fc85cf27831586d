"""Lists of the register: what is to be verified, what runs out, everybody. By pages of fifty."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncSession

from counseling import rows
from counseling.entry import Entry
from counseling.register_tables import CounselorRow
from counseling.verification import State

PAGE: Final = 50
SOON: Final = timedelta(days=60)


class View(enum.StrEnum):
    """A list of entries."""

    PENDING = "pending"
    """To be verified, the longest waiting first."""
    EXPIRING = "expiring"
    """Verified, and the licence ends within 60 days or has ended; the next first."""
    ALL = "all"
    """Everybody's who began one, by name."""


async def page(db: AsyncSession, *, view: View, today: date, number: int = 1) -> tuple[list[Entry], bool]:
    """List a page of entries, counted from 1; and say whether there is another behind it."""
    wanted = _listed(select(CounselorRow), view, today)
    match view:
        case View.PENDING:
            wanted = wanted.order_by(CounselorRow.submitted_at, CounselorRow.user_id)
        case View.EXPIRING:
            wanted = wanted.order_by(CounselorRow.valid_until, CounselorRow.user_id)
        case View.ALL:
            wanted = wanted.order_by(CounselorRow.shown_name, CounselorRow.user_id)
    found = (await db.scalars(wanted.offset((number - 1) * PAGE).limit(PAGE + 1))).all()
    return [rows.entry_of(row) for row in found[:PAGE]], len(found) > PAGE


async def counts(db: AsyncSession, *, today: date) -> Mapping[View, int]:
    """Count what stands on each list."""
    found = {}
    for view in View:
        counted = _listed(select(func.count()).select_from(CounselorRow), view, today)
        found[view] = int(await db.scalar(counted) or 0)
    return found


async def verified(db: AsyncSession) -> list[Entry]:
    """Give all verified entries, also those that have run out, by name: what matching begins with."""
    found = await db.scalars(
        select(CounselorRow)
        .where(CounselorRow.state == State.VERIFIED.value)
        .order_by(CounselorRow.shown_name, CounselorRow.user_id)
    )
    return [rows.entry_of(row) for row in found]


def _listed(wanted: Select[Any], view: View, today: date) -> Select[Any]:
    match view:
        case View.PENDING:
            return wanted.where(CounselorRow.state == State.PENDING.value)
        case View.EXPIRING:
            return wanted.where(
                CounselorRow.state == State.VERIFIED.value, CounselorRow.valid_until <= today + SOON
            )
        case View.ALL:
            return wanted
