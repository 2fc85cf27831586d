"""Where each client stands in the line; how many wait and how many are there, read once for all who ask.

From the crowd each client's wait is said as a range. It is at most ``FRESH_S`` old: that others left a second
ago changes no range worth telling. What is a client's own is read when it is asked.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from sqlalchemy import exists, or_, select
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import UserId
from counseling import desks, waits, walkin_states
from counseling.register_tables import CounselorRow
from counseling.triage import Risk
from counseling.verification import State as Verification
from counseling.waits import Range
from counseling.walkin_states import Ended, State
from counseling.way_tables import DeskRow, TalkRow, WalkinRow

FRESH_S: Final = 2.0
LAST_TALKS: Final = 50
USUAL_FRESH_S: Final = 300.0


@dataclass(frozen=True, slots=True)
class Wish:
    """What the length of a wait depends on: the language to talk in, and the medium."""

    language: str
    medium: str


@dataclass(frozen=True, slots=True)
class InLine:
    """Where one client stands. ``held``: they left by the quick exit, and the place is kept."""

    state: State
    urgent: bool
    held: bool
    wish: Wish


@dataclass(frozen=True, slots=True)
class Crowd:
    """One reading. ``before`` counts, for each who waits, those before them in the same language."""

    waiting: int = 0
    before: Mapping[UserId, int] = field(default_factory=dict)
    last: Mapping[str, int] = field(default_factory=dict)
    """How many wait in each language: all of them are before somebody who has just come."""
    free: Mapping[Wish, int] = field(default_factory=dict)
    there: Mapping[Wish, int] = field(default_factory=dict)
    talk_s: float | None = None

    def wait(self, client: UserId, wish: Wish) -> Range | None:
        """Say how long a client waits; None where nobody can say."""
        return waits.wait(
            before=self.before.get(client, self.last.get(wish.language, 0)),
            free=self.free.get(wish, 0),
            there=self.there.get(wish, 0),
            talk_s=self.talk_s,
        )


@dataclass(slots=True)
class CrowdReader:
    """Keeps the last reading of one service. ``forget`` after something has changed."""

    _last: Crowd | None = None
    _until_s: float = 0.0
    _talk_s: float | None = None
    _talk_until_s: float = 0.0

    def forget(self) -> None:
        """Have the next one who asks read anew."""
        self._last = None

    async def read(self, db: AsyncSession, *, now: datetime, now_s: float) -> Crowd:
        """Give the crowd; ``now_s`` is a monotonic time in seconds."""
        if self._last is None or now_s >= self._until_s:
            if now_s >= self._talk_until_s:
                self._talk_s = waits.usual_s(await _lengths_s(db))
                self._talk_until_s = now_s + USUAL_FRESH_S
            self._last = await _read(db, self._talk_s, now)
            self._until_s = now_s + FRESH_S
        return self._last


async def standing(db: AsyncSession, *, client: UserId | None = None) -> Mapping[UserId, InLine]:
    """Say where each client with an open walk-in stands, or this one alone."""
    asked = select(
        WalkinRow.client_id,
        WalkinRow.state,
        WalkinRow.risk,
        WalkinRow.ended_why,
        WalkinRow.language,
        WalkinRow.medium,
    ).where(WalkinRow.ended_at.is_(None))
    if client is not None:
        asked = asked.where(WalkinRow.client_id == client)
    return {
        UserId(user): InLine(
            State(state), risk == Risk.URGENT.value, why == Ended.QUICK_EXIT.value, Wish(language, medium)
        )
        for user, state, risk, why, language, medium in await db.execute(asked)
    }


async def _read(db: AsyncSession, talk_s: float | None, now: datetime) -> Crowd:
    in_line = await db.execute(
        select(WalkinRow.client_id, WalkinRow.language)
        .where(
            WalkinRow.state.in_([State.WAITING.value, State.OFFERED.value]),
            WalkinRow.seen_at >= now - walkin_states.PRESENT,
            WalkinRow.ended_why.is_(None),
        )
        .order_by(WalkinRow.risk != Risk.URGENT.value, WalkinRow.asked_at, WalkinRow.id)
    )
    last: Counter[str] = Counter()
    before: dict[UserId, int] = {}
    for client, language in in_line:
        before[UserId(client)] = last[language]
        last[language] += 1
    busy = or_(
        exists().where(TalkRow.counselor_id == DeskRow.counselor_id, TalkRow.ended_at.is_(None)),
        exists().where(WalkinRow.offered_to == DeskRow.counselor_id),
    )
    sitting = await db.execute(
        select(CounselorRow.languages, CounselorRow.media, busy)
        .join(DeskRow, DeskRow.counselor_id == CounselorRow.user_id)
        .where(
            CounselorRow.state == Verification.VERIFIED.value,
            DeskRow.open_since.is_not(None),
            DeskRow.seen_at >= now - desks.PRESENT,
        )
    )
    free: Counter[Wish] = Counter()
    there: Counter[Wish] = Counter()
    for languages, media, is_busy in sitting:
        for wish in {Wish(language, medium) for language in languages for medium in media}:
            there[wish] += 1
            free[wish] += not is_busy
    return Crowd(len(before), before, last, free, there, talk_s)


async def _lengths_s(db: AsyncSession) -> list[float]:
    """Measure the last talks that came from the line."""
    rows = await db.execute(
        select(TalkRow.begun_at, TalkRow.ended_at)
        .join(WalkinRow, WalkinRow.id == TalkRow.walkin_id)
        .where(
            WalkinRow.state == State.ENDED.value,
            WalkinRow.ended_why == Ended.TALKED.value,
            TalkRow.ended_at.is_not(None),
        )
        .order_by(WalkinRow.asked_at.desc())
        .limit(LAST_TALKS)
    )
    return [(ended - begun).total_seconds() for begun, ended in rows if ended is not None]
