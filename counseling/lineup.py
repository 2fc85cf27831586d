"""The line as the rule of matching sees it: who waits and who is there, in a few narrow queries.

With a thousand waiting a turn has milliseconds, so what costs more (a counselor's whole standing, their
caseload) is asked only of those whom the rule has chosen; who does not stand the check is left out and
the rule is asked again.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import UserId
from counseling import appointments, desks, exclusions, matching, walkins
from counseling.credentials import Credentials
from counseling.matching import Candidate, Match, Waiting
from counseling.register_tables import CounselorRow
from counseling.triage import Risk
from counseling.verification import State as Verification
from counseling.walkins import State
from counseling.way_tables import DeskRow, TalkRow, WalkinRow


class Mode(enum.StrEnum):
    """How a client comes to a counselor (``TEDUH_MATCHING``)."""

    ACCEPT = "accept"
    ASSIGNED = "assigned"


@dataclass(frozen=True, slots=True)
class Rules:
    """What a service goes by: its kinds of credential, its day, how clients come to counselors."""

    credentials: Credentials
    zone: ZoneInfo
    mode: Mode = Mode.ACCEPT

    def today(self, now: datetime) -> date:
        """Say which day it is in the service's time zone."""
        return now.astimezone(self.zone).date()


IN_ONE_TURN: Final = 20
"""How many are paired at once: the rest a moment later, so that calls on this machine never wait."""

KEPT_FOR: Final = timedelta(minutes=15)
"""Whose next appointment begins sooner is offered nobody new."""

_WAITING: Final = (
    WalkinRow.id,
    WalkinRow.client_id,
    WalkinRow.language,
    WalkinRow.topic,
    WalkinRow.medium,
    WalkinRow.risk,
    WalkinRow.adult,
    WalkinRow.region,
    WalkinRow.prefers_id,
    WalkinRow.waits_for_preferred,
    WalkinRow.passed,
    WalkinRow.asked_at,
    WalkinRow.offered_at,
)

_ENTRY: Final = (
    CounselorRow.user_id,
    CounselorRow.languages,
    CounselorRow.topics,
    CounselorRow.media,
    CounselorRow.kind,
    CounselorRow.minors,
    CounselorRow.licence_region,
    CounselorRow.recusals,
)


async def waiting(db: AsyncSession, *, now: datetime) -> list[Waiting]:
    """List who waits and is there, the longest waiting first."""
    return await _waiting(
        db,
        WalkinRow.state == State.WAITING.value,
        WalkinRow.seen_at >= now - walkins.PRESENT,
        WalkinRow.ended_why.is_(None),
    )


async def one(db: AsyncSession, *, walkin: str) -> Waiting | None:
    """Give one walk-in that is open, whoever it is offered to."""
    found = await _waiting(db, WalkinRow.id == walkin, WalkinRow.ended_at.is_(None))
    return found[0] if found else None


async def candidates(
    db: AsyncSession,
    credentials: Credentials,
    *,
    besides: Collection[UserId] = (),
    free_only: bool = True,
    now: datetime,
) -> list[Candidate]:
    """List counselors at open desks who are free, and of the others those named in ``besides``.

    Whether clients may be sent to them today is not asked here (``checked``).
    """
    talking = exists().where(TalkRow.counselor_id == DeskRow.counselor_id, TalkRow.ended_at.is_(None))
    shown = exists().where(WalkinRow.offered_to == DeskRow.counselor_id)
    busy = or_(talking, shown).label("busy")
    last = (
        select(func.max(TalkRow.begun_at))
        .where(TalkRow.counselor_id == DeskRow.counselor_id)
        .scalar_subquery()
        .label("last")
    )
    asked = (
        select(*_ENTRY, busy, last)
        .join(DeskRow, DeskRow.counselor_id == CounselorRow.user_id)
        .where(
            CounselorRow.state == Verification.VERIFIED.value,
            DeskRow.open_since.is_not(None),
            DeskRow.seen_at >= now - desks.PRESENT,
        )
    )
    if free_only:
        asked = asked.where(or_(~(talking | shown), CounselorRow.user_id.in_(besides)))
    return [_candidate(credentials, row) for row in await db.execute(asked)]


