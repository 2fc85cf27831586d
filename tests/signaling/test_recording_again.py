"""A session that is recorded a second time: a consent that is taken back is taken back to all of it."""

from __future__ import annotations

from typing import cast

import pytest

from core.ids import UserId
from recordings import consent_steps as steps
from recordings import withdrawals
from recordings.states import Ending
from recordings.tables import RecordingAgreementRow, RecordingRow
from signaling.directory import Recording
from tests.signaling.conftest import House, MakeHouse, Person
from tests.signaling.studio import FakeStudio
from tests.signaling.test_recording import Room, agree, consent, open_house, record, rows, written
from tests.signaling.test_recording_after_a_crash import talk

SIDES = pytest.mark.parametrize("who", [3, 4], ids=["client", "counselor"])


@pytest.fixture
async def room(make_house: MakeHouse) -> Room:
    """Two people in a session that was recorded once, until the disk was full."""
    studio = FakeStudio()
    return await recorded_once(await open_house(make_house, studio), studio)


async def recorded_once(house: House, studio: FakeStudio, *, user: UserId | None = None) -> Room:
    session = await house.session(recording=Recording.ASK, user=user)
    client, counselor = await house.pair(session)
    room = (house, studio, session, client, counselor)
    await record_until_the_disk_is_full(room)
    return room


async def record_until_the_disk_is_full(room: Room) -> None:
    house, _, session, *people = room
    assert house.hub.recordings is not None
    await record(room)
    house.hub.recordings._all[session.id].apply(steps.Breaks(Ending.DISK))
    for person in people:
        await person.get("recording", state="off", reason="disk")
    await written(room)


async def kept(house: House) -> list[tuple[str, str | None, bool]]:
    """Say of each recording, the oldest first, how it ended and whether it is closed."""
    found = sorted(await rows(house, RecordingRow), key=lambda row: row.started_at)
    return [(row.state, row.reason, row.closed_at is not None) for row in found]


def gone(who: int, reason: str) -> tuple[str, str, bool]:
    """How a recording stands that this side took back: a client's goes, a counselor's is closed."""
    return ("destroying", reason, False) if who == 3 else ("ended", reason, True)


def whose(who: int) -> str:
    return "withdrawn_client" if who == 3 else "withdrawn_counselor"


@SIDES
async def test_a_withdrawal_in_the_room_takes_what_was_recorded_before_too(room: Room, who: int) -> None:
    house = room[0]
    await record(room)
    await cast("Person", room[who]).ask("consent", **consent(granted=False))
    await written(room)
    assert await kept(house) == [gone(who, "disk"), gone(who, whose(who))]


@SIDES
async def test_so_does_one_where_nothing_records(room: Room, who: int) -> None:
    """They asked for another recording, and take that back before there was an answer."""
    house, person = room[0], cast("Person", room[who])
    await agree(person)
    await person.ask("consent", **consent(granted=False))
    await written(room)
    assert await kept(house) == [gone(who, "disk")]


@SIDES
async def test_a_withdrawal_by_http_does_the_same(room: Room, who: int) -> None:
    house, studio, session, *_ = room
    await record(room)
    place = session.participants[who - 3].id
    await house.hub.stop_recording(place)
    async with house.database.sessions.begin() as db:
        again = await withdrawals.withdraw(db, studio.audit, participant=place, now=house.clock.now())
    assert (await kept(house), again) == ([gone(who, "disk"), gone(who, whose(who))], [])


@SIDES
async def test_a_no_to_a_question_takes_nothing_that_was_recorded_before(room: Room, who: int) -> None:
    house, _, _, client, counselor = room
    asked, asks = (client, counselor) if who == 3 else (counselor, client)
    await agree(asks)
    await asked.get("recording", state="asked", question="yours")
    await asked.ask("consent", **consent(granted=False))
    await written(room)
    assert await kept(house) == [("ended", "disk", False)]
    agreed = await rows(house, RecordingAgreementRow)
    assert {row.why for row in agreed if not row.granted} == {"failed"}


async def test_an_answer_that_was_changed_beforehand_takes_nothing_that_was_recorded_before(
    make_house: MakeHouse,
) -> None:
    """On the page of the appointment they do not know yet, in the middle of the talk: only asking ends."""
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    user = await house.account()
    room = await recorded_once(house, studio, user=user)
    await record(room)
    studio.heard = False
    await house.hub.recheck_recordings_of(user)
    await written(room)
    assert await kept(house) == [("ended", "disk", False), gone(3, whose(3))]


@SIDES
async def test_it_takes_all_also_where_the_server_is_gone_before_the_database_is_back(
    make_house: MakeHouse, who: int
) -> None:
    studio = FakeStudio()
    room, failing = await talk(make_house, studio)
    house, person = room[0], cast("Person", room[who])
    await record_until_the_disk_is_full(room)
    await record(room)
    failing.broken = True
    await person.ask("consent", **consent(granted=False))
    await person.get("recording", state="off", reason="withdrawn")
    await house.hub.close()
    await open_house(make_house, FakeStudio(marks=studio.marks), database=house.database)
    assert await kept(house) == [gone(who, "disk"), gone(who, whose(who))]
