"""Two people in a real room agree, say something off the record, withdraw, leave; and the database fails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any, TypeVar, cast

import pytest
from sqlalchemy import Connection, event, select
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.chain import GENESIS
from accounts.trust_tables import AuditHeadRow, AuditRow
from core.db import Base, Database
from media.codecs import Mode
from recordings.events import Failed, Failure, Grew, KeyFrameWanted
from recordings.states import Side
from recordings.tables import (
    RecordingAgreementRow,
    RecordingPauseRow,
    RecordingRow,
    RecordingSideRow,
)
from signaling.directory import Recording, SessionRecord
from signaling.growing import Growing
from tests.signaling.conftest import House, MakeHouse, Person
from tests.signaling.studio import TEXTS, FakeStudio

T = TypeVar("T", bound=Base)
Room = tuple[House, FakeStudio, SessionRecord, Person, Person]


async def open_house(make_house: MakeHouse, studio: FakeStudio, **options: Any) -> House:
    house = await make_house(studio=studio, **options)
    async with house.database.sessions.begin() as db:
        if await db.get(AuditHeadRow, 1) is None:
            db.add(AuditHeadRow(id=1, count=0, hash=GENESIS))
    return house


@pytest.fixture
async def room(make_house: MakeHouse) -> Room:
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    session = await house.session(recording=Recording.ASK)
    client, counselor = await house.pair(session)
    return house, studio, session, client, counselor


def consent(granted: bool, terms: str = "2", **more: Any) -> dict[str, Any]:
    return {"subject": "recording", "granted": granted, "terms": terms, **more}


async def agree(person: Person, **more: Any) -> None:
    reply = await person.ask("consent", **consent(granted=True, **more))
    assert reply["type"] == "ok", reply


async def record(room: Room) -> None:
    """Bring both to an agreement."""
    _, _, _, client, counselor = room
    await agree(counselor)
    await client.get("recording", state="asked", question="yours")
    await agree(client)
    for person in (client, counselor):
        await person.get("recording", state="on")


async def rows(house: House, table: type[T]) -> list[T]:
    async with house.database.sessions() as db:
        return list(await db.scalars(select(table)))


def tapped(room: Room) -> set[Side]:
    return {sink.side for sink in room[0].relay.taps.values()}  # type: ignore[attr-defined]  # a FakeSink


async def written(room: Room) -> None:
    async with asyncio.timeout(3):
        await room[0].hub.recordings.written(room[2].id)  # type: ignore[union-attr]  # there is a studio


async def test_both_agree_and_both_are_recorded(room: Room) -> None:
    house, _, session, client, counselor = room
    told = await counselor.get("recording", state="off")
    assert (told["terms"], told["granted"], told["may_agree"]) == ("2", False, True)
    await agree(counselor, locale="en")
    assert (await client.get("consent"))["from"] == session.participants[1].id
    assert (await counselor.get("recording", question="theirs"))["granted"]
    assert tapped(room) == set()
    await agree(client)
    on = await client.get("recording", state="on")
    await counselor.get("recording", state="on")
    assert on["since"]
    assert tapped(room) == set(Side)
    assert len(house.relay.key_frames) >= 2
    (row,) = await rows(house, RecordingRow)
    assert (row.session_id, row.state) == (session.id, "recording")
    assert row.expires_at - row.started_at == timedelta(days=30), "a program's session: nobody has a login"
    agreed = await rows(house, RecordingAgreementRow)
    assert [(one.side, one.granted, one.version, one.locale, one.sha256, one.why) for one in agreed] == [
        ("counselor", True, 2, "en", TEXTS["en"].sha256, "asks"),
        ("client", True, 2, "id", TEXTS["id"].sha256, "answers"),
    ]
    tags = [one.tag for one in await rows(house, AuditRow)]
    assert tags == ["recording:agree", "recording:agree", "recording:start"]


async def test_a_withdrawal_stops_at_once_and_begins_the_destruction(room: Room) -> None:
    house, studio, _, client, counselor = room
    await record(room)
    await client.ask("consent", **consent(granted=False))
    assert tapped(room) == set()
    for person, may_agree in ((client, True), (counselor, False)):
        told = await person.get("recording", state="off", reason="withdrawn")
        assert (told["granted"], told["may_agree"]) == (not may_agree, may_agree)
    await written(room)
    (row,) = await rows(house, RecordingRow)
    assert (row.state, row.reason) == ("destroying", "withdrawn_client")
    assert studio.recorders[0].told == ["pause", "close"]


async def test_a_counselors_withdrawal_closes_and_waits_for_an_objection(room: Room) -> None:
    house, *_, counselor = room
    await record(room)
    await counselor.ask("consent", **consent(granted=False))
    await written(room)
    (row,) = await rows(house, RecordingRow)
    assert row.ended_at is not None
    assert row.open_from is not None
    assert (row.state, row.closed_at) == ("ended", row.ended_at)
    assert row.expires_at - row.ended_at == timedelta(days=14)
    assert row.open_from - row.ended_at == timedelta(hours=72)


async def test_who_withdrew_may_agree_again_and_it_is_another_recording(room: Room) -> None:
    house, studio, _, client, counselor = room
    await record(room)
    await client.ask("consent", **consent(granted=False))
    await counselor.get("recording", state="off", reason="withdrawn")
    await agree(client)
    await counselor.get("recording", state="on")
    assert tapped(room) == set(Side)
    assert len(studio.recorders) == 2
    assert len({row.id for row in await rows(house, RecordingRow)}) == 2


async def test_a_no_changes_nothing_and_nobody_is_asked_again(room: Room) -> None:
    house, studio, _, client, counselor = room
    await agree(counselor)
    await counselor.get("recording", state="asked")
    before = len(counselor.heard)
    await client.ask("consent", **consent(granted=False))
    assert "question" not in await client.get("recording", state="off", may_agree=False)
    assert (await client.ask("consent", **consent(granted=True)))["code"] == "asked_already"
    assert (await counselor.ask("chat", text="Halo"))["type"] == "ok"
    kinds = [message["type"] for message in counselor.heard[before:]]
    assert "recording" not in kinds, "the time tells no no from silence"
    house.clock.advance(181)
    house.hub.tick()
    told = await counselor.get("recording", state="off", granted=False, may_agree=False)
    assert "reason" not in told
    assert not any(message["type"] == "consent" and not message["granted"] for message in counselor.heard)
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "asked_already"
    assert studio.recorders == []
    assert (await client.ask("chat", text="Halo"))["type"] == "ok"


async def test_no_answer_is_a_no(room: Room) -> None:
    house, *_, counselor = room
    await agree(counselor)
    await counselor.get("recording", state="asked")
    house.clock.advance(181)
    house.hub.tick()
    await counselor.get("recording", state="off", may_agree=False)


async def test_that_somebody_was_asked_outlives_the_process(room: Room, make_house: MakeHouse) -> None:
    house, _, session, client, counselor = room
    await agree(counselor)
    await client.ask("consent", **consent(granted=False))
    await written(room)
    after = await open_house(make_house, FakeStudio(), database=house.database)
    _, again = await after.pair(session)
    assert (await again.ask("consent", **consent(granted=True)))["code"] == "asked_already"


async def test_off_the_record_and_on_again(room: Room) -> None:
    house, studio, session, client, counselor = room
    await record(room)
    assert (await client.ask("recording", off_record=True))["type"] == "ok"
    assert tapped(room) == set()
    told = await counselor.get("recording", state="paused")
    assert told["off_record"] == [session.participants[0].id]
    await counselor.ask("recording", off_record=False)
    assert tapped(room) == set(), "who said so takes it back, nobody else"
    await client.ask("recording", off_record=False)
    await counselor.get("recording", state="on")
    assert tapped(room) == set(Side)
    assert studio.recorders[0].told == ["pause", "resume"]
    await written(room)
    (pause,) = await rows(house, RecordingPauseRow)
    assert (pause.by, pause.to_ms is not None and pause.to_ms >= pause.from_ms) == ("client", True)


async def test_what_was_agreed_beforehand_only_asks_the_other(make_house: MakeHouse) -> None:
    studio = FakeStudio(prepared=TEXTS["id"])
    house = await open_house(make_house, studio)
    session = await house.session(recording=Recording.ASK)
    client, counselor = await house.pair(session)
    await counselor.get("recording", state="asked", question="yours")
    await agree(counselor)
    await client.get("recording", state="on")
    agreed = await rows(house, RecordingAgreementRow)
    assert [(one.side, one.why) for one in agreed] == [("client", "prepared"), ("counselor", "answers")]
    await client.send("leave", ref="bye")
    await counselor.get("recording", state="off", reason="left")
    back = await house.join(session, 0)
    assert (await back.get("recording"))["granted"] is False, "it counted once"


@pytest.mark.parametrize("mode", [Mode.CHAT])
async def test_it_stops_when_the_session_goes_on_in_writing(room: Room, mode: Mode) -> None:
    _, _, _, client, counselor = room
    await record(room)
    await counselor.ask("mode", mode=mode.value, reason="user")
    assert tapped(room) == set()
    assert (await client.get("recording", state="off", reason="chat"))["granted"] is False
    assert (await client.ask("consent", **consent(granted=True)))["code"] == "not_now"


async def test_it_stops_when_somebody_leaves_and_does_not_go_on_by_itself(room: Room) -> None:
    house, _, session, client, counselor = room
    await record(room)
    await client.send("leave", ref="bye")
    await counselor.get("recording", state="off", reason="left")
    assert tapped(room) == set()
    back = await house.join(session, 0)
    assert (await back.get("recording"))["state"] == "off"
    assert tapped(room) == set()


async def test_a_lost_line_does_not_end_it_and_the_new_leg_is_recorded(room: Room) -> None:
    house, _, session, client, counselor = room
    await record(room)
    key = next(m["resume_key"] for m in client.heard if m["type"] == "welcome")
    await client.vanish()
    assert (await counselor.get("recording", state="paused"))["off_record"] == []
    assert tapped(room) == set(), "they cannot see the sign"
    back = await house.join(session, 0, resume={"key": key, "seq": 10_000})
    assert (await back.get("recording"))["state"] == "on"
    offer = await back.answer()
    assert offer["leg"] in house.relay.taps


async def test_another_device_in_the_place_is_somebody_else(room: Room) -> None:
    house, _, session, client, counselor = room
    await record(room)
    newcomer = await house.enter(session, 0)
    asked = await client.get("takeover")
    await client.send("takeover", ref="t", id=asked["id"], admit=True)
    await newcomer.get("welcome")
    assert (await newcomer.get("recording"))["state"] == "off"
    await counselor.get("recording", state="off", reason="left")
    assert tapped(room) == set()


async def test_a_failing_disk_stops_it_and_the_call_goes_on(room: Room) -> None:
    house, studio, _, client, counselor = room
    await record(room)
    studio.recorders[0].on_event(Failed(Failure.DISK_FULL))
    assert tapped(room) == set()
    await client.get("recording", state="off", reason="disk")
    assert (await counselor.ask("chat", text="Halo"))["type"] == "ok"
    await written(room)
    (row,) = await rows(house, RecordingRow)
    assert (row.state, row.reason) == ("ended", "disk")


async def test_what_grew_is_written_down_and_a_key_frame_is_asked_for(room: Room) -> None:
    house, studio, _, _, _ = room
    await record(room)
    before = len(house.relay.key_frames)
    studio.recorders[0].on_event(KeyFrameWanted(Side.CLIENT))
    assert len(house.relay.key_frames) == before + 1
    for records in (1, 2):
        studio.recorders[0].on_event(Grew(Side.CLIENT, records, b"\x07" * 32, 900, 1_000 * records))
    async with asyncio.timeout(3):
        while not (sides := {row.side: row for row in await rows(house, RecordingSideRow) if row.records}):  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
    assert (sides["client"].records, sides["client"].head, sides["client"].until_ms) == (2, "07" * 32, 2_000)
    assert "counselor" not in sides


async def test_whoever_ends_it_waits_for_other_writers_of_the_audit_before_it_takes_rows(room: Room) -> None:
    house, studio, _, client, _ = room
    await record(room)
    studio.recorders[0].on_event(Grew(Side.CLIENT, 1, b"\x07" * 32, 900, 1_000))
    await asyncio.sleep(0.1)
    done: dict[Connection, list[str]] = {}
    before: list[list[str]] = []
    engine = house.database.engine.sync_engine

    def begins(connection: Connection) -> None:
        done[connection] = []

    def executes(connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        if "UPDATE recording_sides" in statement:
            before.append([*done[connection]])
        done[connection].append(" ".join(statement.split()[:2]))

    event.listen(engine, "begin", begins)
    event.listen(engine, "before_cursor_execute", executes)
    await client.ask("consent", **consent(granted=False))
    await written(room)
    assert before == [["UPDATE audit_head"]]


async def test_the_end_of_the_session_ends_it(room: Room) -> None:
    house, studio, _, client, counselor = room
    await record(room)
    await counselor.send("end", ref="e")
    await client.get("ended")
    assert tapped(room) == set()
    async with asyncio.timeout(3):
        while [row.state for row in await rows(house, RecordingRow)] != ["ended"]:  # noqa: ASYNC110  # nobody tells
            await asyncio.sleep(0.01)
    (row,) = await rows(house, RecordingRow)
    assert (row.reason, studio.recorders[0].told) == ("session_ended", ["pause", "close"])


async def test_what_a_dead_process_recorded_is_ended_and_its_consents_fall(
    room: Room, make_house: MakeHouse
) -> None:
    house, *_ = room
    await record(room)
    await open_house(make_house, FakeStudio(), database=house.database)
    (row,) = await rows(house, RecordingRow)
    assert (row.state, row.reason) == ("ended", "crash")
    agreed = await rows(house, RecordingAgreementRow)
    assert {(one.side, one.why) for one in agreed if not one.granted} == {
        ("client", "crash"),
        ("counselor", "crash"),
    }


async def test_an_older_text_is_refused(room: Room) -> None:
    *_, counselor = room
    assert (await counselor.ask("consent", **consent(granted=True, terms="1")))["code"] == "terms_outdated"


async def test_nobody_is_asked_who_is_not_there(make_house: MakeHouse) -> None:
    house = await open_house(make_house, FakeStudio())
    session = await house.session(recording=Recording.ASK)
    counselor = await house.join(session, 1)
    assert (await counselor.ask("consent", **consent(granted=True)))["code"] == "not_there"


async def test_where_nothing_may_be_asked_nothing_is_told(make_house: MakeHouse) -> None:
    house = await open_house(make_house, FakeStudio(may_ask=False))
    session = await house.session(recording=Recording.ASK)
    client, _ = await house.pair(session)
    assert (await client.ask("consent", **consent(granted=True)))["code"] == "recording_off"
    assert not any(message["type"] == "recording" for message in client.heard)


class Failing:
    """The sessions of a database that is away while it is told to."""

    def __init__(self, database: Database) -> None:
        self.broken = False
        self._sessions = database.sessions

    def __call__(self) -> AsyncSession:
        return self._sessions()

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        if self.broken:
            raise ConnectionError("the database is away")
        async with self._sessions.begin() as db:
            yield db


async def test_a_lost_database_stops_it_and_the_ledger_is_whole_when_it_is_back(
    make_house: MakeHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("signaling.recording_rows.AGAIN_AFTER_S", 0.05)
    studio = FakeStudio()
    house = await open_house(make_house, studio)
    assert house.hub.recordings is not None
    failing = Failing(house.database)
    away = {"db": failing, "growing": Growing(cast("Any", failing))}
    house.hub.recordings._hands = replace(house.hub.recordings._hands, **cast("Any", away))
    session = await house.session(recording=Recording.ASK)
    client, counselor = await house.pair(session)
    room = (house, studio, session, client, counselor)
    await record(room)
    failing.broken = True
    studio.recorders[0].on_event(Grew(Side.CLIENT, 1, b"\x07" * 32, 900, 1_000))
    await client.get("recording", state="off", reason="database")
    assert tapped(room) == set()
    assert (await counselor.ask("chat", text="Halo"))["type"] == "ok"
    failing.broken = False
    await written(room)
    (row,) = await rows(house, RecordingRow)
    assert (row.state, row.reason) == ("ended", "database")
    agreed = await rows(house, RecordingAgreementRow)
    assert [(one.granted, one.why) for one in agreed[2:]] == [(False, "failed"), (False, "failed")]
