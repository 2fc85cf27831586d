"""Who answers an urgent call and does not come; and what is said of danger once a talk goes on."""

from __future__ import annotations

import pytest

from accounts.people import Person
from accounts.roles import Role
from core.ids import ParticipantId
from counseling import line, talks, walkins
from counseling.entry import Medium
from counseling.talks import Talk
from counseling.triage import Reason, Risk, Safe
from counseling.urgent import COMES_WITHIN, Kind, State
from counseling.walkin_states import Ended, Walkin
from counseling.walkin_states import State as WalkinState
from signaling import directory, records
from signaling.directory import SessionState
from tests.fakes import FakeClock
from tests.web.browsing import get, post, send
from tests.web.conftest import Client, FakeCalls
from tests.web.danger import Danger
from tests.web.people import log_in, make
from web import opening
from web.escalation import CALLS
from web.line import RULES

PAGE = "/talk/urgent"
COMES_S = int(COMES_WITHIN.total_seconds())


@pytest.fixture
def danger(client: Client, clock: FakeClock) -> Danger:
    return Danger(client, clock)


async def talk_of(danger: Danger, person: Person) -> Talk | None:
    async with danger.services.database.sessions() as db:
        return await talks.open_of_client(db, client=person.id)


async def answered(danger: Danger, walkin: Walkin, by: Person) -> ParticipantId:
    """Have somebody answer on the duty desk; gives their place in the room."""
    await log_in(danger.client, by)
    alarm = await danger.alarm(walkin)
    sent = await send(danger.client, f"/duty/{alarm.id}/take", _page="/duty")
    assert sent.status == 303, sent.text
    return ParticipantId(sent.location.removeprefix("/room/"))


async def walkin_of(danger: Danger, walkin: Walkin) -> Walkin:
    async with danger.services.database.sessions() as db:
        return await walkins.get(db, walkin=walkin.id)


def sits(danger: Danger, talk: Talk, place: ParticipantId) -> None:
    """Have the live call say that somebody is in the room."""
    calls = danger.services.calls
    assert isinstance(calls, FakeCalls)
    assert talk.session is not None
    calls.live[talk.session] = {place: "waiting"}


async def test_who_answers_and_does_not_come_loses_the_talk_and_the_next_has_it_alone(danger: Danger) -> None:
    ratna, budi = await danger.at_desk(), await make(danger.client, Role.COUNSELOR, name="Budi")
    await danger.on_duty(budi)
    person = await make(danger.client)
    walkin = await danger.walks_in(person)
    await answered(danger, walkin, ratna)
    first = await talk_of(danger, person)
    assert first is not None
    danger.clock.advance(COMES_S - 1)
    assert await danger.look() == ()
    danger.clock.advance(1)
    (call,) = await danger.look()
    assert call.alarm.course.state is State.CALLING
    assert call.alarm.course.missed == (ratna.id,)
    assert ("duty", budi.id) in {
        (step.kind.value, step.person) for step in call.alarm.course.done if step.turn == 1
    }
    assert await talk_of(danger, person) is None
    async with danger.services.database.sessions() as db:
        session = await directory.find(db, session_id=first.session) if first.session else None
    assert session is not None
    assert (session.state, session.ended_reason) == (SessionState.ENDED, opening.NOT_COME)
    await log_in(danger.client, person)
    shown = await get(danger.client, PAGE)
    assert shown.status == 200
    assert "tidak masuk ke ruang" in shown.text
    await log_in(danger.client, ratna)
    assert "diteruskan kepada yang lain" in (await get(danger.client, "/me/notices")).text
    assert f"dalam {COMES_S} detik" in (await get(danger.client, "/duty")).text
    await answered(danger, walkin, budi)
    second = await talk_of(danger, person)
    assert second is not None
    assert (second.counselor, second.walkin) == (budi.id, walkin.id)
    assert second.session != first.session


@pytest.mark.parametrize("by", ["the call", "the database"])
async def test_who_is_in_the_room_keeps_the_talk(danger: Danger, by: str) -> None:
    ratna, person = await danger.at_desk(), await make(danger.client)
    walkin = await danger.walks_in(person)
    place = await answered(danger, walkin, ratna)
    talk = await talk_of(danger, person)
    assert talk is not None
    if by == "the call":
        sits(danger, talk, place)
    else:
        async with danger.services.database.sessions.begin() as db:
            await records.write(
                db, [records.PlaceRecord(place, "waiting", danger.clock.now(), taken_by="a" * 64)]
            )
    danger.clock.advance(10 * COMES_S)
    assert await danger.look() == ()
    assert await talk_of(danger, person) == talk


async def test_a_counselor_who_ends_before_coming_gives_the_client_back(danger: Danger) -> None:
    ratna, person = await danger.at_desk(), await make(danger.client)
    walkin = await danger.walks_in(person)
    await answered(danger, walkin, ratna)
    ended = await send(danger.client, "/counselor/desk/end", _page="/counselor/desk")
    assert ended.location == "/counselor/desk?done=talk_given_back"
    (call,) = await danger.look()
    assert call.alarm.course.missed == (ratna.id,)
    assert (await walkin_of(danger, walkin)).state is WalkinState.WAITING


async def test_who_left_quickly_while_nobody_came_is_held_and_nothing_sounds(danger: Danger) -> None:
    ratna, person = await danger.at_desk(), await make(danger.client)
    walkin = await danger.walks_in(person)
    await answered(danger, walkin, ratna)
    await log_in(danger.client, person)
    await danger.client.post("/exit")
    danger.clock.advance(COMES_S)
    (call,) = await danger.look()
    assert (call.walkin.is_held, call.stands_still) == (True, True)
    assert danger.client.app[CALLS].count(ratna) == 0
    assert not [step for step in call.alarm.course.done if step.turn and step.kind is not Kind.MISSED]


