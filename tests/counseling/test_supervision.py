from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import people
from accounts.roles import Role
from core.errors import Forbidden, InvalidInput, NotFound
from counseling import ethics, register, supervision
from counseling.ethics import Superseded
from counseling.standings import standings
from counseling.supervision import Twice
from tests.counseling.conftest import LICENCE, TODAY, Desk

DAY = timedelta(days=1)


async def test_an_assignment_holds_through_its_last_day(desk: Desk) -> None:
    _, sari, ratna = three = await desk.three()
    made = await desk.assign(three, TODAY, TODAY + DAY)
    days = (TODAY - DAY, TODAY, TODAY + DAY, TODAY + 2 * DAY)
    async with desk.database.sessions() as db:
        held = [len(await supervision.of_supervisor(db, supervisor=sari.id, day=day)) for day in days]
        named = [
            ratna.id in await supervision.supervisors(db, counselors=[ratna.id], day=day) for day in days
        ]
    assert held == [0, 1, 1, 0]
    assert named == [False, True, True, False]
    assert [made.holds(day) for day in days] == named


async def test_the_same_days_are_not_assigned_twice(desk: Desk) -> None:
    three = await desk.three()
    await desk.assign(three, TODAY, TODAY + 9 * DAY)
    for from_day, until_day in ((TODAY, None), (TODAY + 9 * DAY, None), (TODAY - DAY, TODAY)):
        with pytest.raises(Twice):
            await desk.assign(three, from_day, until_day)
    await desk.assign(three, TODAY + 10 * DAY)


async def test_who_may_supervise_whom(desk: Desk) -> None:
    admin, ratna = await desk.make(Role.ADMIN), await desk.make(Role.COUNSELOR)
    both = await desk.make(Role.COUNSELOR, Role.SUPERVISOR)
    for person, supervisor, counselor, error in (
        (both, both, ratna, Forbidden),
        (admin, ratna, both, InvalidInput),
        (admin, both, both, InvalidInput),
        (admin, both, admin, InvalidInput),
    ):
        with pytest.raises(error):
            await desk.assign((person, supervisor, counselor))
    with pytest.raises(InvalidInput):
        await desk.assign((admin, both, ratna), TODAY, TODAY - DAY)


async def test_an_assignment_ends_at_once(desk: Desk) -> None:
    admin, sari, ratna = three = await desk.three()
    made = await desk.assign(three)
    with pytest.raises(NotFound):
        async with desk.database.sessions.begin() as db:
            await supervision.end(
                db,
                desk.audit,
                person=admin,
                counselor=sari.id,
                supervision=made.id,
                today=TODAY,
                now=desk.clock.now(),
            )
    for _ in range(2):
        async with desk.database.sessions.begin() as db:
            await supervision.end(
                db,
                desk.audit,
                person=admin,
                counselor=ratna.id,
                supervision=made.id,
                today=TODAY,
                now=desk.clock.now(),
            )
    async with desk.database.sessions() as db:
        assert await supervision.of_supervisor(db, supervisor=sari.id, day=TODAY) == []
        assert len(await supervision.of_counselor(db, counselor=ratna.id)) == 1
        tags = [row.tag for row in await desk.audit.own(db, person=ratna.id)]
    assert tags == ["supervision:end", "supervision:assign"]


async def test_where_somebody_stands_is_read_together(desk: Desk) -> None:
    _, sari, ratna = three = await desk.three()
    await desk.assign(three)
    current = await desk.put_texts()
    async with desk.database.sessions.begin() as db:
        entry = await register.change_licence(
            db,
            desk.audit,
            user=ratna.id,
            licence=LICENCE,
            now=desk.clock.now(),
        )
        person, before = (await standings(db, entries=[entry], today=TODAY))[ratna.id]
        await ethics.sign(
            db,
            desk.audit,
            user=ratna.id,
            version=current.number,
            digest=current.text("id").sha256,
            language="id",
            now=desk.clock.now(),
        )
        _, after = (await standings(db, entries=[entry], today=TODAY))[ratna.id]
    assert person.id == ratna.id
    assert (before.working, before.supervised, before.ethics_signed) == (True, True, None)
    assert (after.ethics_signed, after.ethics_needed) == (current.number, current.number)
    async with desk.database.sessions.begin() as db:
        await people.disable(db, user=sari.id, at=desk.clock.now())
        _, without = (await standings(db, entries=[entry], today=TODAY))[ratna.id]
        await people.disable(db, user=ratna.id, at=desk.clock.now())
        _, closed = (await standings(db, entries=[entry], today=TODAY))[ratna.id]
    assert not without.supervised
    assert not closed.working


async def test_only_the_text_that_holds_is_signed_and_once(desk: Desk) -> None:
    ratna, current = await desk.make(Role.COUNSELOR), await desk.put_texts()
    digest = current.text("id").sha256
    for version, wrong in ((current.number + 1, digest), (current.number, "0" * 64)):
        with pytest.raises(Superseded):
            async with desk.database.sessions.begin() as db:
                await ethics.sign(
                    db,
                    desk.audit,
                    user=ratna.id,
                    version=version,
                    digest=wrong,
                    language="id",
                    now=desk.clock.now(),
                )
    for _ in range(2):
        desk.clock.advance(5)
        async with desk.database.sessions.begin() as db:
            await ethics.sign(
                db,
                desk.audit,
                user=ratna.id,
                version=current.number,
                digest=digest,
                language="id",
                now=desk.clock.now(),
            )
    async with desk.database.sessions() as db:
        (signature,) = await ethics.signatures(db, user=ratna.id)
        assert [row.tag for row in await desk.audit.own(db, person=ratna.id)] == ["ethics:sign"]
    assert desk.clock.now() - signature.signed_at == timedelta(seconds=5)
