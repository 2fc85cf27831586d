"""Erasing reaches every table: what stays of a person is an opaque id, where that is said."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from accounts import notices, people
from accounts.people import Person
from accounts.roles import Role
from core.db import Base
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording
from signaling.directory import Role as PlaceRole
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.people import log_in, make, send
from tests.web.test_calendar import book
from web.app import make_app
from web.services import SERVICES
from web.upkeep import erase_due

OPAQUE = {"audit_rows", "subject_keys", "consents"}
"""Where an erased person's opaque id stays: docs/privacy.md says why."""

NAME = "Embun Tanpa Jejak"
ADDRESS = "embun@example.org"


def test_no_table_keeps_a_person_from_being_erased() -> None:
    """A foreign key that neither cascades nor lets go would stop every erasing of that person for ever."""
    assert callable(make_app)  # the whole program is loaded, and so are all of its tables
    stopping = {
        f"{table.name}.{column.name}"
        for table in Base.metadata.sorted_tables
        for column in table.columns
        for key in column.foreign_keys
        if key.column.table.name == "users" and key.ondelete not in {"CASCADE", "SET NULL"}
    }
    assert stopping == set()


async def found(client: Client, *words: str) -> dict[str, set[str]]:
    """Say in which tables and columns these words stand in the open."""
    services = client.app[SERVICES]
    where: dict[str, set[str]] = {}
    async with services.database.sessions() as db:
        for table in Base.metadata.sorted_tables:
            for row in (await db.execute(select(table))).mappings():
                for column, value in row.items():
                    text = value.decode("utf-8", "ignore") if isinstance(value, bytes) else str(value)
                    if any(word in text for word in words):
                        where.setdefault(table.name, set()).add(str(column))
    return where


async def live(client: Client, me: Person) -> None:
    """Do with a client's account all that the pages offer."""
    await log_in(client, me)
    assert (await send(client, "/me/email", {"email": ADDRESS}))[0] == 303
    assert (await send(client, "/me/recovery", {}))[0] in {200, 303}
    given = {"version": 1, "locale": "id"}
    assert (await send(client, "/me/consents/service/give", given, page="/me/consents"))[0] == 303
    complaint = {"topic": "boundary", "text": f"Nama saya {NAME}."}
    assert (await send(client, "/complaint", complaint))[0] == 200
    message = {"topic": "family", "tongue": "id", "text": f"Nama saya {NAME}."}
    assert (await send(client, "/messages/new", message))[0] == 303
    services = client.app[SERVICES]
    ratna = await make(client, Role.COUNSELOR, name="Ratna")
    await book(client, me, ratna)
    async with services.database.sessions.begin() as db:
        await notices.post(db, user=me.id, kind="complaint_answered", now=services.now())
        await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.OFF,
            participants=[
                NewParticipant(PlaceRole.CLIENT, me.name, me.id),
                NewParticipant(PlaceRole.COUNSELOR, "Bima"),
            ],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=services.now(),
        )


async def test_after_erasing_only_an_opaque_id_is_left(client: Client, clock: FakeClock) -> None:
    me = await make(client, name=NAME)
    await make(client, Role.OFFICER, name="Wayan")
    await live(client, me)
    before = await found(client, me.id, NAME)
    assert set(before) > OPAQUE | {
        "users",
        "notices",
        "contacts",
        "participants",
        "complaints",
        "appointments",
        "appointment_times",
        "threads",
    }
    assert (await send(client, "/me/erase", {"sure": "y"}))[0] == 303
    clock.advance(timedelta(hours=72).total_seconds())
    services = client.app[SERVICES]
    await erase_due(services)
    async with services.database.sessions() as db:
        assert await people.find(db, user=me.id) is None
    assert await found(client, NAME, ADDRESS) == {}
    assert set(await found(client, me.id)) == OPAQUE
