"""What was said before the server stopped holds after it: a withdrawal, and that no consent outlives it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from recordings.marks import Marks
from recordings.states import Side
from recordings.tables import RecordingAgreementRow, RecordingRow
from signaling.directory import Recording
from tests.signaling.conftest import House, MakeHouse, Person
from tests.signaling.studio import FakeStudio
from tests.signaling.test_recording import Failing, Room, agree, consent, open_house, record, rows, written


async def talk(make_house: MakeHouse, studio: FakeStudio) -> tuple[Room, Failing]:
    house = await open_house(make_house, studio)
    assert house.hub.recordings is not None
    failing = Failing(house.database)
    house.hub.recordings._hands = replace(house.hub.recordings._hands, db=cast("Any", failing))
    session = await house.session(recording=Recording.ASK)
    client, counselor = await house.pair(session)
    return (house, studio, session, client, counselor), failing


async def fallen(house: House) -> list[tuple[str, str]]:
    return [(one.side, one.why) for one in await rows(house, RecordingAgreementRow) if not one.granted]


@pytest.mark.parametrize(
    ("who", "state", "reason"),
    [(3, "destroying", "withdrawn_client"), (4, "ended", "withdrawn_counselor")],
)
async def test_a_withdrawal_outlives_a_restart_while_the_database_is_away(
    make_house: MakeHouse, who: int, state: str, reason: str
) -> None:
    studio = FakeStudio()
    room, failing = await talk(make_house, studio)
    house = room[0]
    await record(room)
    failing.broken = True
    person = cast("Person", room[who])
    await person.ask("consent", **consent(granted=False))
    await person.get("recording", state="off", reason="withdrawn")
    await house.hub.close()
    await open_house(make_house, FakeStudio(marks=studio.marks), database=house.database)
    (row,) = await rows(house, RecordingRow)
    assert (row.state, row.reason, row.closed_at is not None) == (state, reason, who == 4)
    sides = ["client", "counselor"]
    assert sorted(await fallen(house)) == [
        (side, "withdrew" if side == sides[who - 3] else "crash") for side in sides
    ]
    assert studio.marks.found(row.id) is None


async def test_no_mark_stays_when_the_withdrawal_is_written_down(make_house: MakeHouse) -> None:
    studio = FakeStudio()
    room, _ = await talk(make_house, studio)
    await record(room)
    await room[3].ask("consent", **consent(granted=False))
    await written(room)
    (row,) = await rows(room[0], RecordingRow)
    assert (row.state, studio.marks.found(row.id)) == ("destroying", None)


async def test_a_consent_that_made_no_recording_falls_with_the_server(make_house: MakeHouse) -> None:
    room, _ = await talk(make_house, FakeStudio())
    house, _, _, client, counselor = room
    await agree(client)
    await counselor.get("recording", state="asked", question="yours")
    await written(room)
    await open_house(make_house, FakeStudio(), database=house.database)
    assert await fallen(house) == [("client", "crash")]


async def test_what_was_agreed_to_in_a_session_that_has_ended_stands(make_house: MakeHouse) -> None:
    room, _ = await talk(make_house, FakeStudio())
    house, *_, counselor = room
    await record(room)
    await counselor.send("end", ref="e")
    await counselor.get("ended")
    await house.hub.close()
    await open_house(make_house, FakeStudio(), database=house.database)
    assert await fallen(house) == []


def test_a_clients_mark_goes_before_a_counselors(tmp_path: Path) -> None:
    marks = Marks(tmp_path / "spool")
    assert marks.found("r_1") is None
    for side in (Side.COUNSELOR, Side.CLIENT):
        marks.put("r_1", side)
        assert marks.found("r_1") is side
    marks.drop("r_1")
    assert marks.found("r_1") is None
    marks.drop("r_2")