async def test_whoever_left_quickly_is_not_taken_from_the_desk_either(danger: Danger) -> None:
    ratna, person = await danger.at_desk(), await make(danger.client)
    walkin = await danger.walks_in(person)
    async with danger.services.database.sessions.begin() as db:
        now, audit = danger.clock.now(), danger.services.audit
        await walkins.leave(db, audit, walkin=walkin.id, why=Ended.QUICK_EXIT, now=now)
    async with danger.services.database.sessions.begin() as db:
        with pytest.raises(line.Absent):
            await line.accept(db, audit, danger.client.app[RULES], counselor=ratna, walkin=walkin.id, now=now)
    assert (await walkin_of(danger, walkin)).is_held


async def in_talk(danger: Danger, ratna: Person, person: Person) -> Talk:
    """A talk from an appointment, which has no walk-in, with both in its room."""
    async with danger.services.database.sessions.begin() as db:
        talk = await talks.begin(
            db,
            danger.services.audit,
            client=person.id,
            counselor=ratna.id,
            medium=Medium.CHAT,
            reasons=["appointment"],
            now=danger.clock.now(),
        )
        session = await opening.open_talk(danger.services, db, talk)
        talk = await talks.get(db, talk=talk.id)
    sits(danger, talk, next(one.id for one in session.participants if one.user == ratna.id))
    danger.clock.advance(60)
    return talk


@pytest.mark.parametrize("said", ["not safe", "help now", "danger in the form"])
async def test_what_a_client_says_in_a_talk_stands_on_its_counselors_pages_until_it_is_read(
    danger: Danger, said: str
) -> None:
    ratna, person = await danger.at_desk(), await make(danger.client)
    lain = await danger.at_desk("Lain Sari")
    talk = await in_talk(danger, ratna, person)
    await log_in(danger.client, person)
    if said == "not safe":
        sent = await send(danger.client, "/talk/intake/safety", choice="not_safe")
        assert sent.location == "/talk/intake?done=intake_tell"
    elif said == "help now":
        assert (await send(danger.client, PAGE)).location == "/talk/waiting"
    else:
        await post(danger.client, "/talk", {"danger": "yes"})
    (call,) = await danger.look()
    assert call.talk == await talk_of(danger, person)
    assert call.talk is not None
    assert (call.talk.id, call.walkin.triage.risk) == (talk.id, Risk.URGENT)
    assert [call.concerns(one) for one in (ratna, lain)] == [True, False], "nobody else is called"
    if said == "not safe":
        assert call.alarm.safe is Safe.NOT_SAFE
        assert Reason.NOT_SAFE in call.walkin.triage.reasons
    await log_in(danger.client, ratna)
    async with danger.client.ws_connect("/api/v1/alarms") as socket:
        assert {"alarms": 1, "own": 1}.items() <= (await socket.receive_json()).items()
        assert "seseorang menunggu jawaban" in (await get(danger.client, "/counselor/desk")).text
        room = await get(danger.client, await room_of(danger, talk, ratna))
        assert "Klien Anda mengatakan bahwa ia tidak aman" in room.text, "shown as the socket says it"
        desk = await get(danger.client, "/duty")
        assert ratna.name in desk.text
        read = await send(danger.client, f"/duty/{call.alarm.id}/take", _page="/duty")
        assert read.location == "/duty", "the room is open beside it"
        assert {"alarms": 0, "own": 0}.items() <= (await socket.receive_json()).items()
    alarm = await danger.alarm(call.walkin)
    assert (alarm.course.state, alarm.answered_by) == (State.ANSWERED, ratna.id)
    assert await talk_of(danger, person) == call.talk


async def room_of(danger: Danger, talk: Talk, person: Person) -> str:
    async with danger.services.database.sessions() as db:
        found = await opening.place_path(db, talk, person.id)
    assert found is not None
    return found


async def test_what_its_counselor_does_not_read_calls_who_is_on_duty(danger: Danger) -> None:
    ratna, person = await danger.at_desk(), await make(danger.client)
    budi = await make(danger.client, Role.COUNSELOR, name="Budi")
    await danger.on_duty(budi)
    talk = await in_talk(danger, ratna, person)
    await log_in(danger.client, person)
    await send(danger.client, "/talk/intake/safety", choice="not_sure")
    await danger.look()
    danger.clock.advance(59)
    (call,) = await danger.look()
    assert not call.concerns(budi)
    danger.clock.advance(1)
    (call,) = await danger.look()
    assert call.concerns(budi)
    assert not any(step.kind.value.startswith("tell") for step in call.alarm.course.done)
    await log_in(danger.client, budi)
    assert ratna.name in (await get(danger.client, "/duty")).text
    read = await send(danger.client, f"/duty/{call.alarm.id}/take", _page="/duty")
    assert read.location == "/duty"
    open_ = await talk_of(danger, person)
    assert open_ is not None
    assert (open_.id, open_.counselor) == (talk.id, ratna.id), "there is still one counselor in it"


async def test_who_changes_the_counselor_in_danger_is_called_for_anew(danger: Danger) -> None:
    ratna, person = await danger.at_desk(), await make(danger.client)
    sari = await danger.at_desk("Sari Dewi")
    walkin = await danger.walks_in(person)
    place = await answered(danger, walkin, ratna)
    talk = await talk_of(danger, person)
    assert talk is not None
    sits(danger, talk, place)
    await log_in(danger.client, person)
    assert (await send(danger.client, "/me/counselor/change", _page="/me/counselor")).status == 303
    (call,) = await danger.look()
    assert (call.alarm.client, call.alarm.course.state) == (person.id, State.CALLING)
    assert [call.concerns(one) for one in (ratna, sari)] == [False, True]
