from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from accounts import people
from accounts.audit import Audit, Filter
from accounts.people import Person
from accounts.subjects import KeyGone
from core.db import Database
from core.errors import InvalidInput
from core.ids import new_user_id
from core.sealing import SealBroken
from tests.fakes import FakeClock

MASTER = bytes(range(32))


@pytest.fixture
def audit() -> Audit:
    return Audit(MASTER)


async def client(database: Database, clock: FakeClock, name: str = "Melati") -> Person:
    async with database.sessions.begin() as db:
        return await people.create_client(db, name=name, language="id", adult=True, now=clock.now())


async def test_rows_are_numbered_from_one_and_read_back(
    database: Database, clock: FakeClock, audit: Audit
) -> None:
    person = await client(database, clock)
    async with database.sessions.begin() as db:
        for place in range(3):
            seq = await audit.append(
                db,
                tag="login:open",
                actor=person.id,
                subject=person.id,
                object_id="l_1",
                detail={"place": place, "own": True, "device": "Peramban é"},
                now=clock.now(),
            )
            assert seq == place + 1
    async with database.sessions() as db:
        rows = await audit.own(db, person=person.id)
    assert [row.seq for row in rows] == [3, 2, 1]
    assert rows[0].detail == {"place": 2, "own": True, "device": "Peramban é"}
    assert (rows[0].tag, rows[0].actor, rows[0].subject, rows[0].object_id, rows[0].at) == (
        "login:open",
        person.id,
        person.id,
        "l_1",
        clock.now(),
    )


async def test_details_stand_nowhere_in_the_open(database: Database, clock: FakeClock, audit: Audit) -> None:
    async with database.sessions.begin() as db:
        await audit.append(
            db, tag="a:b", actor=None, subject=None, detail={"x": "rahasia sekali"}, now=clock.now()
        )
        row = (await db.execute(text("SELECT * FROM audit_rows"))).one()
    assert b"rahasia" not in b"".join(bytes(value) for value in row if isinstance(value, bytes | memoryview))


async def test_what_is_rolled_back_leaves_no_gap(database: Database, clock: FakeClock, audit: Audit) -> None:
    async with database.sessions() as db:
        await audit.append(db, tag="a:b", actor=None, subject=None, now=clock.now())
        await db.rollback()
    async with database.sessions.begin() as db:
        assert await audit.append(db, tag="a:b", actor=None, subject=None, now=clock.now()) == 1


@pytest.mark.parametrize(
    "tag", ["", "login", "login:", ":open", "Login:open", "login:open:x", "a b:c", "a" * 58 + ":bc"]
)
async def test_a_tag_is_noun_and_verb(tag: str, database: Database, clock: FakeClock, audit: Audit) -> None:
    async with database.sessions.begin() as db:
        with pytest.raises(ValueError, match="noun:verb"):
            await audit.append(db, tag=tag, actor=None, subject=None, now=clock.now())


async def test_details_without_end_are_refused(database: Database, clock: FakeClock, audit: Audit) -> None:
    async with database.sessions.begin() as db:
        with pytest.raises(InvalidInput):
            await audit.append(
                db, tag="a:b", actor=None, subject=None, detail={"x": "y" * 9_000}, now=clock.now()
            )


async def test_many_appenders_make_one_chain(database: Database, clock: FakeClock, audit: Audit) -> None:
    """No two rows follow the same one, though many connections add at once."""
    everyone = [await client(database, clock, f"K{number}") for number in range(4)]

    async def add(number: int) -> None:
        for _ in range(5):
            person = everyone[number % 4]
            async with database.sessions.begin() as db:
                await audit.append(db, tag="a:b", actor=person.id, subject=person.id, now=clock.now())

    await asyncio.gather(*(add(number) for number in range(12)))
    async with database.sessions() as db:
        seqs = (await db.scalars(text("SELECT seq FROM audit_rows ORDER BY seq"))).all()
        head = (await db.execute(text("SELECT count, hash FROM audit_head"))).one()
        last = (await db.execute(text("SELECT hash FROM audit_rows WHERE seq = 60"))).scalar_one()
        for person in everyone:
            assert len(await audit.own(db, person=person.id)) == 15
    assert seqs == list(range(1, 61))
    assert (head[0], bytes(head[1])) == (60, bytes(last))


