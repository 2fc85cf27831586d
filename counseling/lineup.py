"""The line as the rule of matching sees it: who waits and who is there, in a few narrow queries.

With a thousand waiting a turn has milliseconds, so what costs more (a counselor's whole standing, their
caseload) is asked only of those whom the rule has chosen; who does not stand the check is left out and
the rule is asked again. Nor is everybody read: the line comes piece by piece from its head, and of many free
counselors first those whose turn it is. Both give what the rule would say of all.
"""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, bindparam, exists, func, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import UserId
from counseling import appointment_lists, desks, exclusions, matching, walkin_states
from counseling.credentials import Credentials
from counseling.matching import Candidate, Match, Reason, Waiting
from counseling.register_tables import CounselorRow
from counseling.triage import Risk
from counseling.verification import State as Verification
from counseling.walkin_states import State
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

FIRST: Final = 50
MORE: Final = 500
"""How many who wait are read at first, and then at once."""
FEW: Final = 3 * IN_ONE_TURN
"""How many free counselors are read at first: those whose last talk is longest ago."""

KEPT_FOR: Final = timedelta(minutes=15)
"""Whose next appointment begins sooner is offered nobody new."""

SECOND_BEST: Final = frozenset({Reason.OTHER_TOPIC, Reason.OTHER_REGION, Reason.AGAIN})
"""With these reasons somebody else could have been better."""

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

_TALKING: Final = exists().where(TalkRow.counselor_id == DeskRow.counselor_id, TalkRow.ended_at.is_(None))
_SHOWN: Final = exists().where(WalkinRow.offered_to == DeskRow.counselor_id)
_LAST_TALK: Final = (
    select(func.max(TalkRow.begun_at))
    .where(TalkRow.counselor_id == DeskRow.counselor_id)
    .scalar_subquery()
    .label("last")
)
_AT_DESKS: Final = (
    select(*_ENTRY, or_(_TALKING, _SHOWN), _LAST_TALK)
    .join(DeskRow, DeskRow.counselor_id == CounselorRow.user_id)
    .where(
        CounselorRow.state == Verification.VERIFIED.value,
        DeskRow.open_since.is_not(None),
        DeskRow.seen_at >= bindparam("since"),
    )
    .order_by(_LAST_TALK.nulls_first(), CounselorRow.user_id)
)


async def one(db: AsyncSession, *, walkin: str) -> Waiting | None:
    """Give one walk-in that is open, whoever it is offered to."""
    found = await _waiting(db, WalkinRow.id == walkin, WalkinRow.ended_at.is_(None))
    return found[0] if found else None


async def candidates(
    db: AsyncSession,
    credentials: Credentials,
    *,
    among: Collection[UserId] | None = None,
    free_only: bool = True,
    most: int | None = None,
    now: datetime,
) -> list[Candidate]:
    """List counselors at open desks, or those of them in ``among``; whose last talk is longest ago first.

    Whether clients may be sent to them today is not asked here (``checked``).
    """
    asked = _AT_DESKS.limit(most)
    if free_only:
        asked = asked.where(~_TALKING, ~_SHOWN)
    if among is not None:
        asked = asked.where(CounselorRow.user_id.in_(among))
    return [_candidate(credentials, row) for row in await db.execute(asked, {"since": now - desks.PRESENT})]


async def candidate(db: AsyncSession, credentials: Credentials, *, counselor: UserId) -> Candidate | None:
    """Give one counselor as the rule sees them, wherever they are; None for somebody without an entry."""
    asked = select(*_ENTRY).where(CounselorRow.user_id == counselor)
    row = (await db.execute(asked)).one_or_none()
    return None if row is None else _candidate(credentials, (*row, False, None))


async def paired(db: AsyncSession, rules: Rules, *, now: datetime) -> list[Match]:
    """Pair who waits with who is free, each counselor checked; the urgent among them too."""
    few = await candidates(db, rules.credentials, most=FEW, now=now)
    if not few:
        return []
    are_all = len(few) < FEW
    found, whole = await _paired(db, rules, few, are_all=are_all, now=now)
    if whole or are_all:
        return found
    everybody = await candidates(db, rules.credentials, now=now)
    return (await _paired(db, rules, everybody, are_all=True, now=now))[0]


