from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from sqlalchemy import insert, select

from accounts import grants, people
from accounts.people import Person
from accounts.roles import Permission, Role
from core.errors import Forbidden, InvalidInput, InvalidState, NotFound
from core.ids import new_id
from counseling import preparation, recording_answers, walkins
from counseling.entry import Medium
from counseling.preparation import (
    Contact,
    Occasion,
    OnDrop,
    Preparation,
    gone_at,
    is_number,
)
from counseling.preparation_tables import PreparationRow
from counseling.triage import Answers, Risk, triage
from counseling.walkin_states import Alone, Ended
from counseling.way_tables import TalkRow
from tests.counseling.conftest import Desk

HOUR = timedelta(hours=1)
TOLD = Contact("Kos Melati, Jl. Kaliurang km 5, Sleman", "Ibu", "0812 3456 789", "+62 811-222-333")


async def client_of(desk: Desk, name: str = "Embun", *, adult: bool = True) -> Person:
    async with desk.database.sessions.begin() as db:
        return await people.create_client(db, name=name, language="id", adult=adult, now=desk.clock.now())


async def walk_in(desk: Desk, client: Person, *, alone: Alone = Alone.YES, danger: bool = False) -> Occasion:
    async with desk.database.sessions.begin() as db:
        await walkins.ask(
            db,
            desk.audit,
            client=client,
            language="id",
            topic="family",
            medium=Medium.VIDEO,
            alone=alone,
            triage=triage(Answers(danger=danger)),
            now=desk.clock.now(),
        )
        occasion = await preparation.occasion_of(db, client=client.id)
    assert occasion is not None
    return occasion


async def prepare(desk: Desk, occasion: Occasion, contact: Contact = TOLD) -> Preparation:
    async with desk.database.sessions.begin() as db:
        await preparation.keep_contact(
            db, desk.audit, occasion=occasion, contact=contact, now=desk.clock.now()
        )
        found = await preparation.find(db, occasion=occasion)
    assert found is not None
    return found


async def talk_of(desk: Desk, occasion: Occasion, counselor: Person) -> str:
    number = new_id("t")
    async with desk.database.sessions.begin() as db:
        await db.execute(
            insert(TalkRow).values(
                id=number,
                walkin_id=occasion.walkin,
                client_id=occasion.client,
                counselor_id=counselor.id,
                medium="video",
                reasons=[],
                shares_history=False,
                begun_at=desk.clock.now(),
            )
        )
    return number


def test_it_is_gone_with_the_session_and_three_days_after_a_risk() -> None:
    end = datetime.fromisoformat("2026-03-02T09:00:00+00:00")
    for risk in Risk:
        assert gone_at(risk, None) is None, "what is still to come or goes on is kept"
    assert gone_at(Risk.NONE, end) == end
    assert gone_at(Risk.WATCH, end) == gone_at(Risk.URGENT, end) == end + 72 * HOUR


@pytest.mark.parametrize(
    ("text", "fits"),
    [("0812 3456 789", True), ("+62 (811) 222-333", True), ("112", False), ("ibu", False), ("+", False)],
)
def test_a_number_can_be_dialled(*, text: str, fits: bool) -> None:
    assert is_number(text) is fits


async def test_what_was_said_is_sealed_and_opens_to_the_client(desk: Desk) -> None:
    occasion = await walk_in(desk, await client_of(desk))
    await prepare(desk, occasion)
    async with desk.database.sessions() as db:
        (row,) = await db.scalars(select(PreparationRow))
        assert row.contact is not None
        assert b"Melati" not in row.contact
        assert await preparation.own(db, desk.audit, occasion=occasion) == TOLD
    again = await prepare(desk, occasion, Contact())
    assert not again.has_contact, "what is emptied is gone"


@pytest.mark.parametrize(
    "contact", [Contact(number="ibu"), Contact(person_number="1"), Contact(place="a" * 301)]
)
async def test_what_does_not_fit_is_not_kept(desk: Desk, contact: Contact) -> None:
    occasion = await walk_in(desk, await client_of(desk))
    with pytest.raises(InvalidInput):
        await prepare(desk, occasion, contact)


async def test_a_drop_does_nothing_unless_the_client_says_so(desk: Desk) -> None:
    occasion = await walk_in(desk, await client_of(desk))
    talk = await talk_of(desk, occasion, await desk.make(Role.COUNSELOR))

    async def choose(on_drop: OnDrop) -> OnDrop:
        async with desk.database.sessions.begin() as db:
            await preparation.keep_on_drop(
                db, desk.audit, occasion=occasion, on_drop=on_drop, now=desk.clock.now()
            )
        async with desk.database.sessions() as db:
            return await preparation.on_drop(db, talk=talk)

    async with desk.database.sessions() as db:
        assert await preparation.on_drop(db, talk=talk) is OnDrop.NOTHING
    with pytest.raises(InvalidState):
        await choose(OnDrop.CALL)
    assert await choose(OnDrop.WRITE) is OnDrop.WRITE
    await prepare(desk, occasion)
    assert await choose(OnDrop.CALL) is OnDrop.CALL


