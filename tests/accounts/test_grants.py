from __future__ import annotations

import dataclasses

import pytest

from accounts import grants, people
from accounts.audit import Audit
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission, Role
from core.db import Database
from core.errors import Forbidden, InvalidInput
from core.ids import new_user_id
from tests.fakes import FakeClock

MASTER = bytes(range(32))
OPEN_PROOF = Permission.OPEN_PROOF


@dataclasses.dataclass
class Office:
    """An admin, a counselor and a client."""

    audit: Audit
    admin: Person
    counselor: Person
    client: Person


@pytest.fixture
async def office(database: Database, clock: FakeClock) -> Office:
    async with database.sessions.begin() as db:
        return Office(
            Audit(MASTER),
            await people.create_staff(db, name="Admin", language="id", roles=[Role.ADMIN], now=clock.now()),
            await people.create_staff(
                db, name="Bima", language="id", roles=[Role.COUNSELOR], now=clock.now()
            ),
            await people.create_client(db, name="Melati", language="id", adult=True, now=clock.now()),
        )


async def test_a_grant_is_written_down_with_its_purpose(
    database: Database, clock: FakeClock, office: Office
) -> None:
    async with database.sessions.begin() as db:
        grant = await grants.give(
            db,
            office.audit,
            person=office.admin,
            permission=OPEN_PROOF,
            subject=office.counselor.id,
            purpose="  checking the \n licence ",
            now=clock.now(),
            object_id="f_1",
        )
        (row,) = await office.audit.own(db, person=office.counselor.id)
    assert grant.purpose == "checking the licence"
    assert (row.tag, row.actor, row.object_id) == ("grant:give", office.admin.id, "f_1")
    assert row.detail == {"permission": "register:proof", "purpose": "checking the licence", "minutes": 15}


@pytest.mark.parametrize("purpose", ["", "  ", "ab", " a  ", "x" * 201])
async def test_without_a_purpose_there_is_no_grant(
    purpose: str, database: Database, clock: FakeClock, office: Office
) -> None:
    async with database.sessions.begin() as db:
        with pytest.raises(InvalidInput):
            await grants.give(
                db,
                office.audit,
                person=office.admin,
                permission=OPEN_PROOF,
                subject=office.counselor.id,
                purpose=purpose,
                now=clock.now(),
            )
        assert await office.audit.own(db, person=office.counselor.id) == []


async def test_who_may_not_gets_none(database: Database, clock: FakeClock, office: Office) -> None:
    leaving = dataclasses.replace(office.admin, erase_at=clock.now())
    disabled = dataclasses.replace(office.admin, disabled_at=clock.now())
    async with database.sessions.begin() as db:
        for person in (office.counselor, office.client, leaving, disabled):
            with pytest.raises(Forbidden):
                await grants.give(
                    db,
                    office.audit,
                    person=person,
                    permission=OPEN_PROOF,
                    subject=office.client.id,
                    purpose="curious",
                    now=clock.now(),
                )
        assert await office.audit.own(db, person=office.client.id) == []


async def test_a_grant_opens_one_thing_of_one_person_for_a_while(
    database: Database, clock: FakeClock, office: Office
) -> None:
    async with database.sessions.begin() as db:
        grant = await grants.give(
            db,
            office.audit,
            person=office.admin,
            permission=OPEN_PROOF,
            subject=office.counselor.id,
            purpose="checking",
            now=clock.now(),
            object_id="f_1",
        )
    subject = office.counselor.id
    grant.require(OPEN_PROOF, subject, clock.now(), object_id="f_1")
    for permission, whose, thing in (
        (Permission.SEE_AUDIT, subject, "f_1"),
        (OPEN_PROOF, office.client.id, "f_1"),
        (OPEN_PROOF, subject, "f_2"),
        (OPEN_PROOF, subject, None),
    ):
        with pytest.raises(Forbidden):
            grant.require(permission, whose, clock.now(), object_id=thing)
    clock.advance(15 * 60 - 1)
    grant.require(OPEN_PROOF, subject, clock.now(), object_id="f_1")
    clock.advance(1)
    with pytest.raises(Forbidden):
        grant.require(OPEN_PROOF, subject, clock.now(), object_id="f_1")


def test_nobody_makes_a_grant_but_give(clock: FakeClock) -> None:
    values = (
        "g_1",
        new_user_id(),
        OPEN_PROOF,
        new_user_id(),
        None,
        "curious",
        clock.now(),
    )
    with pytest.raises(TypeError, match=r"accounts\.grants\.give"):
        Grant(*values, object())


async def test_a_grant_cannot_be_changed_or_copied_to_another(
    database: Database, clock: FakeClock, office: Office
) -> None:
    async with database.sessions.begin() as db:
        grant = await grants.give(
            db,
            office.audit,
            person=office.admin,
            permission=OPEN_PROOF,
            subject=office.counselor.id,
            purpose="checking",
            now=clock.now(),
        )
    with pytest.raises(dataclasses.FrozenInstanceError):
        grant.subject = office.client.id  # type: ignore[misc]  # that it is refused is the point
    with pytest.raises((ValueError, TypeError)):
        dataclasses.replace(grant, subject=office.client.id)  # type: ignore[call-arg]  # as somebody would try


async def test_a_grant_that_holds_is_found_again_by_who_has_it(
    database: Database, clock: FakeClock, office: Office
) -> None:
    async with database.sessions.begin() as db:
        given = await grants.give(
            db,
            office.audit,
            person=office.admin,
            permission=Permission.SEE_AUDIT,
            subject=office.client.id,
            purpose="a question of hers",
            now=clock.now(),
        )

        async def find(person: Person, subject: Person) -> Grant | None:
            return await grants.current(
                db,
                office.audit,
                person=person,
                permission=Permission.SEE_AUDIT,
                subject=subject.id,
                now=clock.now(),
            )

        assert await find(office.admin, office.client) == given
        assert await find(office.admin, office.counselor) is None
        assert await find(office.counselor, office.client) is None
        assert await find(dataclasses.replace(office.admin, roles=frozenset()), office.client) is None
        clock.advance(15 * 60)
        assert await find(office.admin, office.client) is None
        await grants.prune(db, now=clock.now())
        assert len(await office.audit.own(db, person=office.client.id)) == 1


async def test_details_open_for_the_person_of_the_grant_alone(
    database: Database, clock: FakeClock, office: Office
) -> None:
    async with database.sessions.begin() as db:
        for person in (office.client, office.counselor):
            await office.audit.append(
                db, tag="a:b", actor=None, subject=person.id, detail={"n": 1}, now=clock.now()
            )
        entries = [await office.audit.find(db, seq=seq) for seq in (1, 2)]
        grant = await grants.give(
            db,
            office.audit,
            person=office.admin,
            permission=Permission.SEE_AUDIT,
            subject=office.client.id,
            purpose="looking",
            now=clock.now(),
        )
        opened = await office.audit.opened(db, grant, entries=entries, now=clock.now())
        assert [entry.detail for entry in opened] == [{"n": 1}, None]
        clock.advance(15 * 60)
        with pytest.raises(Forbidden):
            await office.audit.opened(db, grant, entries=entries, now=clock.now())