async def test_two_who_write_of_somebody_for_the_first_time_wait_for_each_other_in_no_circle(
    database: Database, clock: FakeClock, audit: Audit
) -> None:
    """One had made the person's key and wanted the audit, the other the other way round."""
    person = await client(database, clock)
    held = asyncio.Event()

    async def add(tag: str) -> int:
        async with database.sessions.begin() as db:
            if tag == "test:hold":
                await audit.hold(db)
                held.set()
                await asyncio.sleep(0.2)
            return await audit.append(db, tag=tag, actor=None, subject=person.id, now=clock.now())

    first = asyncio.create_task(add("test:hold"))
    await held.wait()
    assert await add("test:add") == 2
    assert await first == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_rows SET tag = 'c:d'",
        "DELETE FROM audit_rows",
        "DELETE FROM audit_head",
        "UPDATE audit_head SET count = 0",
    ],
)
async def test_the_database_itself_refuses_to_change_what_was_written(
    statement: str, database: Database, clock: FakeClock, audit: Audit
) -> None:
    async with database.sessions.begin() as db:
        await audit.append(db, tag="a:b", actor=None, subject=None, now=clock.now())
    with pytest.raises(DBAPIError):
        async with database.engine.begin() as connection:
            await connection.execute(text(statement))
    async with database.sessions() as db:
        assert len(await audit.matching(db, wanted=Filter())) == 1


async def test_rows_are_found_by_tag_person_and_time(
    database: Database, clock: FakeClock, audit: Audit
) -> None:
    one, two = await client(database, clock), await client(database, clock, "Kenanga")
    began = clock.now()
    async with database.sessions.begin() as db:
        await audit.append(db, tag="a:b", actor=one.id, subject=two.id, now=clock.now())
        clock.advance(60)
        await audit.append(db, tag="c:d", actor=None, subject=one.id, now=clock.now())
        clock.advance(60)
        await audit.append(db, tag="a:b", actor=None, subject=None, now=clock.now())

        async def seqs(wanted: Filter, before: int | None = None) -> list[int]:
            return [row.seq for row in await audit.matching(db, wanted=wanted, before=before, limit=2)]

        assert await seqs(Filter()) == [3, 2]
        assert await seqs(Filter(), before=2) == [1]
        assert await seqs(Filter(tag="a:b")) == [3, 1]
        assert await seqs(Filter(person=one.id)) == [2, 1]
        assert await seqs(Filter(person=two.id)) == [1]
        assert await seqs(Filter(since=began, until=clock.now())) == [2, 1]
        assert await seqs(Filter(since=clock.now())) == [3]


async def test_a_forgotten_person_s_details_stay_shut_and_nothing_is_added(
    database: Database, clock: FakeClock, audit: Audit
) -> None:
    person = await client(database, clock)
    async with database.sessions.begin() as db:
        await audit.append(db, tag="a:b", actor=None, subject=person.id, detail={"x": 1}, now=clock.now())
        await audit.subjects.forget(db, subject=person.id)
    async with database.sessions.begin() as db:
        (row,) = await audit.own(db, person=person.id)
        assert row.detail is None
        with pytest.raises(KeyGone):
            await audit.append(db, tag="a:b", actor=None, subject=person.id, now=clock.now())


async def test_a_key_is_made_once_and_opens_with_its_master_only(database: Database) -> None:
    subjects, user = Audit(MASTER).subjects, new_user_id()

    async def key() -> bytes:
        async with database.sessions.begin() as db:
            return await subjects.key_of(db, subject=user)

    keys = await asyncio.gather(*(key() for _ in range(8)))
    assert len(set(keys)) == 1
    assert len(keys[0]) == 32
    async with database.sessions.begin() as db:
        with pytest.raises(SealBroken):
            await Audit(bytes(32)).subjects.key_of(db, subject=user)
        await subjects.forget(db, subject=user)
        await subjects.forget(db, subject=user)
        with pytest.raises(KeyGone):
            await subjects.key_of(db, subject=user)
