from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from accounts import notices
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Role
from core.errors import Forbidden, InvalidInput, NotFound
from core.ids import UserId
from counseling import breakglass, preparation
from counseling.breakglass import Opening
from counseling.preparation import Preparation
from counseling.preparation_tables import ContactOpeningRow
from counseling.roster import Duty
from counseling.way_tables import TalkRow
from tests.counseling.conftest import Desk
from tests.counseling.test_preparation import TOLD, client_of, prepare, talk_of, walk_in

REASON = "Klien menyebut cara dan tempat, lalu sambungan putus."


async def case(desk: Desk) -> tuple[Person, Person, Person, Preparation]:
    """A client in a talk with a counselor, a supervisor, and what was prepared."""
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    sari = await desk.make(Role.SUPERVISOR, name="Sari")
    occasion = await walk_in(desk, embun, danger=True)
    found = await prepare(desk, occasion)
    await talk_of(desk, occasion, ratna)
    return embun, ratna, sari, found


async def open_glass(
    desk: Desk,
    person: Person,
    found: Preparation,
    second: Person,
    *,
    duty: Duty | None = None,
    reason: str = REASON,
    untold_why: str | None = None,
) -> Grant:
    async with desk.database.sessions.begin() as db:
        return await breakglass.open_glass(
            db,
            desk.audit,
            person=person,
            preparation=found,
            duty=duty,
            reason=reason,
            second=second.id,
            untold_why=untold_why,
            now=desk.clock.now(),
        )


async def kinds(desk: Desk, user: UserId) -> list[str]:
    async with desk.database.sessions() as db:
        return [one.kind for one in await notices.inbox(db, user=user)]


async def history(desk: Desk, client: Person) -> list[str]:
    async with desk.database.sessions() as db:
        return [row.tag for row in await desk.audit.own(db, person=client.id, others_only=True)]


async def openings(desk: Desk, person: Person) -> list[Opening]:
    async with desk.database.sessions() as db:
        return await breakglass.of_person(db, desk.audit, person=person)


async def test_the_counselor_of_the_talk_opens_it_and_everybody_is_told(desk: Desk) -> None:
    embun, ratna, sari, found = await case(desk)
    grant = await open_glass(desk, ratna, found, sari)
    async with desk.database.sessions() as db:
        told = await preparation.opened(db, grant, desk.audit, preparation=found.id, now=desk.clock.now())
        held = await breakglass.current(db, desk.audit, person=ratna, preparation=found, now=desk.clock.now())
    assert told == TOLD
    assert held is not None
    assert await kinds(desk, sari.id) == ["contact_second"]
    assert await kinds(desk, embun.id) == ["contact_opened"]
    assert "grant:give" in await history(desk, embun)
    for person in (ratna, sari):
        (opening,) = await openings(desk, person)
        assert (opening.reason, opening.untold_why, opening.told_at) == (REASON, None, desk.clock.now())


async def test_it_opens_for_minutes(desk: Desk) -> None:
    _, ratna, sari, found = await case(desk)
    grant = await open_glass(desk, ratna, found, sari)
    desk.clock.advance(15 * 60)
    async with desk.database.sessions() as db:
        assert (
            await breakglass.current(db, desk.audit, person=ratna, preparation=found, now=desk.clock.now())
            is None
        )
        with pytest.raises(Forbidden):
            await preparation.opened(db, grant, desk.audit, preparation=found.id, now=desk.clock.now())


async def test_a_client_whom_telling_endangers_is_told_later(desk: Desk) -> None:
    embun, ratna, sari, found = await case(desk)
    before = await history(desk, embun)
    why = "Pasangannya membaca ponselnya."
    grant = await open_glass(desk, ratna, found, sari, untold_why=why)
    async with desk.database.sessions() as db:
        told = await preparation.opened(db, grant, desk.audit, preparation=found.id, now=desk.clock.now())
    assert told == TOLD
    assert await kinds(desk, embun.id) == []
    assert await history(desk, embun) == before, "nor does it stand in the history"
    (opening,) = await openings(desk, sari)
    assert (opening.untold_why, opening.told_at) == (why, None)
    stranger = await desk.make(Role.SUPERVISOR, name="Lain")
    with pytest.raises(NotFound):
        async with desk.database.sessions.begin() as db:
            await breakglass.tell(db, desk.audit, person=stranger, opening=opening.id, now=desk.clock.now())
    for _ in range(2):
        async with desk.database.sessions.begin() as db:
            await breakglass.tell(db, desk.audit, person=sari, opening=opening.id, now=desk.clock.now())
    assert await kinds(desk, embun.id) == ["contact_opened"]
    assert (await history(desk, embun))[0] == "contact:tell"