async def candidate(db: AsyncSession, credentials: Credentials, *, counselor: UserId) -> Candidate | None:
    """Give one counselor as the rule sees them, wherever they are; None for somebody without an entry."""
    asked = select(*_ENTRY).where(CounselorRow.user_id == counselor)
    row = (await db.execute(asked)).one_or_none()
    return None if row is None else _candidate(credentials, (*row, False, None))


async def paired(db: AsyncSession, rules: Rules, *, now: datetime) -> list[Match]:
    """Pair who waits with who is free, each counselor checked; the urgent among them too."""
    if not await desks.free(db, now=now):
        return []
    people = await waiting(db, now=now)
    if not people:
        return []
    wanted = {one.prefers for one in people if one.prefers is not None}
    there = {one.counselor: one for one in await candidates(db, rules.credentials, besides=wanted, now=now)}
    asked: set[UserId] = set()
    while True:
        found = matching.pairs(people, there.values(), now=now, most=IN_ONE_TURN)
        fresh = {match.counselor for match in found} - asked
        if not fresh:
            return found
        asked |= fresh
        await checked(db, rules, there, sorted(fresh), now=now)


async def checked(
    db: AsyncSession,
    rules: Rules,
    there: dict[UserId, Candidate],
    chosen: Sequence[UserId],
    *,
    now: datetime,
) -> None:
    """Take out those to whom nobody may be sent today, and note who takes nobody new.

    Whoever has an appointment in a moment is kept for it, but for somebody in danger.
    """
    soon = await appointments.soon(db, now=now, within=KEPT_FOR)
    able = await desks.able(db, rules.credentials, counselors=chosen, today=rules.today(now), now=now)
    for counselor in chosen:
        one = able.get(counselor)
        if one is None:
            del there[counselor]
        else:
            kept = counselor in soon
            there[counselor] = replace(
                there[counselor],
                full=kept or not one.places,
                clients=frozenset[UserId]() if kept else one.caseload,
            )


async def _waiting(db: AsyncSession, *which: ColumnElement[bool]) -> list[Waiting]:
    rows = (await db.execute(select(*_WAITING).where(*which).order_by(WalkinRow.asked_at))).all()
    if not rows:
        return []
    apart = await exclusions.apart_in_line(db)
    return [_seen(row, apart.get(UserId(row.client_id), exclusions.NOBODY)) for row in rows]


def _seen(row: Any, apart: exclusions.Apart) -> Waiting:  # noqa: ANN401  # a row of the columns above
    return Waiting(
        walkin=row.id,
        client=UserId(row.client_id),
        language=row.language,
        topic=row.topic,
        medium=row.medium,
        risk=Risk(row.risk),
        adult=row.adult,
        region=row.region,
        prefers=None if row.prefers_id is None else UserId(row.prefers_id),
        waits_for_preferred=row.waits_for_preferred,
        passed=frozenset(row.passed),
        asked_at=row.asked_at,
        last_offer=row.offered_at,
        keeps=apart.counselors,
        groups=apart.groups,
    )


def _candidate(credentials: Credentials, row: Sequence[Any]) -> Candidate:
    user, languages, topics, media, kind_key, minors, region, recusals, busy, last = row
    kind = credentials.kind(kind_key)
    return Candidate(
        counselor=UserId(user),
        languages=frozenset(languages),
        topics=frozenset(topics),
        media=frozenset(media),
        risks=frozenset() if kind is None else kind.risk,
        minors=minors and kind is not None and kind.minors,
        region=region,
        recusals=frozenset(map(exclusions.folded, recusals)),
        free=not busy,
        last_talk=last,
    )
