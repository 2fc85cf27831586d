from __future__ import annotations

import pytest

from accounts import contacts, notices, people
from accounts.notice_tables import ContactRow
from accounts.people import Person
from accounts.subjects import KeyGone, Subjects
from core.db import Database
from core.mail import BadAddress
from tests.fakes import FakeClock

MASTER = bytes(range(32))


async def client(database: Database, clock: FakeClock) -> Person:
    async with database.sessions.begin() as db:
        return await people.create_client(db, name="Daun Pagi", language="id", adult=True, now=clock.now())


async def test_the_newest_comes_first_and_only_what_was_seen_is_read(
    database: Database, clock: FakeClock
) -> None:
    person, other = await client(database, clock), await client(database, clock)
    async with database.sessions.begin() as db:
        await notices.post(db, user=person.id, kind="first", now=clock.now())
        await notices.post(db, user=other.id, kind="foreign", now=clock.now())
        seen = clock.now()
        clock.advance(1)
        await notices.post(db, user=person.id, kind="second", places={"when": "x"}, now=clock.now())
    async with database.sessions.begin() as db:
        listed = await notices.inbox(db, user=person.id)
        assert [(one.kind, one.read_at) for one in listed] == [("second", None), ("first", None)]
        assert await notices.unread(db, user=person.id) == 2
        await notices.mark_read(db, user=person.id, until=seen, now=clock.now())
    async with database.sessions.begin() as db:
        assert await notices.unread(db, user=person.id) == 1
        assert await notices.unread(db, user=other.id) == 1
        older = await notices.inbox(db, user=person.id, before=clock.now())
        assert [(one.kind, one.read_at) for one in older] == [("first", clock.now())]


async def test_what_was_seen_elsewhere_is_read_by_its_kind(database: Database, clock: FakeClock) -> None:
    person = await client(database, clock)
    async with database.sessions.begin() as db:
        for kind in ("first", "first", "second"):
            await notices.post(db, user=person.id, kind=kind, now=clock.now())
        await notices.settle(db, user=person.id, kinds=["first", "third"], now=clock.now())
        listed = await notices.inbox(db, user=person.id)
    assert [one.kind for one in listed if one.read_at is None] == ["second"]


def test_a_place_may_be_for_one_language() -> None:
    notice = notices.Notice(
        "n", "k", {"n": "3", "what@id": "bocor", "what@en": "leak"}, FakeClock().now(), None
    )
    assert notice.said("id") == {"n": "3", "what": "bocor"}
    assert notice.said("en") == {"n": "3", "what": "leak"}


@pytest.mark.parametrize("kind", ["", "A", "a.b", "x" * 41, "../x"])
async def test_a_kind_is_a_word(database: Database, clock: FakeClock, kind: str) -> None:
    person = await client(database, clock)
    async with database.sessions.begin() as db:
        with pytest.raises(ValueError, match="a word"):
            await notices.post(db, user=person.id, kind=kind, now=clock.now())


async def test_an_address_is_kept_sealed_and_replaced(database: Database, clock: FakeClock) -> None:
    person, subjects = await client(database, clock), Subjects(MASTER)
    async with database.sessions.begin() as db:
        await contacts.keep_email(
            db, subjects, user=person.id, email="a@example.org", code_hash="a", now=clock.now()
        )
        await contacts.keep_email(
            db, subjects, user=person.id, email=" b@example.org ", code_hash="b", now=clock.now()
        )
        assert await contacts.email_of(db, subjects, user=person.id) == "b@example.org"
        row = await db.get(ContactRow, person.id)
        assert row is not None
        assert b"example" not in row.email
        with pytest.raises(BadAddress):
            await contacts.keep_email(
                db, subjects, user=person.id, email="nobody", code_hash="c", now=clock.now()
            )


async def test_one_letter_is_owed_however_many_notices(database: Database, clock: FakeClock) -> None:
    person, without, subjects = await client(database, clock), await client(database, clock), Subjects(MASTER)
    async with database.sessions.begin() as db:
        await contacts.keep_email(
            db, subjects, user=person.id, email="a@example.org", code_hash="a", now=clock.now()
        )
        assert await contacts.confirm_email(db, code_hash="a", now=clock.now()) == person.id
        await notices.post_all(db, users=[person.id, without.id], kind="one", now=clock.now())
        await notices.post_all(db, users=[person.id, without.id], kind="two", now=clock.now())
        assert await notices.owed_letters(db, now=clock.now()) == [], "the letter that asked was just now"
        clock.advance(3600)
        assert await notices.owed_letters(db, now=clock.now()) == [person.id]
        await notices.letters_gone(db, users=[person.id], now=clock.now())
        await notices.post(db, user=person.id, kind="three", now=clock.now())
        clock.advance(3599)
        assert await notices.owed_letters(db, now=clock.now()) == []
        clock.advance(1)
        assert await notices.owed_letters(db, now=clock.now()) == [person.id]


async def test_an_address_that_nobody_confirmed_gets_nothing(database: Database, clock: FakeClock) -> None:
    person, subjects = await client(database, clock), Subjects(MASTER)
    async with database.sessions.begin() as db:
        await contacts.keep_email(
            db, subjects, user=person.id, email="a@example.org", code_hash="a", now=clock.now()
        )
        await notices.post(db, user=person.id, kind="one", now=clock.now())
        clock.advance(7 * 86_400)
        assert await notices.owed_letters(db, now=clock.now()) == []
        assert await contacts.confirm_email(db, code_hash="x", now=clock.now()) is None
        assert await contacts.confirm_email(db, code_hash="a", now=clock.now()) is None, "a week is over"
        assert not await contacts.is_confirmed(db, user=person.id)


async def test_who_read_it_already_gets_no_letter(database: Database, clock: FakeClock) -> None:
    person, subjects = await client(database, clock), Subjects(MASTER)
    async with database.sessions.begin() as db:
        await contacts.keep_email(
            db, subjects, user=person.id, email="a@example.org", code_hash="a", now=clock.now()
        )
        await contacts.confirm_email(db, code_hash="a", now=clock.now())
        await notices.post(db, user=person.id, kind="one", now=clock.now())
        await notices.mark_read(db, user=person.id, until=clock.now(), now=clock.now())
        clock.advance(3600)
        assert await notices.owed_letters(db, now=clock.now()) == []


async def test_erasing_leaves_nothing(database: Database, clock: FakeClock) -> None:
    person, subjects = await client(database, clock), Subjects(MASTER)
    async with database.sessions.begin() as db:
        await contacts.keep_email(
            db, subjects, user=person.id, email="a@example.org", code_hash="a", now=clock.now()
        )
        await notices.post(db, user=person.id, kind="one", now=clock.now())
    async with database.sessions.begin() as db:
        await notices.erase(db, user=person.id, now=clock.now())
        await contacts.erase(db, user=person.id, now=clock.now())
        await subjects.forget(db, subject=person.id)
    async with database.sessions.begin() as db:
        assert await notices.inbox(db, user=person.id) == []
        assert await contacts.email_of(db, subjects, user=person.id) is None
        with pytest.raises(KeyGone):
            await contacts.keep_email(
                db, subjects, user=person.id, email="a@example.org", code_hash="a", now=clock.now()
            )
