from __future__ import annotations

import pytest

from accounts import people
from accounts.people import Person
from accounts.roles import Permission, Role
from core.db import Database
from core.errors import NotFound
from core.ids import UserId
from tests.fakes import FakeClock


async def staff(
    database: Database, clock: FakeClock, *names: str, role: Role = Role.COUNSELOR
) -> list[Person]:
    async with database.sessions.begin() as db:
        return [
            await people.create_staff(db, name=name, language="id", roles=[role], now=clock.now())
            for name in names
        ]


async def test_a_client_is_made_with_one_role_and_found_again(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        made = await people.create_client(db, name="Embun", language="en", adult=False, now=clock.now())
    async with database.sessions() as db:
        found = await people.get(db, user=made.id)
        assert found == made
        assert await people.count_clients(db) == 1
    assert found.is_client
    assert not found.is_staff
    assert found.adult is False
    assert found.may(Permission.OWN_CONSENTS)
    assert not found.may(Permission.SEE_AUDIT)


async def test_staff_have_roles_of_staff_only(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        for wrong in ([], [Role.CLIENT], [Role.CLIENT, Role.ADMIN]):
            with pytest.raises(ValueError, match="roles of staff"):
                await people.create_staff(db, name="Bima", language="id", roles=wrong, now=clock.now())
    [made] = await staff(database, clock, "Bima")
    async with database.sessions.begin() as db:
        await people.set_roles(db, user=made.id, roles=[Role.SUPERVISOR, Role.OFFICER])
    async with database.sessions() as db:
        assert (await people.get(db, user=made.id)).roles == {Role.SUPERVISOR, Role.OFFICER}


async def test_who_is_disabled_may_nothing(database: Database, clock: FakeClock) -> None:
    [made] = await staff(database, clock, "Bima", role=Role.ADMIN)
    assert made.may(Permission.SEE_AUDIT)
    async with database.sessions.begin() as db:
        await people.disable(db, user=made.id, at=clock.now())
    async with database.sessions() as db:
        assert not (await people.get(db, user=made.id)).may(Permission.SEE_AUDIT)
        assert await people.with_role(db, role=Role.ADMIN) == []


async def test_the_list_of_staff_goes_on_from_page_to_page(database: Database, clock: FakeClock) -> None:
    names = ["Ayu", "Bima", "Bima", "Citra", "Dewi"]
    await staff(database, clock, *names)
    await staff(database, clock, "Zul 100%", role=Role.ADMIN)
    async with database.sessions.begin() as db:
        await people.create_client(db, name="Klien", language="id", adult=True, now=clock.now())
    seen: list[str] = []
    after: tuple[str, UserId] | None = None
    async with database.sessions() as db:
        while True:
            page = await people.staff(db, after=after, limit=2)
            seen += [person.name for person in page.people]
            after = page.after
            if after is None:
                break
        assert seen == [*names, "Zul 100%"]
        assert [one.name for one in (await people.staff(db, name="im")).people] == ["Bima", "Bima"]
        assert [one.name for one in (await people.staff(db, name="%")).people] == ["Zul 100%"]
        assert [one.name for one in (await people.staff(db, role=Role.ADMIN)).people] == ["Zul 100%"]


async def test_nobody_is_found_who_is_not_there(database: Database) -> None:
    async with database.sessions() as db:
        assert await people.find(db, user=UserId("u_nobody")) is None
        with pytest.raises(NotFound):
            await people.get(db, user=UserId("u_nobody"))


async def test_somebody_in_danger_is_not_asked_their_age_and_says_it_later(
    database: Database, clock: FakeClock
) -> None:
    async with database.sessions.begin() as db:
        person = await people.create_client(db, name="Embun", language="id", adult=None, now=clock.now())
        assert person.adult is None
        await people.say_age(db, user=person.id, adult=False)
        assert (await people.get(db, user=person.id)).adult is False
