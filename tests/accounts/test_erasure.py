from __future__ import annotations

import contextlib
import multiprocessing
import os
import shutil
import signal
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import grants, logins, people
from accounts.audit import Audit
from accounts.checkpoints import Signer
from accounts.erasure import WAIT, Eraser, Erasure, settle
from accounts.logins import Stage
from accounts.people import Person
from accounts.roles import Permission, Role
from accounts.tombstones import NAME, tombstones_in
from accounts.verifying import Verdict, verify
from core.db import Database
from core.errors import InvalidState
from core.ids import UserId
from tests.fakes import FakeClock

MASTER = bytes(range(32))


class House:
    """One service: its database, its data directory, and what was asked of its erasers."""

    def __init__(self, database: Database, folder: Path, clock: FakeClock) -> None:
        self.database, self.folder, self.clock = database, folder, clock
        self.audit = Audit(MASTER)
        self.tombstones = tombstones_in(folder, MASTER)
        self.erased: list[UserId] = []
        self.erasure = Erasure(self.audit, self.tombstones, [self._erase])

    async def _erase(self, db: AsyncSession, *, user: UserId, now: object) -> None:
        assert now is not None
        assert await people.find(db, user=user) is not None or self.erased
        self.erased.append(user)

    async def client(self, name: str = "Melati") -> Person:
        async with self.database.sessions.begin() as db:
            person = await people.create_client(
                db, name=name, language="id", adult=True, now=self.clock.now()
            )
            await self.audit.append(
                db,
                tag="login:open",
                actor=person.id,
                subject=person.id,
                detail={"device": "Chrome"},
                now=self.clock.now(),
            )
        return person

    async def ask(self, person: Person, login: str | None = None) -> None:
        async with self.database.sessions.begin() as db:
            await self.erasure.ask(db, person=person, login=login, now=self.clock.now())

    async def carry_out(self) -> int:
        async with self.database.sessions() as db:
            due = await self.erasure.due(db, now=self.clock.now())
        for user in due:
            async with self.database.sessions.begin() as db:
                assert await self.erasure.carry_out(db, user=user, now=self.clock.now())
        return len(due)

    async def verify(self) -> Verdict:
        async with self.database.sessions() as db:
            return await verify(
                db,
                self.audit,
                erased=self.tombstones.read(),
                signer=Signer(MASTER),
                now=self.clock.now(),
            )


@pytest.fixture
def house(database: Database, tmp_path: Path, clock: FakeClock) -> House:
    return House(database, tmp_path, clock)


async def find(house: House, person: Person) -> Person | None:
    async with house.database.sessions() as db:
        return await people.find(db, user=person.id)


async def test_asking_shows_at_once_and_ends_the_other_logins(house: House) -> None:
    person = await house.client()
    async with house.database.sessions.begin() as db:
        here, there = [
            await logins.open_login(
                db,
                person=person,
                token=logins.new_token(),
                stage=Stage.FULL,
                device="Chrome",
                own_phone=True,
                now=house.clock.now(),
            )
            for _ in range(2)
        ]
    await house.ask(person, here.id)
    after = await find(house, person)
    assert after is not None
    assert after.is_leaving
    assert after.erase_at == house.clock.now() + timedelta(hours=72)
    async with house.database.sessions() as db:
        assert [one.id for one in await logins.of(db, user=person.id, now=house.clock.now())] == [here.id]
        assert await people.with_role(db, role=Role.CLIENT) == []
    assert there.id != here.id


async def test_asking_again_leaves_the_first_time(house: House) -> None:
    person = await house.client()
    await house.ask(person)
    first = await find(house, person)
    house.clock.advance(3600)
    assert first is not None
    async with house.database.sessions.begin() as db:
        assert await house.erasure.ask(db, person=first, login=None, now=house.clock.now()) == first.erase_at
        assert len(await house.audit.own(db, person=person.id)) == 2