async def test_who_may_open(desk: Desk) -> None:
    _, ratna, sari, found = await case(desk)
    bima, admin = await desk.make(Role.COUNSELOR, name="Bima"), await desk.make(Role.ADMIN)
    for person, duty in ((bima, None), (sari, None), (admin, Duty(admin.id, None))):
        with pytest.raises(Forbidden):
            await open_glass(desk, person, found, ratna, duty=duty)
    await open_glass(desk, bima, found, sari, duty=Duty(bima.id, sari.id))
    await open_glass(desk, sari, found, bima, duty=Duty(bima.id, sari.id))
    async with desk.database.sessions.begin() as db:
        await db.execute(update(TalkRow).values(ended_at=desk.clock.now()))
    await open_glass(desk, ratna, found, sari)
    desk.clock.advance(timedelta(hours=72).total_seconds())
    with pytest.raises(Forbidden):
        await open_glass(desk, ratna, found, sari)


async def test_nobody_is_their_own_second_person(desk: Desk) -> None:
    embun, ratna, sari, found = await case(desk)
    bima = await desk.make(Role.COUNSELOR, name="Bima")
    duty = Duty(ratna.id, None)
    async with desk.database.sessions() as db:
        assert [one.id for one in await breakglass.seconds(db, person=ratna, duty=duty)] == [sari.id]
    for second in (ratna, bima, embun):
        with pytest.raises(InvalidInput):
            await open_glass(desk, ratna, found, second, duty=duty)


@pytest.mark.parametrize("reason", ["", "  x ", "a" * 201])
async def test_without_a_reason_it_stays_shut(desk: Desk, reason: str) -> None:
    embun, ratna, sari, found = await case(desk)
    with pytest.raises(InvalidInput):
        await open_glass(desk, ratna, found, sari, reason=reason)
    assert await kinds(desk, sari.id) == []
    assert "grant:give" not in await history(desk, embun)


async def test_the_second_person_confirms_once(desk: Desk) -> None:
    _, ratna, sari, found = await case(desk)
    await open_glass(desk, ratna, found, sari)
    (opening,) = await openings(desk, sari)
    with pytest.raises(NotFound):
        async with desk.database.sessions.begin() as db:
            await breakglass.confirm(db, desk.audit, person=ratna, opening=opening.id, now=desk.clock.now())
    first = desk.clock.now()
    for _ in range(2):
        async with desk.database.sessions.begin() as db:
            await breakglass.confirm(db, desk.audit, person=sari, opening=opening.id, now=desk.clock.now())
        desk.clock.advance(60)
    (seen,) = await openings(desk, ratna)
    assert seen.seen_at == first


async def test_reasons_are_sealed_and_go_after_a_year(desk: Desk) -> None:
    _, ratna, sari, found = await case(desk)
    await open_glass(desk, ratna, found, sari, untold_why="Pasangannya membaca ponselnya.")
    async with desk.database.sessions.begin() as db:
        (row,) = await db.scalars(select(ContactOpeningRow))
        assert b"cara" not in row.reason
        assert row.untold_why is not None
        assert b"Pasangan" not in row.untold_why
        await breakglass.prune(db, now=desk.clock.now() + timedelta(days=364))
        assert len((await db.scalars(select(ContactOpeningRow))).all()) == 1
        await breakglass.prune(db, now=desk.clock.now() + timedelta(days=366))
        assert (await db.scalars(select(ContactOpeningRow))).all() == []
