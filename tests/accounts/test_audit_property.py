"""Whatever is appended and erased, in whatever order: the chain verifies, and what may be read is read."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from accounts import people
from accounts.audit import Audit
from accounts.checkpoints import Checkpoint, Checkpoints
from accounts.erasure import WAIT, Erasure
from accounts.people import Person
from accounts.subjects import KeyGone
from accounts.tombstones import tombstones_in
from accounts.verifying import Problem, Verdict, verify
from core.db import Database
from tests.accounts import attacks
from tests.fakes import FakeClock

MASTER = bytes(range(32))
PEOPLE = 3
Steps = list[tuple[str, int, dict[str, str | int | bool] | None]]
SLOW = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
DETAILS = st.dictionaries(
    st.text(min_size=1, max_size=8),
    st.one_of(st.text(max_size=40), st.integers(-(2**53), 2**53), st.booleans()),
    max_size=4,
)
APPEND = st.tuples(st.just("append"), st.integers(-1, PEOPLE - 1), DETAILS)
STEPS = st.lists(
    st.one_of(
        APPEND,
        APPEND,
        APPEND,
        st.tuples(st.sampled_from(["ask", "cancel", "carry out"]), st.integers(0, PEOPLE - 1), st.none()),
        st.tuples(st.just("checkpoint"), st.just(0), st.none()),
        st.tuples(st.just("restart"), st.just(0), st.none()),
    ),
    max_size=24,
)


@dataclass
class Story:
    """A service that things happen to, and what should be so afterwards."""

    database: Database
    folder: Path
    clock: FakeClock = field(default_factory=FakeClock)
    everyone: list[Person] = field(default_factory=list)
    gone: set[int] = field(default_factory=set)
    leaving: set[int] = field(default_factory=set)
    written: list[tuple[int | None, dict[str, str | int | bool]]] = field(default_factory=list)
    checkpoints: list[Checkpoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.audit = Audit(MASTER)
        self.stones = tombstones_in(self.folder, MASTER)
        self.erasure = Erasure(self.audit, self.stones)

    async def begin(self) -> None:
        for number in range(PEOPLE):
            async with self.database.sessions.begin() as db:
                self.everyone.append(
                    await people.create_client(
                        db, name=f"K{number}", language="id", adult=True, now=self.clock.now()
                    )
                )

    async def do(self, step: str, who: int, detail: dict[str, str | int | bool] | None) -> None:
        self.clock.advance(1)
        match step:
            case "append":
                await self._append(None if who < 0 else who, detail or {})
            case "ask" if who not in self.gone:
                person = await self._person(who)
                async with self.database.sessions.begin() as db:
                    await self.erasure.ask(db, person=person, login=None, now=self.clock.now())
                if who not in self.leaving:
                    self.leaving.add(who)
                    self.written.append((who, {}))
            case "cancel" if who not in self.gone:
                person = await self._person(who)
                async with self.database.sessions.begin() as db:
                    await self.erasure.cancel(db, person=person, now=self.clock.now())
                if who in self.leaving:
                    self.leaving.remove(who)
                    self.written.append((who, {}))
            case "carry out":
                await self._carry_out()
            case "checkpoint":
                async with self.database.sessions() as db:
                    self.checkpoints.append(await Checkpoints(MASTER).take(db, now=self.clock.now()))
            case "restart":
                self.__post_init__()
                assert await self.erasure.apply(self.database.sessions, now=self.clock.now()) == 0

    async def _append(self, who: int | None, detail: dict[str, str | int | bool]) -> None:
        subject = None if who is None else self.everyone[who].id
        async with self.database.sessions() as db:
            try:
                await self.audit.append(
                    db, tag="a:b", actor=subject, subject=subject, detail=detail, now=self.clock.now()
                )
            except KeyGone:
                assert who in self.gone
                return
            await db.commit()
        assert who not in self.gone
        self.written.append((who, detail))

    async def _carry_out(self) -> None:
        self.clock.advance(WAIT.total_seconds())
        async with self.database.sessions() as db:
            due = await self.erasure.due(db, now=self.clock.now())
        assert set(due) == {self.everyone[who].id for who in self.leaving}
        for user in due:
            async with self.database.sessions.begin() as db:
                assert await self.erasure.carry_out(db, user=user, now=self.clock.now())
            who = next(number for number, person in enumerate(self.everyone) if person.id == user)
            self.leaving.remove(who)
            self.gone.add(who)
            self.written.append((who, {}))

    async def _person(self, who: int) -> Person:
        async with self.database.sessions() as db:
            return await people.get(db, user=self.everyone[who].id)

    async def verify(self) -> Verdict:
        async with self.database.sessions() as db:
            return await verify(
                db,
                self.audit,
                erased=self.stones.read(),
                checkpoints=self.checkpoints,
                signer=Checkpoints(MASTER).signer,
                now=self.clock.now(),
            )

    async def check(self) -> None:
        """The chain holds, every row is there, and details open for those who are still here."""
        verdict = await self.verify()
        assert verdict.problem is None, verdict.sentence
        assert verdict.count == len(self.written)
        assert verdict.closed == sum(who in self.gone for who, _ in self.written)
        for number, person in enumerate(self.everyone):
            async with self.database.sessions() as db:
                rows = await self.audit.own(db, person=person.id, limit=1_000)
            theirs = [detail for who, detail in self.written if who == number]
            expected = [None] * len(theirs) if number in self.gone else theirs
            assert [row.detail for row in reversed(rows)] == expected


async def tell(url: str, folder: Path, steps: Steps, seq: int) -> None:
    """Live through a story, check it, then falsify one row in it: that is noticed at that row."""
    database = Database(url)
    try:
        story = Story(database, folder)
        await story.begin()
        for step in steps:
            await story.do(*step)
        await story.check()
        if not story.written:
            return
        row = 1 + seq % len(story.written)
        await attacks.do(database, "UPDATE audit_rows SET object_id = 'x' WHERE seq = :row", row=row)
        verdict = await story.verify()
        assert (verdict.problem, verdict.row) == (Problem.LINK, row)
    finally:
        await database.close()


@settings(max_examples=40, deadline=None, suppress_health_check=SLOW)
@given(steps=STEPS, seq=st.integers(0, 1_000))
def test_any_story_verifies_on_sqlite(migrated_sqlite: Path, steps: Steps, seq: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        shutil.copy(migrated_sqlite, folder / "test.db")
        asyncio.run(tell(f"sqlite:///{folder / 'test.db'}", folder, steps, seq))


@settings(max_examples=25, deadline=None, suppress_health_check=SLOW)
@given(steps=STEPS, seq=st.integers(0, 1_000))
def test_any_story_verifies_on_postgresql(
    postgres: str, migrated_postgres: str, steps: Steps, seq: int
) -> None:
    async def run(folder: Path) -> None:
        server = await asyncpg.connect(f"{postgres}/postgres")
        try:
            await server.execute("DROP DATABASE IF EXISTS story")
            await server.execute(f"CREATE DATABASE story TEMPLATE {migrated_postgres}")
            await tell(f"{postgres}/story", folder, steps, seq)
        finally:
            await server.close()

    with tempfile.TemporaryDirectory() as name:
        asyncio.run(run(Path(name)))