async def test_it_can_be_taken_back_until_it_is_due(house: House) -> None:
    person = await house.client()
    await house.ask(person)
    house.clock.advance(WAIT.total_seconds() - 1)
    assert await house.carry_out() == 0
    async with house.database.sessions.begin() as db:
        await house.erasure.cancel(db, person=person, now=house.clock.now())
        await house.erasure.cancel(db, person=person, now=house.clock.now())
    after = await find(house, person)
    assert after is not None
    assert not after.is_leaving
    house.clock.advance(WAIT.total_seconds())
    assert await house.carry_out() == 0
    async with house.database.sessions() as db:
        tags = [row.tag for row in await house.audit.own(db, person=person.id)]
    assert tags == ["erasure:cancel", "erasure:ask", "login:open"]


async def test_it_cannot_be_taken_back_when_it_is_due(house: House) -> None:
    person = await house.client()
    await house.ask(person)
    house.clock.advance(WAIT.total_seconds())
    async with house.database.sessions.begin() as db:
        with pytest.raises(InvalidState):
            await house.erasure.cancel(db, person=person, now=house.clock.now())


async def test_nothing_of_an_erased_person_is_left_but_opaque_ids(house: House) -> None:
    person, other = await house.client(), await house.client("Kenanga")
    await house.ask(person)
    house.clock.advance(WAIT.total_seconds())
    assert await house.carry_out() == 1
    assert house.erased == [person.id]
    assert await find(house, person) is None
    assert await find(house, other) is not None
    async with house.database.sessions() as db:
        rows = await house.audit.own(db, person=person.id)
        assert [(row.tag, row.detail) for row in rows] == [
            ("erasure:done", None),
            ("erasure:ask", None),
            ("login:open", None),
        ]
        (kept,) = await house.audit.own(db, person=other.id)
        assert kept.detail == {"device": "Chrome"}
    verdict = await house.verify()
    assert (verdict.problem, verdict.closed) == (None, 3)


async def test_grants_about_and_of_an_erased_person_go(house: House) -> None:
    person = await house.client()
    async with house.database.sessions.begin() as db:
        admin = await people.create_staff(
            db, name="A", language="id", roles=[Role.ADMIN], now=house.clock.now()
        )
        await grants.give(
            db,
            house.audit,
            person=admin,
            permission=Permission.SEE_AUDIT,
            subject=person.id,
            purpose="a question",
            now=house.clock.now(),
            minutes=24 * 60,
        )
        await people.leave(db, user=person.id, at=house.clock.now())
    assert await house.carry_out() == 1
    async with house.database.sessions() as db:
        assert (await db.execute(text("SELECT count(*) FROM grants"))).scalar_one() == 0


async def test_the_tombstone_is_on_the_disk_before_the_rows_go(house: House) -> None:
    person = await house.client()
    seen: list[list[UserId]] = []

    async def look(db: AsyncSession, *, user: UserId, now: object) -> None:
        seen.append(house.tombstones.read())

    house.erasure.register(look)
    await house.ask(person)
    house.clock.advance(WAIT.total_seconds())
    await house.carry_out()
    assert seen == [[person.id]]
    file = house.folder / NAME
    assert file.stat().st_mode & 0o777 == 0o600
    assert "Melati" not in file.read_text()


async def test_an_eraser_that_fails_leaves_everything_for_the_next_time(house: House) -> None:
    person = await house.client()
    fails = [True]

    async def fail(db: AsyncSession, *, user: UserId, now: object) -> None:
        if fails[0]:
            raise OSError("the disk is gone")

    house.erasure.register(fail)
    await house.ask(person)
    house.clock.advance(WAIT.total_seconds())
    with pytest.raises(OSError, match="gone"):
        await house.carry_out()
    assert await find(house, person) is not None
    fails[0] = False
    assert await house.carry_out() == 1
    assert await find(house, person) is None
    assert house.tombstones.read() == [person.id]
    assert (await house.verify()).problem is None


async def test_a_database_that_was_never_restored_is_left_alone(house: House) -> None:
    person = await house.client()
    await house.ask(person)
    house.clock.advance(WAIT.total_seconds())
    await house.carry_out()
    assert await house.erasure.apply(house.database.sessions, now=house.clock.now()) == 0
    assert house.erased == [person.id]


