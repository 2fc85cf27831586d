"""Whatever is clicked, lost and restarted, in whatever order: one client, one counselor.

Every schedule runs over several connections at once: its steps are dealt to three of them, each of which does
its own in order while the others do theirs. What may go wrong by being late (somebody else was first) is
an error that the person is told; anything else fails the test.
"""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.audit import Audit
from accounts.people import Person
from core.db import Database
from core.errors import InvalidState
from counseling import desks, line, talks, walkins
from counseling.entry import Medium
from counseling.lineup import Mode
from counseling.triage import Triage
from counseling.walkin_states import Ended, State
from counseling.way_tables import TalkRow, WalkinRow
from tests.counseling.lines import URGENT, Line
from tests.fakes import FakeClock

CLIENTS = 4
COUNSELORS = 3
HANDS = 3
WHAT = (
    "ask",
    "ask urgently",
    "leave",
    "quick exit",
    "seen",
    "desk seen",
    "close desk",
    "turn",
    "turn",
    "accept",
    "accept",
    "accept anybody",
    "pass",
    "end",
    "nobody comes",
    "begin",
    "depart",
    "time",
    "long time",
    "restart",
)
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large]
STEPS = st.lists(
    st.tuples(
        st.integers(0, HANDS - 1),
        st.sampled_from(WHAT),
        st.integers(0, CLIENTS - 1),
        st.integers(0, COUNSELORS - 1),
    ),
    min_size=4,
    max_size=40,
)
Steps = list[tuple[int, str, int, int]]


