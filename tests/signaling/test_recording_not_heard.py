"""Who said no on the preparation page is not asked, and the counselor cannot tell that from no answer."""

from __future__ import annotations

from typing import Any

import pytest

from recordings.tables import RecordingAgreementRow, RecordingRequestRow
from signaling.directory import Recording
from tests.signaling.conftest import MakeHouse, Person
from tests.signaling.studio import TEXTS, FakeStudio
from tests.signaling.test_recording import Room, agree, consent, open_house, record, rows, tapped, written

BEYOND_THIS_PAGE = {"seq", "ref", "at", "from", "off_record"}
"""What differs from one session to the next."""


async def enter(make_house: MakeHouse, *, heard: bool) -> Room:
    studio = FakeStudio(heard=heard)
    house = await open_house(make_house, studio)
    session = await house.session(recording=Recording.ASK)
    client, counselor = await house.pair(session)
    return house, studio, session, client, counselor


def about_it(person: Person) -> list[dict[str, Any]]:
    """Give all that a page heard of the recording, in its order."""
    found = []
    for message in person.heard:
        if message["type"] == "welcome":
            found.append(message["session"]["recording"])
        elif message["type"] in ("recording", "consent", "error"):
            found.append({name: value for name, value in message.items() if name not in BEYOND_THIS_PAGE})
    return found


async def ask_in_vain(room: Room) -> list[dict[str, Any]]:
    """Let the counselor ask, wait, and ask again; gives all that they were told."""
    house, _, _, client, counselor = room
    await counselor.get("recording", state="off", may_agree=True)
    await agree(counselor)
    await counselor.get("recording", state="asked", question="theirs")
    house.clock.advance(181)
    house.hub.tick()
    await counselor.get("recording", state="off", granted=False)
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "asked_already"
    assert (await client.ask("chat", text="Halo"))["type"] == "ok"
    await written(room)
    return about_it(counselor)


async def test_the_counselor_hears_the_same_of_a_no_beforehand_and_of_no_answer(
    make_house: MakeHouse,
) -> None:
    silent = await enter(make_house, heard=True)
    told = await ask_in_vain(silent)
    refused = await enter(make_house, heard=False)
    assert await ask_in_vain(refused) == told
    kept = [
        [(row.side, row.granted, row.why) for row in await rows(room[0], RecordingAgreementRow)]
        + [1 for _ in await rows(room[0], RecordingRequestRow)]
        for room in (silent, refused)
    ]
    assert kept[0] == kept[1]


async def test_no_question_reaches_whoever_said_no_beforehand(make_house: MakeHouse) -> None:
    room = await enter(make_house, heard=False)
    await ask_in_vain(room)
    heard = about_it(room[3])
    assert {(one["state"], one.get("may_agree", False), one.get("question")) for one in heard} == {
        ("off", False, None)
    }


async def test_a_question_that_is_taken_back_reaches_nobody_either(make_house: MakeHouse) -> None:
    *_, client, counselor = await enter(make_house, heard=False)
    await agree(counselor)
    before = about_it(client)
    await counselor.ask("consent", **consent(granted=False))
    await counselor.get("recording", state="off", granted=False)
    assert (await client.ask("chat", text="Halo"))["type"] == "ok"
    assert about_it(client) == before


async def test_a_no_beforehand_holds_for_whoever_said_it(make_house: MakeHouse) -> None:
    room = await enter(make_house, heard=False)
    *_, client, counselor = room
    await client.get("recording", state="off", may_agree=False)
    assert (await client.ask("consent", **consent(granted=True)))["code"] == "asked_already"
    await agree(counselor)
    assert (await client.ask("consent", **consent(granted=True)))["code"] == "asked_already"
    assert tapped(room) == set()


async def test_a_no_said_elsewhere_in_the_session_closes_the_question(make_house: MakeHouse) -> None:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    user = await house.account()
    session = await house.session(recording=Recording.ASK, user=user)
    client, counselor = await house.pair(session)
    await agree(counselor)
    await client.get("recording", state="asked", question="yours")
    await counselor.get("recording", state="asked")
    before = about_it(counselor)
    studio.heard = False
    await house.hub.recheck_recordings_of(user)
    assert "question" not in await client.get("recording", state="off", may_agree=False)
    assert (await counselor.ask("chat", text="Halo"))["type"] == "ok"
    assert about_it(counselor) == before


async def test_a_no_said_elsewhere_stops_what_records(make_house: MakeHouse) -> None:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    user = await house.account()
    session = await house.session(recording=Recording.ASK, user=user)
    client, counselor = await house.pair(session)
    room = (house, studio, session, client, counselor)
    await record(room)
    studio.heard = False
    await house.hub.recheck_recordings_of(user)
    assert tapped(room) == set()
    await counselor.get("recording", state="off", reason="withdrawn")


async def test_a_no_that_became_a_yes_before_entering_counts_no_more(make_house: MakeHouse) -> None:
    studio = FakeStudio(heard=False)
    house = await open_house(make_house, studio)
    session = await house.session(recording=Recording.ASK)
    counselor = await house.join(session, 1)
    studio.heard, studio.prepared = True, TEXTS["id"]
    client = await house.join(session, 0)
    await counselor.get("recording", state="asked", question="yours")
    await agree(counselor)
    await client.get("recording", state="on")


async def test_a_no_that_became_a_yes_while_the_counselor_asks_counts_when_the_time_is_over(
    make_house: MakeHouse,
) -> None:
    studio = FakeStudio(heard=False)
    house = await open_house(make_house, studio)
    user = await house.account()
    session = await house.session(recording=Recording.ASK, user=user)
    client, counselor = await house.pair(session)
    await agree(counselor)
    await counselor.get("recording", state="asked", question="theirs")
    before = about_it(counselor)
    studio.heard, studio.prepared = True, TEXTS["id"]
    await house.hub.recheck_recordings_of(user)
    assert (await counselor.ask("chat", text="Halo"))["type"] == "ok"
    assert about_it(counselor) == before
    house.clock.advance(181)
    house.hub.tick()
    await counselor.get("recording", state="off", granted=False)
    house.hub.tick()
    await counselor.get("recording", state="asked", question="yours")
    await agree(counselor)
    await client.get("recording", state="on")
    assert house.hub._counts["internal_errors"] == 0


@pytest.mark.parametrize("heard", [True, False])
async def test_who_said_no_hears_of_no_question_on_coming_back(make_house: MakeHouse, heard: bool) -> None:
    house, _, session, client, counselor = await enter(make_house, heard=heard)
    await agree(counselor)
    await counselor.get("recording", state="asked")
    if heard:
        await client.get("recording", state="asked", question="yours")
        await client.ask("consent", **consent(granted=False))
    key = next(m["resume_key"] for m in client.heard if m["type"] == "welcome")
    await client.vanish()
    back = await house.join(session, 0, resume={"key": key, "seq": 10_000})
    welcome = next(message for message in back.heard if message["type"] == "welcome")
    assert welcome["session"]["recording"] == {"policy": "ask", "state": "off", "terms": "2"}
    assert (await back.get("recording"))["state"] == "off"
