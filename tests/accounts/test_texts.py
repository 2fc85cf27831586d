from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people, prose, texts
from accounts.audit import Audit, Filter
from accounts.people import Person
from accounts.prose import LOCALES, Fault
from accounts.roles import Role
from accounts.texts import BadText, Kind, Overtaken
from core.db import Database
from core.errors import Forbidden, NotFound
from core.ids import UserId
from tests.fakes import FakeClock

MASTER = bytes(range(32))


async def admin_in(db: AsyncSession, clock: FakeClock, role: Role = Role.ADMIN) -> Person:
    return await people.create_staff(db, name="Ratih", language="id", roles=[role], now=clock.now())


def written(word: str = "Baru") -> dict[str, str]:
    return {
        locale: prose.tidy(
            f"# {word}\n\n" + "\n\n".join(f"## {heading}\n\n{word}." for heading in prose.HEADINGS[locale])
        )
        for locale in LOCALES
    }


async def publish(
    db: AsyncSession,
    person: Person,
    clock: FakeClock,
    *,
    kind: Kind = Kind.SERVICE,
    base: int = 1,
    bodies: Mapping[str, str] | None = None,
    material: bool = True,
) -> texts.Version:
    return await texts.publish(
        db,
        Audit(MASTER),
        person=person,
        kind=kind,
        base=base,
        bodies=written() if bodies is None else bodies,
        changes={"id": "Lebih jelas.", "en": "Clearer."},
        material=material,
        reviewed=True,
        now=clock.now(),
    )


async def test_the_texts_that_came_with_teduh_are_version_1(database: Database, clock: FakeClock) -> None:
    for _ in range(2):
        async with database.sessions.begin() as db:
            await texts.put_first(db, now=clock.now())
    async with database.sessions() as db:
        for kind in Kind:
            (version,) = await texts.versions(db, kind=kind)
            assert (version.number, version.material, version.reviewed, version.published_by) == (
                1,
                True,
                False,
                None,
            )
            assert set(version.texts) == set(LOCALES)
            for locale, one in version.texts.items():
                assert prose.fault(one.body, locale=locale) is None
                assert one.sha256 == hashlib.sha256(one.body.encode()).hexdigest()
                shipped = (texts.FIRST / f"{kind.value}.{locale}.md").read_text(encoding="utf-8")
                assert shipped.endswith(f"\n---\n{one.body}")
                assert "lawyer has to read it" in shipped or "lawyer and" in shipped


async def test_a_text_that_came_with_an_older_teduh_is_renewed_and_an_admins_is_not(
    database: Database, clock: FakeClock
) -> None:
    old = {locale: f"# Old {locale}\n" for locale in LOCALES}
    async with database.sessions.begin() as db:
        for kind, by in ((Kind.RECORDING, None), (Kind.RESEARCH, UserId("u_admin"))):
            await texts._put(db, kind, 1, old, {}, material=True, reviewed=False, by=by, now=clock.now())
    for _ in range(2):
        async with database.sessions.begin() as db:
            await texts.put_first(db, now=clock.now())
    async with database.sessions() as db:
        renewed, first = await texts.versions(db, kind=Kind.RECORDING)
        assert (renewed.number, renewed.material, first.texts["id"].body) == (2, True, old["id"])
        assert all(one.changes for one in renewed.texts.values())
        assert [one.number for one in await texts.versions(db, kind=Kind.RESEARCH)] == [1]


async def test_two_that_start_at_once_both_start(database: Database, clock: FakeClock) -> None:
    async def start() -> None:
        async with database.sessions.begin() as db:
            await texts.put_first(db, now=clock.now())

    await asyncio.gather(start(), start(), start())
    async with database.sessions() as db:
        assert (await texts.current(db, kind=Kind.ETHICS)).number == 1


async def test_before_the_first_start_there_is_none(database: Database) -> None:
    async with database.sessions() as db:
        with pytest.raises(NotFound):
            await texts.current(db, kind=Kind.SERVICE)


async def test_a_new_version_leaves_the_old_one_as_it_is(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        first = await texts.current(db, kind=Kind.SERVICE)
        admin = await admin_in(db, clock)
        made = await publish(db, admin, clock)
    async with database.sessions() as db:
        assert await texts.current(db, kind=Kind.SERVICE) == made
        assert await texts.find(db, kind=Kind.SERVICE, number=1) == first
        assert [one.number for one in await texts.versions(db, kind=Kind.SERVICE)] == [2, 1]
        assert (made.number, made.reviewed, made.published_by) == (2, True, admin.id)
        assert made.text("en").changes == "Clearer."
        (row,) = await Audit(MASTER).matching(db, wanted=Filter(tag="text:publish"))
        assert (row.actor, row.object_id) == (admin.id, "service/2")


async def test_numbers_tell_the_current_and_the_last_material_version(
    database: Database, clock: FakeClock
) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        admin = await admin_in(db, clock)
        await publish(db, admin, clock, base=1, material=True)
        await publish(db, admin, clock, base=2, material=False)
        numbers = await texts.numbers(db)
    assert numbers[Kind.SERVICE] == texts.Numbers(current=3, material=2)
    assert numbers[Kind.RESEARCH] == texts.Numbers(current=1, material=1)


@pytest.mark.parametrize(
    ("locale", "body", "fault"),
    [
        ("en", "", Fault.EMPTY),
        ("id", "# Judul\n", Fault.HEADINGS),
        ("en", written()["id"], Fault.HEADINGS),
        ("en", written()["en"].replace("\n", "\r\n"), Fault.LETTERS),
        ("en", written()["en"] + "\n\n", Fault.LETTERS),
    ],
)
async def test_a_text_that_does_not_fit_is_not_published(
    database: Database, clock: FakeClock, locale: str, body: str, fault: Fault
) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        admin = await admin_in(db, clock)
        with pytest.raises(BadText) as raised:
            await publish(db, admin, clock, bodies=written() | {locale: body})
        assert (raised.value.locale, raised.value.fault) == (locale, fault)
        with pytest.raises(BadText):
            await publish(db, admin, clock, bodies={"id": written()["id"]})
        assert (await texts.current(db, kind=Kind.SERVICE)).number == 1


async def test_of_two_admins_the_second_is_told(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        admin = await admin_in(db, clock)
        await publish(db, admin, clock, base=1)
        with pytest.raises(Overtaken):
            await publish(db, admin, clock, base=1, bodies=written("Lain"))


async def test_nobody_but_an_admin_publishes(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        for role in (Role.COUNSELOR, Role.SUPERVISOR, Role.OFFICER):
            with pytest.raises(Forbidden):
                await publish(db, await admin_in(db, clock, role), clock)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE consent_texts SET body = 'x'",
        "UPDATE consent_texts SET reviewed = reviewed",
        "DELETE FROM consent_texts",
        "UPDATE consents SET given = NOT given",
        "DELETE FROM consents",
    ],
)
async def test_the_database_refuses_to_change_a_row(
    database: Database, clock: FakeClock, statement: str
) -> None:
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        await db.execute(
            text(
                "INSERT INTO consents (id, user_id, kind, given, version, locale, sha256, at, page) "
                "SELECT 'c_1', 'u_1', kind, true, version, locale, sha256, published_at, '/me/consents' "
                "FROM consent_texts WHERE kind = 'service' AND locale = 'id'"
            )
        )
    with pytest.raises(DBAPIError, match="only ever added to"):
        async with database.sessions.begin() as db:
            await db.execute(text(statement))