@dataclass
class Story:
    """A service that things happen to, over several connections at once."""

    url: str
    mode: Mode
    clock: FakeClock = field(default_factory=FakeClock)
    clients: list[Person] = field(default_factory=list)
    counselors: list[Person] = field(default_factory=list)
    hands: list[Line] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)

    async def begin(self) -> None:
        """Have everybody there, and some waiting already."""
        self.hands = [self._hand() for _ in range(HANDS)]
        for number in range(COUNSELORS):
            self.counselors.append(await self.hands[0].counselor(f"K{number}"))
        for number in range(CLIENTS):
            self.clients.append(await self.hands[0].client(f"E{number}"))

    def _hand(self) -> Line:
        return Line(Database(self.url), self.clock, self.mode)

    async def close(self) -> None:
        """End all connections."""
        for hand in self.hands:
            await hand.database.close()

    async def live(self, steps: Steps) -> None:
        """Do all steps, each hand its own in order, at the same time."""
        await asyncio.gather(
            *(self._do_all([step for step in steps if step[0] == hand]) for hand in range(HANDS))
        )

    async def _do_all(self, steps: Steps) -> None:
        for hand, what, client, counselor in steps:
            try:
                await self.do(hand, what, self.clients[client], self.counselors[counselor])
            except InvalidState as error:
                self.refused[error.code] += 1

    async def do(self, hand: int, what: str, client: Person, counselor: Person) -> None:
        """Do one thing, over this hand's connection."""
        one = self.hands[hand]
        match what:
            case "ask" | "ask urgently":
                await one.ask(client, triage=Triage() if what == "ask" else URGENT)
            case "leave" | "quick exit" | "accept" | "accept anybody" | "pass":
                await self._with_walkin(one, what, client, counselor)
            case "desk seen":
                await one.open(counselor)
            case "turn":
                await one.turn()
            case "time" | "long time":
                self.clock.advance(20 if what == "time" else 400)
            case "restart":
                self.hands[hand] = self._hand()
                await one.database.close()
            case _:
                async with one.database.sessions.begin() as db:
                    await self._in_one(db, one.audit, what, client, counselor)

    async def _in_one(
        self, db: AsyncSession, audit: Audit, what: str, client: Person, counselor: Person
    ) -> None:
        now = self.clock.now()
        match what:
            case "seen":
                await walkins.seen_all(db, clients=[client.id], now=now)
            case "close desk":
                await desks.close_desk(db, audit, counselor=counselor.id, now=now)
            case "depart":
                await line.depart(db, audit, user=client.id, now=now)
            case "end" | "nobody comes":
                talk = await talks.open_of_counselor(db, counselor=counselor.id)
                if talk is not None and what == "end":
                    await line.end_talk(db, audit, person=counselor, talk=talk.id, now=now)
                elif talk is not None:
                    await talks.miss(db, audit, talk=talk.id, now=now)
            case "begin":
                await talks.begin(
                    db,
                    audit,
                    client=client.id,
                    counselor=counselor.id,
                    medium=Medium.VIDEO,
                    reasons=[],
                    now=now,
                )

    async def _with_walkin(self, one: Line, what: str, client: Person, counselor: Person) -> None:
        async with one.database.sessions() as db:
            offered = await line.offer_to(db, counselor=counselor.id, now=self.clock.now())
            asked = await walkins.find_open(db, client=client.id)
        if what in {"accept", "pass"} and offered is not None:
            await (one.accept if what == "accept" else one.pass_on)(counselor, offered)
        if what == "accept anybody" and asked is not None:
            await one.accept(counselor, asked)
        if what in {"leave", "quick exit"} and asked is not None:
            why = Ended.LEFT if what == "leave" else Ended.QUICK_EXIT
            async with one.database.sessions.begin() as db:
                await walkins.leave(db, one.audit, walkin=asked.id, why=why, now=self.clock.now())

    async def check(self) -> None:
        """No two of anything, and walk-ins and talks say the same."""
        async with self.hands[0].database.sessions() as db:
            talking = (await db.scalars(select(TalkRow).where(TalkRow.ended_at.is_(None)))).all()
            asked = (await db.scalars(select(WalkinRow))).all()
        for side in ("client_id", "counselor_id"):
            assert max(Counter(getattr(talk, side) for talk in talking).values(), default=0) <= 1
        still_open = [row for row in asked if row.ended_at is None]
        assert max(Counter(row.client_id for row in still_open).values(), default=0) <= 1
        offers = [row for row in asked if row.offered_to is not None]
        assert {row.state for row in offers} <= {State.OFFERED.value}
        assert len({row.offered_to for row in offers}) == len(offers)
        assert {row.offered_to for row in offers}.isdisjoint({talk.counselor_id for talk in talking})
        assert {row.id for row in still_open if row.state == State.OFFERED.value} == {
            row.id for row in offers
        }
        assert {row.id for row in still_open if row.state == State.TALKING.value} == {
            talk.walkin_id for talk in talking if talk.walkin_id is not None
        }
        waiting = {row.client_id for row in still_open if row.state != State.TALKING.value}
        assert waiting.isdisjoint({talk.client_id for talk in talking})
        assert {row.state == State.ENDED.value for row in asked if row.ended_at is not None} <= {True}


async def tell(url: str, steps: Steps, mode: Mode) -> None:
    """Live through a story, then through what is due long after, and check both."""
    story = Story(url, mode)
    await story.begin()
    try:
        await story.live(steps)
        await story.check()
        assert set(story.refused) <= {"taken", "busy", "absent", "unfit", "invalid_state"}
        story.clock.advance(3_600)
        await story.hands[0].turn()
        await story.check()
    finally:
        await story.close()


@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
@given(steps=STEPS, mode=st.sampled_from(Mode))
def test_any_schedule_on_sqlite(migrated_sqlite: Path, steps: Steps, mode: Mode) -> None:
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "test.db"
        shutil.copy(migrated_sqlite, path)
        asyncio.run(tell(f"sqlite:///{path}", steps, mode))


@settings(max_examples=30, deadline=None, suppress_health_check=SLOW)
@given(steps=STEPS, mode=st.sampled_from(Mode))
def test_any_schedule_on_postgresql(postgres: str, migrated_postgres: str, steps: Steps, mode: Mode) -> None:
    async def run() -> None:
        server = await asyncpg.connect(f"{postgres}/postgres")
        try:
            await server.execute("DROP DATABASE IF EXISTS line_story")
            await server.execute(f"CREATE DATABASE line_story TEMPLATE {migrated_postgres}")
            await tell(f"{postgres}/line_story", steps, mode)
        finally:
            await server.close()

    asyncio.run(run())
