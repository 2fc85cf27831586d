"""The WebSocket's edge: who gets in, how a connection ends, and what harms nobody else."""

from __future__ import annotations

import asyncio
import logging
from datetime import timedelta
from typing import Any

import aiohttp
import msgspec
import pytest
from sqlalchemy import text

from core.ids import ParticipantId, SessionId
from signaling.endpoint import PATH
from tests.signaling.conftest import CODECS, ORIGIN, House, MakeHouse, Person


@pytest.mark.parametrize(("origin", "status"), [("https://evil.example", 403), ("null", 403)])
async def test_another_origin_is_refused(house: House, origin: str, status: int) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await house.socket(Origin=origin)
    assert refused.value.status == status


async def test_our_own_origin_is_let_in(house: House) -> None:
    person = await house.socket(Origin=ORIGIN)
    assert person.socket.protocol == "teduh.v1"


async def test_without_the_subprotocol_there_is_no_upgrade(house: House) -> None:
    with pytest.raises(aiohttp.WSServerHandshakeError) as refused:
        await house.client.ws_connect(PATH)
    assert refused.value.status == 400


async def test_the_ticket_protocol_is_not_selected(house: House) -> None:
    socket = await house.client.ws_connect(PATH, protocols=("teduh.v1", "teduh.ticket.abc"))
    assert socket.protocol == "teduh.v1"
    await socket.close()


async def test_a_cookie_opens_its_place(house: House) -> None:
    session = await house.session()
    house.cookie_place[0] = session.participants[1].id
    person = await house.socket()
    await person.send("hello", codecs=CODECS)
    assert (await person.get("welcome"))["you"]["name"] == "Budi"


async def test_no_hello_in_five_seconds_is_4401(house: House) -> None:
    person = await house.socket()
    house.clock.advance(5)
    assert await person.closed() == 4401


@pytest.mark.parametrize("kind", ["ping", "typing", "dance"])
async def test_anything_before_hello_is_4401(house: House, kind: str) -> None:
    person = await house.socket()
    await person.send(kind)
    assert await person.closed() == 4401


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"expires": -1}, 4401),
        ({"session": SessionId("s_other")}, 4404),
        ({"participant": ParticipantId("p_other")}, 4403),
        ({"role": "counselor"}, 4403),
    ],
)
async def test_a_token_that_does_not_fit(house: House, changes: dict[str, Any], code: int) -> None:
    session = await house.session()
    if "expires" in changes:
        changes = {"expires": house.clock.now() + timedelta(seconds=changes["expires"])}
    person = await house.enter(session, 0, token=house.token(session, 0, **changes))
    assert await person.closed() == code
    assert person.heard == []


async def test_a_token_of_another_session_is_4403(house: House) -> None:
    session, other = await house.session(), await house.session()
    token = house.token(session, 0, session=other.id)
    assert await (await house.enter(session, 0, token=token)).closed() == 4403


async def test_no_token_and_no_cookie_is_4401(house: House) -> None:
    person = await house.socket()
    await person.send("hello", codecs=CODECS)
    assert await person.closed() == 4401


async def test_malformed_gets_an_error_and_4400(house: House) -> None:
    session = await house.session()
    person = await house.join(session, 0)
    await person.socket.send_str("{")
    assert (await person.get("error"))["code"] == "malformed"
    assert await person.closed() == 4400


async def test_a_binary_frame_is_malformed(house: House) -> None:
    session = await house.session()
    person = await house.join(session, 0)
    await person.socket.send_bytes(b"{}")
    assert await person.closed() == 4400


@pytest.mark.parametrize(("size", "fits"), [(64 * 1024, True), (64 * 1024 + 1, False)])
async def test_64_kib_fit_and_not_a_byte_more(house: House, size: int, *, fits: bool) -> None:
    session = await house.session()
    person = await house.join(session, 0)
    frame = msgspec.json.encode({"type": "chat", "ref": "1", "text": ""}).decode()
    await person.socket.send_str(frame.replace('""', '"' + "x" * (size - len(frame)) + '"'))
    if fits:
        assert (await person.get("error"))["code"] == "invalid_text"
    else:
        assert await person.closed() == 1009


