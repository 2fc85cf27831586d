from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import consents, people, texts
from accounts.audit import Audit, Filter
from accounts.people import Person
from accounts.roles import Role
from accounts.standing import ConsentState, Entry, Standing
from accounts.texts import CONSENTS, Kind, Overtaken
from core.db import Database
from core.errors import Forbidden, NotFound
from tests.accounts.test_texts import MASTER, admin_in, publish
from tests.fakes import FakeClock

AUDIT = Audit(MASTER)


async def client_in(db: AsyncSession, clock: FakeClock, *, adult: bool = True) -> Person:
    return await people.create_client(db, name="Sekar", language="id", adult=adult, now=clock.now())


async def give(
    db: AsyncSession, person: Person, kind: Kind, clock: FakeClock, *, version: int = 1, locale: str = "id"
) -> Entry:
    clock.advance(1)
    return await consents.give(
        db,
        AUDIT,
        person=person,
        kind=kind,
        version=version,
        locale=locale,
        page="/me/consents",
        now=clock.now(),
    )


async def withdraw(db: AsyncSession, person: Person, kind: Kind, clock: FakeClock) -> Entry | None:
    clock.advance(1)
    return await consents.withdraw(db, AUDIT, person=person, kind=kind, page="/me/consents", now=clock.now())


def standings(state: ConsentState) -> list[Standing]:
    return [state.consents[kind].standing for kind in CONSENTS]


async def test_each_consent_is_given_and_withdrawn_by_itself(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock)
        other = await client_in(db, clock)
        for number, kind in enumerate(CONSENTS):
            assert not await consents.has(db, user=person.id, kind=kind)
            await give(db, person, kind, clock)
            state = await consents.state(db, user=person.id)
            wanted = [Standing.GIVEN] * (number + 1) + [Standing.OPEN] * (3 - number)
            assert standings(state) == wanted
            assert await consents.has(db, user=person.id, kind=kind)
        await withdraw(db, person, Kind.SUPERVISION, clock)
        given, withdrawn = Standing.GIVEN, Standing.WITHDRAWN
        assert standings(await consents.state(db, user=person.id)) == [given, given, withdrawn, given]
        assert standings(await consents.state(db, user=other.id)) == [Standing.OPEN] * 4


async def test_a_row_holds_the_exact_text_and_the_audit_tells_of_it(
    database: Database, clock: FakeClock
) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock)
        made = await give(db, person, Kind.SERVICE, clock, locale="en")
    async with database.sessions() as db:
        (row,) = await consents.entries(db, user=person.id)
        assert row == made == await consents.entry(db, receipt=made.id)
        text = (await texts.current(db, kind=Kind.SERVICE)).text("en")
        assert (row.version, row.locale, row.sha256, row.page) == (1, "en", text.sha256, "/me/consents")
        assert row.at == clock.now()
        (noted,) = await AUDIT.own(db, person=person.id)
        assert (noted.tag, noted.actor, noted.object_id) == ("consent:give", person.id, made.id)
        assert noted.detail == {"kind": "service", "version": 1, "locale": "en"}


async def test_doing_it_again_adds_no_row(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock)
        assert await withdraw(db, person, Kind.SERVICE, clock) is None
        first = await give(db, person, Kind.SERVICE, clock)
        assert await give(db, person, Kind.SERVICE, clock, locale="en") == first
        gone = await withdraw(db, person, Kind.SERVICE, clock)
        assert await withdraw(db, person, Kind.SERVICE, clock) == gone
        assert [row.given for row in await consents.entries(db, user=person.id)] == [True, False]
        assert len(await AUDIT.matching(db, wanted=Filter(person=person.id))) == 2


async def test_a_changed_text_asks_again_where_it_is_material(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person, admin = await client_in(db, clock), await admin_in(db, clock)
        await give(db, person, Kind.SERVICE, clock)
        await publish(db, admin, clock, base=1, material=False)
        assert await consents.has(db, user=person.id, kind=Kind.SERVICE)
        await publish(db, admin, clock, base=2, material=True)
        assert not await consents.has(db, user=person.id, kind=Kind.SERVICE)
        state = await consents.state(db, user=person.id)
        assert state.consents[Kind.SERVICE].standing is Standing.REREAD
        with pytest.raises(Overtaken):
            await give(db, person, Kind.SERVICE, clock, version=1)
        await give(db, person, Kind.SERVICE, clock, version=3)
        assert await consents.has(db, user=person.id, kind=Kind.SERVICE)


async def test_withdrawing_names_the_text_that_had_been_given(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person, admin = await client_in(db, clock), await admin_in(db, clock)
        given = await give(db, person, Kind.SERVICE, clock, locale="en")
        await publish(db, admin, clock)
        gone = await withdraw(db, person, Kind.SERVICE, clock)
    assert gone is not None
    assert (gone.given, gone.version, gone.locale, gone.sha256) == (False, 1, "en", given.sha256)


@pytest.mark.parametrize("kind", [Kind.RECORDING, Kind.RESEARCH])
async def test_people_under_18_are_not_asked_for_recording_and_research(
    database: Database, clock: FakeClock, kind: Kind
) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock, adult=False)
        with pytest.raises(Forbidden):
            await give(db, person, kind, clock)
        assert (await consents.state(db, user=person.id)).consents[kind].standing is Standing.OFF
        await give(db, person, Kind.SERVICE, clock)
        await give(db, person, Kind.SUPERVISION, clock)
        assert await consents.has(db, user=person.id, kind=Kind.SUPERVISION)


async def test_nobody_consents_to_ethics_and_staff_to_nothing(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        with pytest.raises(NotFound):
            await give(db, await client_in(db, clock), Kind.ETHICS, clock)
        with pytest.raises(Forbidden):
            await give(db, await admin_in(db, clock, Role.COUNSELOR), Kind.SERVICE, clock)


async def test_who_is_leaving_changes_nothing_any_more(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock)
        await people.leave(db, user=person.id, at=clock.now() + timedelta(hours=72))
        with pytest.raises(Forbidden):
            await give(db, await people.get(db, user=person.id), Kind.SERVICE, clock)


async def test_the_ledger_outlives_the_account(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock)
        made = await give(db, person, Kind.SERVICE, clock)
        await consents.erase(db, user=person.id, now=clock.now())
        assert await consents.entries(db, user=person.id) == [made]


async def test_a_text_in_a_language_that_there_is_not_cannot_be_given_to(
    database: Database, clock: FakeClock
) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        with pytest.raises(NotFound):
            await give(db, await client_in(db, clock), Kind.SERVICE, clock, locale="fr")


async def test_an_unknown_receipt_is_not_found(database: Database) -> None:
    async with database.sessions() as db:
        with pytest.raises(NotFound):
            await consents.entry(db, receipt="c_unknown")
