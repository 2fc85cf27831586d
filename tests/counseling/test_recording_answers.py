"""Whom a recording is asked of before a session, and whom a question in the room reaches."""

from __future__ import annotations

from dataclasses import replace

import pytest
from sqlalchemy import update

from accounts.people import Person
from accounts.roles import Role
from core.db import Database
from core.errors import InvalidState
from core.ids import UserId
from counseling import preparation, recording_answers
from counseling.entry import Medium
from counseling.preparation import Occasion
from counseling.recording_answers import Asking, asks_recording
from counseling.triage import Risk
from counseling.walkin_states import Alone
from counseling.way_tables import WalkinRow
from tests.counseling.conftest import Desk
from tests.counseling.test_appointments import Diary
from tests.counseling.test_preparation import client_of, talk_of, walk_in
from tests.fakes import FakeClock

OCCASION = Occasion(UserId("u_x"), Medium.VIDEO, Risk.NONE, Alone.YES, None, walkin="w_x")


@pytest.mark.parametrize(
    ("changed", "adult", "expected"),
    [
        ({}, True, Asking.YES),
        ({}, False, Asking.NO),
        ({}, None, Asking.NO),
        ({"alone": Alone.NO}, True, Asking.NO),
        ({"alone": Alone.UNSURE}, True, Asking.NO),
        ({"alone": None}, True, Asking.FIRST_ALONE),
        ({"alone": None}, False, Asking.NO),
        ({"risk": Risk.WATCH}, True, Asking.NO),
        ({"risk": Risk.URGENT}, True, Asking.NO),
        ({"medium": Medium.IN_PERSON}, True, Asking.NO),
    ],
)
def test_who_is_asked_about_recording(
    *, changed: dict[str, object], adult: bool | None, expected: Asking
) -> None:
    assert asks_recording(replace(OCCASION, **changed), adult=adult) is expected  # type: ignore[arg-type]  # by name


async def keep(desk: Desk | Diary, person: Person, at: Occasion, *, answer: bool | None) -> None:
    async with desk.database.sessions.begin() as db:
        await recording_answers.keep(
            db, desk.audit, occasion=at, client=person, answer=answer, now=desk.clock.now()
        )


async def stands(desk: Desk | Diary, talk: str) -> tuple[bool | None, bool, bool]:
    """Give the answer, whether the question fits, and whether it reaches the client."""
    async with desk.database.sessions() as db:
        return (
            await recording_answers.answer_of(db, talk=talk),
            await recording_answers.fits(db, talk=talk),
            await recording_answers.reaches(db, talk=talk),
        )


async def test_a_no_shows_nowhere_and_the_question_does_not_reach_who_said_it(desk: Desk) -> None:
    embun = await client_of(desk)
    occasion = await walk_in(desk, embun)
    talk = await talk_of(desk, occasion, await desk.make(Role.COUNSELOR))
    assert await stands(desk, talk) == (None, True, True)
    for answer, reaches in ((False, False), (None, True), (True, True)):
        await keep(desk, embun, occasion, answer=answer)
        assert await stands(desk, talk) == (answer, True, reaches)


@pytest.mark.parametrize("found", [{"risk": "watch"}, {"alone": "no"}])
@pytest.mark.parametrize("answer", [True, None])
async def test_nobody_is_asked_in_whom_a_risk_is_found_or_who_is_not_alone(
    desk: Desk, answer: bool | None, found: dict[str, str]
) -> None:
    embun = await client_of(desk)
    occasion = await walk_in(desk, embun)
    talk = await talk_of(desk, occasion, await desk.make(Role.COUNSELOR))
    await keep(desk, embun, occasion, answer=answer)
    async with desk.database.sessions.begin() as db:
        await db.execute(update(WalkinRow).values(found))
    assert await stands(desk, talk) == (None, False, False)


@pytest.mark.parametrize("answer", [True, False, None])
async def test_without_an_answer_to_an_appointment_nobody_knows_that_the_client_is_alone(
    database: Database, clock: FakeClock, answer: bool | None
) -> None:
    diary = Diary(database, clock)
    embun, ratna = await diary.client(), await diary.counselor()
    booked = await diary.book(embun, diary.wish(ratna))
    async with database.sessions() as db:
        occasion = await preparation.occasion_of(db, client=embun.id)
    assert occasion is not None
    await keep(diary, embun, occasion, answer=answer)
    begun = await diary.begin(booked)
    assert begun.talk is not None
    assert await stands(diary, begun.talk) == (answer, True, answer is True)


async def test_nobody_answers_who_is_not_asked(desk: Desk) -> None:
    minor, listened = await client_of(desk, "Awan", adult=False), await client_of(desk, "Hujan")
    for person, alone in ((minor, Alone.YES), (listened, Alone.UNSURE)):
        with pytest.raises(InvalidState):
            await keep(desk, person, await walk_in(desk, person, alone=alone), answer=True)