async def test_the_number_opens_to_a_counselor_who_was_asked_to_call(desk: Desk) -> None:
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    occasion = await walk_in(desk, embun)
    found = await prepare(desk, occasion)
    talk = await talk_of(desk, occasion, ratna)
    async with desk.database.sessions.begin() as db:
        grant = await grants.give(
            db,
            desk.audit,
            person=ratna,
            permission=Permission.CALL_BACK,
            subject=embun.id,
            object_id=found.id,
            purpose="the line dropped",
            now=desk.clock.now(),
        )
        with pytest.raises(NotFound):
            await preparation.number_to_call(db, grant, desk.audit, talk=talk, now=desk.clock.now())
        await preparation.keep_on_drop(
            db, desk.audit, occasion=occasion, on_drop=OnDrop.CALL, now=desk.clock.now()
        )
        number = await preparation.number_to_call(db, grant, desk.audit, talk=talk, now=desk.clock.now())
        assert number == TOLD.number
        with pytest.raises(Forbidden):
            await preparation.opened(db, grant, desk.audit, preparation=found.id, now=desk.clock.now())


@pytest.mark.parametrize(("danger", "hours"), [(False, 0), (True, 72)])
async def test_it_goes_with_what_it_was_for(desk: Desk, *, danger: bool, hours: int) -> None:
    occasion = await walk_in(desk, await client_of(desk), danger=danger)
    await prepare(desk, occasion)

    async def prune() -> int:
        async with desk.database.sessions.begin() as db:
            return await preparation.prune(db, now=desk.clock.now())

    assert await prune() == 0
    assert occasion.walkin is not None
    async with desk.database.sessions.begin() as db:
        await walkins.leave(db, desk.audit, walkin=occasion.walkin, why=Ended.LEFT, now=desk.clock.now())
    if hours:
        desk.clock.advance(hours * 3600 - 1)
        assert await prune() == 0
        desk.clock.advance(1)
    assert await prune() == 1
    async with desk.database.sessions() as db:
        assert (await db.scalars(select(PreparationRow))).all() == []


async def test_a_counselor_closes_what_is_not_needed_any_more(desk: Desk) -> None:
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    found = await prepare(desk, await walk_in(desk, embun))
    async with desk.database.sessions.begin() as db:
        await preparation.close(db, desk.audit, preparation=found.id, person=ratna, now=desk.clock.now())
    async with desk.database.sessions() as db:
        assert (await db.scalars(select(PreparationRow))).all() == []
        tags = [row.tag for row in await desk.audit.own(db, person=embun.id)]
    assert tags[:2] == ["preparation:close", "preparation:keep"]


@pytest.mark.parametrize("answer", [True, False])
async def test_what_is_closed_leaves_the_answer_about_recording(desk: Desk, *, answer: bool) -> None:
    """Else a counselor would take back a client's consent, or have asked who said no."""
    embun, ratna = await client_of(desk), await desk.make(Role.COUNSELOR)
    occasion = await walk_in(desk, embun)
    talk = await talk_of(desk, occasion, ratna)
    found = await prepare(desk, occasion)
    now = desk.clock.now()
    async with desk.database.sessions.begin() as db:
        await recording_answers.keep(db, desk.audit, occasion=occasion, client=embun, answer=answer, now=now)
        await preparation.close(db, desk.audit, preparation=found.id, person=ratna, now=now)
    async with desk.database.sessions() as db:
        assert await recording_answers.answer_of(db, talk=talk) is answer
        assert await recording_answers.reaches(db, talk=talk) is answer
        (row,) = await db.scalars(select(PreparationRow))
        assert (row.contact, row.on_drop) == (None, "nothing")


async def test_without_a_number_nobody_is_asked_to_call(desk: Desk) -> None:
    occasion = await walk_in(desk, await client_of(desk))
    await prepare(desk, occasion)
    async with desk.database.sessions.begin() as db:
        await preparation.keep_on_drop(
            db, desk.audit, occasion=occasion, on_drop=OnDrop.CALL, now=desk.clock.now()
        )
    assert (await prepare(desk, occasion)).on_drop is OnDrop.CALL
    assert (await prepare(desk, occasion, replace(TOLD, number=""))).on_drop is OnDrop.NOTHING