async def test_too_many_messages_are_4429_and_touch_nobody_else(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    for number in range(400):
        await client.send("ping", t=number)
    assert await client.closed() == 4429
    assert (await counselor.ask("chat", text="still here"))["type"] == "ok"


async def test_unknown_types_and_a_second_hello_are_errors_and_the_connection_goes_on(house: House) -> None:
    session = await house.session()
    person = await house.join(session, 0)
    await person.send("dance", ref="7")
    error = await person.get("error", code="unknown_type")
    assert error["ref"] == "7"
    await person.send("hello", codecs=[])
    await person.get("error", code="already_here")
    await person.send("ping", t={"a": [1]})
    assert (await person.get("pong"))["t"] == {"a": [1]}


async def test_three_missed_beats_are_4408(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    deaf = await house.client.ws_connect(PATH, protocols=("teduh.v1",), autoping=False)
    await client.ask("leave")
    await deaf.send_json({"type": "hello", "token": house.token(session, 0), "codecs": CODECS})
    welcome = await deaf.receive_json()
    assert welcome["type"] == "welcome"
    reading = asyncio.create_task(_drain(counselor))
    for _ in range(4):
        house.clock.advance(2)
        await asyncio.sleep(0.4)
    while (message := await deaf.receive(3)).type not in (aiohttp.WSMsgType.CLOSE, aiohttp.WSMsgType.CLOSED):
        assert message.type in (aiohttp.WSMsgType.PING, aiohttp.WSMsgType.TEXT)
    assert message.data == 4408
    assert not reading.done(), "whoever answers pings stays"
    reading.cancel()
    await asyncio.gather(reading, return_exceptions=True)


async def _drain(person: Person) -> None:
    while True:
        await person.next(30)


async def test_a_restart_tells_everybody_1012_and_both_are_back_in_the_same_session(
    make_house: MakeHouse,
) -> None:
    house = await make_house()
    session = await house.session()
    client, counselor = await house.pair(session)
    keys = [next(m for m in p.heard if m["type"] == "welcome")["resume_key"] for p in (client, counselor)]
    closing = asyncio.create_task(house.hub.close())
    assert await client.closed() == await counselor.closed() == 1012
    await closing

    again = await make_house(database=house.database)
    client = await again.enter(session, 0, resume={"key": keys[0], "seq": client.last_seq()})
    welcome = await client.get("welcome")
    assert welcome["resumed"] is False
    assert welcome["session"]["state"] == "interrupted"
    assert welcome["peers"][0]["state"] == "interrupted"
    stranger = await again.enter(session, 1)
    await stranger.get("peer", state="waiting")
    counselor = await again.join(session, 1, resume={"key": keys[1], "seq": 3})
    for _ in range(2):
        for person in (client, counselor):
            await person.answer()
    await client.get("peer", state="connected")


async def test_what_a_session_has_cost_was_forgotten_by_a_restart(make_house: MakeHouse) -> None:
    house = await make_house()
    session = await house.session()
    people = await house.pair(session)
    for _ in range(12):
        for person in people:
            await person.send("ping", t=1)
        await asyncio.sleep(0.005)
        house.clock.advance(1)
        house.hub.tick()
    for person in people:
        await person.ask("leave")
    await house.hub.close()

    again = await make_house(database=house.database)
    await again.pair(session)
    again.clock.advance(3)
    again.hub.tick()
    live = again.hub._lives.get(session.id)
    assert live is not None
    meters = [live.meters[place.id] for place in session.participants]
    assert [(meter.past_up, meter.past_down) for meter in meters] == [(1_000, 2_000)] * 2
    assert [meter.quality(0.0).bytes for meter in meters] == [6_000] * 2, "this leg's come on top"


async def test_a_failing_database_ends_no_call(make_house: MakeHouse) -> None:
    house = await make_house()
    session = await house.session()
    client, counselor = await house.pair(session)
    await house.hub._journal.flush(within_s=2)

    async with house.database.sessions.begin() as db:
        await db.execute(text("ALTER TABLE sessions RENAME TO gone"))
    await client.ask("mode", mode="voice", reason="user")
    await client.answer()
    await client.ask("chat", text="apa kabar")
    await counselor.get("chat", text="apa kabar")
    await house.hub._journal.flush(within_s=2)
    assert house.hub.survey.counters()["journal_failed"] > 0


async def test_who_does_not_read_is_cut_and_delays_nobody(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    slow = house.hub._carrier.seated(session.participants[0].id)
    assert slow is not None
    transport = client.socket._conn.transport  # type: ignore[union-attr]  # it is open
    assert transport is not None
    transport.pause_reading()
    for number in range(3_000):
        slow.send_text("x" * 4_000)
        if not slow.is_open:
            break
        if number % 100 == 0:
            await asyncio.sleep(0)
    assert not slow.is_open
    transport.abort()
    assert (await counselor.ask("chat", text="hello"))["type"] == "ok"


async def test_an_ended_session_tells_so_and_is_4410(house: House) -> None:
    session = await house.session()
    await house.hub.end(session.id, reason="cancelled", by="api")
    person = await house.enter(session, 0)
    assert (await person.get("ended"))["reason"] == "cancelled"
    assert await person.closed() == 4410


async def test_a_program_ends_a_live_session(house: House) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    await house.hub.end(session.id, reason="over", by="api")
    assert (await client.get("ended"))["by"] == "api"
    assert (await house.record(session.id)).state == "ended"
    assert house.hub.survey.counters()["sessions"] == 0


async def test_the_log_of_a_call_tells_nothing_of_a_person(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.ask("chat", text="rahasia sekali")
    await client.ask("answer", leg="x", negotiation=1, sdp="rahasia")
    await client.socket.send_str('{"type": "chat", "ref": "rahasia"')
    await client.closed()
    key = client.heard[0]["resume_key"]
    written = "\n".join(
        str(vars(record)) for record in caplog.records if record.name.split(".")[0] in ("signaling", "media")
    )
    assert "leg.opened" in written
    for secret in ("rahasia", "Melati", "Budi", key, house.token(session, 0), "127.0.0.1"):
        assert secret not in written
    await counselor.ask("end")