async def _paired(
    db: AsyncSession, rules: Rules, free: Sequence[Candidate], *, are_all: bool, now: datetime
) -> tuple[list[Match], bool]:
    """Pair the line with these, piece by piece; and say whether nobody else could have been better.

    ``are_all``: nobody else is free.
    """
    there = {one.counselor: one for one in free}
    found: list[Match] = []
    whole, last, many = True, None, FIRST
    while len(found) < IN_ONE_TURN and any(one.free for one in there.values()):
        some = _takeable(there.values(), are_all=are_all, now=now)
        people = await _piece(db, some, last, many, now)
        wanted = {one.prefers for one in people if one.prefers is not None} - there.keys()
        if wanted:
            more = await candidates(db, rules.credentials, among=wanted, free_only=False, now=now)
            there |= {one.counselor: one for one in more}
            # Whoever was passed over before could have been theirs.
            whole = whole and not any(one.free for one in more)
        most = IN_ONE_TURN - len(found)
        matches = await _settled(db, rules, people, there, most=most, now=now)
        for match in matches:
            there[match.counselor] = replace(there[match.counselor], free=False)
            whole = whole and SECOND_BEST.isdisjoint(match.reasons)
        found += matches
        whole = whole and (len(matches) == len(people) or len(found) == IN_ONE_TURN)
        if len(people) < many:
            return found, whole
        last, many = people[-1], MORE
    return found, whole and len(found) == IN_ONE_TURN


async def _settled(
    db: AsyncSession,
    rules: Rules,
    people: Sequence[Waiting],
    there: dict[UserId, Candidate],
    *,
    most: int,
    now: datetime,
) -> list[Match]:
    """Ask the rule until everybody whom it chooses has been checked."""
    asked: set[UserId] = set()
    while True:
        found = matching.pairs(people, there.values(), now=now, most=most)
        fresh = {match.counselor for match in found} - asked
        if not fresh:
            return found
        asked |= fresh
        await checked(db, rules, there, sorted(fresh), now=now)


async def _piece(
    db: AsyncSession, some: ColumnElement[bool], last: Waiting | None, many: int, now: datetime
) -> list[Waiting]:
    """Read who waits and is there, behind ``last``."""
    return await _waiting(
        db,
        WalkinRow.state == State.WAITING.value,
        WalkinRow.seen_at >= now - walkin_states.PRESENT,
        WalkinRow.ended_why.is_(None),
        some,
        *([] if last is None else [_behind(last)]),
        many=many,
    )


def _takeable(there: Iterable[Candidate], *, are_all: bool, now: datetime) -> ColumnElement[bool]:
    """Ask for those whom one of the free ones could take, as far as a query can tell.

    Whom somebody would rather talk to needs no topic; where these are not all who are free, that one may be
    one of the others.
    """
    free = [one for one in there if one.free]
    prefers = WalkinRow.prefers_id
    return or_(
        prefers.in_([one.counselor for one in free]) if are_all else prefers.is_not(None),
        and_(
            WalkinRow.language.in_({word for one in free for word in one.languages}),
            WalkinRow.medium.in_({word for one in free for word in one.media}),
            or_(
                WalkinRow.topic.in_({word for one in free for word in one.topics}),
                WalkinRow.asked_at <= now - matching.TOPIC_FOR,
                WalkinRow.risk == Risk.URGENT.value,
            ),
        ),
    )


def _behind(last: Waiting) -> ColumnElement[bool]:
    """Ask for who stands behind somebody, as ``matching.in_order`` puts them."""
    later = or_(
        WalkinRow.asked_at > last.asked_at,
        and_(WalkinRow.asked_at == last.asked_at, WalkinRow.id > last.walkin),
    )
    if last.risk is Risk.URGENT:
        return or_(WalkinRow.risk != Risk.URGENT.value, later)
    return and_(WalkinRow.risk != Risk.URGENT.value, later)


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
    soon = await appointment_lists.soon(db, now=now, within=KEPT_FOR)
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


async def _waiting(db: AsyncSession, *which: ColumnElement[bool], many: int = 1) -> list[Waiting]:
    asked = (
        select(*_WAITING)
        .where(*which)
        .order_by(WalkinRow.risk != Risk.URGENT.value, WalkinRow.asked_at, WalkinRow.id)
        .limit(many)
    )
    rows = (await db.execute(asked)).all()
    apart = await exclusions.apart(db, clients=[UserId(row.client_id) for row in rows]) if rows else {}
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