async def test_who_came_back_with_a_backup_is_erased_again(
    tmp_path: Path, clock: FakeClock, migrated_sqlite: Path
) -> None:
    file, backup = tmp_path / "test.db", tmp_path / "backup.db"
    shutil.copy(migrated_sqlite, file)
    house = House(Database(f"sqlite:///{file}"), tmp_path, clock)
    person, other = await house.client(), await house.client("Kenanga")
    with contextlib.closing(sqlite3.connect(file)) as db:
        db.execute("VACUUM INTO ?", (str(backup),))
    await house.ask(person)
    clock.advance(WAIT.total_seconds())
    assert await house.carry_out() == 1
    await house.database.close()
    for name in ("test.db", "test.db-wal", "test.db-shm"):
        (tmp_path / name).unlink(missing_ok=True)
    backup.rename(file)

    house = House(Database(f"sqlite:///{file}"), tmp_path, clock)
    assert await find(house, person) is not None
    assert await house.erasure.apply(house.database.sessions, now=clock.now()) == 1
    assert await find(house, person) is None
    assert await find(house, other) is not None
    verdict = await house.verify()
    assert (verdict.problem, verdict.closed) == (None, 2)
    assert await house.erasure.apply(house.database.sessions, now=clock.now()) == 0
    await house.database.close()


async def test_the_file_of_sqlite_holds_nothing_of_the_erased_any_more(
    tmp_path: Path, clock: FakeClock, migrated_sqlite: Path
) -> None:
    file = tmp_path / "test.db"
    shutil.copy(migrated_sqlite, file)
    house = House(Database(f"sqlite:///{file}"), tmp_path, clock)
    person = await house.client("Melati Tidak Terlupa")
    async with house.database.sessions() as db:
        wrapped = (await db.execute(text("SELECT wrapped FROM subject_keys"))).scalar_one()
    await settle(house.database)
    held = [b"Melati Tidak Terlupa", wrapped]
    assert all(one in file.read_bytes() for one in held)
    await house.ask(person)
    clock.advance(WAIT.total_seconds())
    await house.carry_out()
    await settle(house.database)
    for name in ("test.db", "test.db-wal"):
        assert not any(one in (tmp_path / name).read_bytes() for one in held), name
    await house.database.close()


async def test_somebody_whose_key_alone_is_gone_is_erased_all_the_same(house: House) -> None:
    person = await house.client()
    house.tombstones.add(person.id, house.clock.now())
    async with house.database.sessions.begin() as db:
        await house.audit.subjects.forget(db, subject=person.id)
    assert await house.erasure.apply(house.database.sessions, now=house.clock.now()) == 1
    assert await find(house, person) is None
    assert (await house.verify()).problem is None


# What a crash leaves.


def _erase_and_die(url: str, folder: str, user: str, step: str) -> None:
    """Erase in a process of its own that is killed at a step."""
    import asyncio

    async def die(db: AsyncSession, *, user: UserId, now: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    async def run() -> None:
        clock = FakeClock()
        clock.advance(WAIT.total_seconds() + 1)
        house = House(Database(url), Path(folder), clock)
        died: Eraser = die
        if step == "before the tombstone":
            house.tombstones.__class__.add = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore[method-assign]
        if step == "after the tombstone":
            house.erasure = Erasure(house.audit, house.tombstones, [died])
        async with house.database.sessions() as db:
            (one,) = await house.erasure.due(db, now=clock.now())
        assert one == user
        async with house.database.sessions.begin() as db:
            await house.erasure.carry_out(db, user=one, now=clock.now())
            if step == "before the commit":
                os.kill(os.getpid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)

    asyncio.run(run())


@pytest.mark.parametrize(
    "step", ["before the tombstone", "after the tombstone", "before the commit", "after the commit"]
)
async def test_a_kill_between_the_steps_is_survived(step: str, house: House, database_url: str) -> None:
    person = await house.client()
    await house.ask(person)
    dying = multiprocessing.get_context("spawn").Process(
        target=_erase_and_die, args=(database_url, str(house.folder), person.id, step)
    )
    dying.start()
    dying.join(60)
    assert dying.exitcode == -signal.SIGKILL
    gone = step == "after the commit"
    assert (await find(house, person) is None) is gone
    assert house.tombstones.read() == ([] if step == "before the tombstone" else [person.id])
    house.clock.advance(WAIT.total_seconds() + 1)
    assert await house.carry_out() == (0 if gone else 1)
    assert await find(house, person) is None
    assert house.tombstones.read() == [person.id]
    assert (await house.verify()).problem is None


# The file.
