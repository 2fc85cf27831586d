"""What two people may do while they are in a session."""

from __future__ import annotations

import asyncio

import pytest

from media.codecs import Mode
from media.events import LegFailed, LegInterrupted, LegResumed, Streams, StreamsChanged
from signaling import quality_record
from signaling.directory import Recording
from tests.signaling.conftest import House
from tests.signaling.relay import sample


async def test_typing_is_shown_to_the_other_alone(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.send("typing")
    assert (await counselor.get("typing"))["from"] == session.participants[0].id
    assert not any(message["type"] == "typing" for message in client.heard)


@pytest.mark.parametrize("text", ["", "  \n", "x" * 4_001])
async def test_a_text_that_does_not_fit_is_refused(house: House, text: str) -> None:
    session = await house.session()
    person = await house.join(session, 0)
    assert (await person.ask("chat", text=text))["code"] == "invalid_text"


async def test_chat_before_the_other_comes_is_there_when_it_comes(house: House) -> None:
    session = await house.session(Mode.CHAT)
    client = await house.join(session, 0)
    await client.ask("chat", text="x" * 4_000)
    counselor = await house.join(session, 1)
    assert len((await counselor.get("chat"))["text"]) == 4_000
    await counselor.get("session", state="active")
    assert house.relay.requests == {}
    assert (await client.ask("restart"))["code"] == "no_leg"
    await counselor.ask("mode", mode="voice", reason="user")
    assert (await client.get("mode"))["heartbeat_s"] == 2.0, "chat's is slower"
    assert (await client.answer())["negotiation"] == 1


async def test_relay_is_passed_on_unread(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    data = {"step": 1, "key": [None, 1.5, "ü"]}
    assert (await client.ask("relay", to=session.participants[1].id, data=data))["type"] == "ok"
    assert (await counselor.get("relay"))["data"] == data
    assert (await client.ask("relay", to="p_x", data=1))["code"] == "not_there"
    large = await client.ask("relay", to=session.participants[1].id, data="x" * 4_096)
    assert large["code"] == "too_large"


@pytest.mark.parametrize(
    ("policy", "code"), [(Recording.OFF, "recording_off"), (Recording.ASK, "recording_unavailable")]
)
async def test_no_recording_is_pretended(house: House, policy: Recording, code: str) -> None:
    session = await house.session(recording=policy)
    person = await house.enter(session, 0)
    recording = (await person.get("welcome"))["session"]["recording"]
    assert recording == {"policy": policy.value, "state": "off", "terms": None}
    reply = await person.ask("consent", subject="recording", granted=True, terms="1")
    assert reply["code"] == code


async def test_mute_is_told_to_the_other(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.ask("media", audio=True, video=False)
    told = await counselor.get("peer", media={"audio": True, "video": False})
    assert told["state"] == "connected"
    leg = house.relay.pairs[-1][0]
    assert house.relay.expects[leg] == (True, False)


async def test_an_interruption_is_told_and_kept(house: House) -> None:
    session = await house.session()
    _, counselor = await house.pair(session)
    leg = house.relay.pairs[-1][0]
    house.hub.on_media_event(LegInterrupted(leg, 1_300))
    await counselor.get("peer", state="interrupted")
    await counselor.get("session", state="interrupted")
    house.hub.on_media_event(LegResumed(leg, 2_400))
    await counselor.get("peer", state="connected")
    house.pass_time(4)
    await house.hub._journal.flush(within_s=2)
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    events = [(event.kind, event.detail) for event in record.events]
    assert ("interrupted", {"gap_ms": 1_300, "kind": "cut", "direction": "both"}) in events
    assert ("resumed", {"gap_ms": 2_400, "kind": "cut", "direction": "both"}) in events


@pytest.mark.parametrize(("code", "kinds"), [(1001, ["interrupted", "resumed"]), (1000, [])])
async def test_a_page_that_goes_away_breaks_its_line_until_it_is_back(
    house: House, code: int, kinds: list[str]
) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    house.pass_time(2)
    await client.socket.close(code=code)
    await asyncio.sleep(0.05)
    house.pass_time(3)
    # Loaded again, the page has its key and nothing else: it gets a leg of its own.
    again = await house.join(session, 0, resume={"key": client.heard[0]["resume_key"], "seq": 10_000})
    await again.answer()
    house.pass_time(4)
    await house.hub._journal.flush(within_s=2)
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    own = [
        event
        for event in record.events
        if event.participant_id == session.participants[0].id and event.kind in ("interrupted", "resumed")
    ]
    assert [event.kind for event in own] == kinds
    assert all(event.detail["kind"] == "browser_closed" for event in own)
    assert all(3_000 <= event.detail["gap_ms"] < 6_000 for event in own[1:])


async def test_the_round_trip_of_the_socket_is_measured_and_kept(house: House) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    for _ in range(24):
        house.clock.advance(0.5)
        house.hub.tick()
        # The answer to a ping frame goes out before what is asked behind it.
        for number in range(2):
            await client.send("ping", t=number)
            await client.get("pong", t=number)
    await house.hub._journal.flush(within_s=2)
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    measured = {row.ws_rtt_ms for row in record.samples if row.ws_rtt_ms is not None}
    assert measured
    assert all(0 < rtt_ms < 400 for rtt_ms in measured)


async def test_a_server_that_stood_still_blames_nobody(house: House) -> None:
    session = await house.session()
    await house.pair(session)
    house.pass_time(2)
    house.clock.advance(6)
    house.hub.on_media_event(LegInterrupted(house.relay.pairs[-1][0], 6_000))
    await asyncio.sleep(0.01)
    house.hub.tick()
    await house.hub._journal.flush(within_s=2)
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    found = [(event.participant_id, event.kind, event.detail.get("kind")) for event in record.events]
    assert (None, "interrupted", "server") in found
    assert (None, "resumed", "server") in found
    assert {why for who, kind, why in found if who is not None and kind == "interrupted"} == {"server"}


async def test_a_failed_leg_is_replaced(house: House) -> None:
    session = await house.session()
    client = await house.join(session, 0)
    offer = await client.get("offer")
    house.relay.open.clear()
    house.hub.on_media_event(LegFailed(offer["leg"], "timeout", 1_000, 2_000))
    assert (await client.get("offer"))["leg"] != offer["leg"]
    lines = house.hub.survey.summary(session.id)
    assert lines is not None
    assert lines[session.participants[0].id].bytes >= 3_000, "what a failed leg has cost is still paid for"


async def test_streams_learned_from_packets_are_offered(house: House) -> None:
    session = await house.session()
    await house.pair(session)
    leg, other = house.relay.pairs[-1]
    house.hub.on_media_event(StreamsChanged(leg, Streams((7,), (8, 9))))
    await house.hub._journal.flush(within_s=1)
    assert house.relay.requests[other][-1].streams == Streams((7,), (8, 9))


async def test_an_answer_that_is_none_leaves_the_offer_open(house: House) -> None:
    session = await house.session()
    client = await house.join(session, 0)
    offer = await client.get("offer")
    reply = await client.ask("answer", leg=offer["leg"], negotiation=1, sdp="garbage")
    assert reply["code"] == "invalid_answer"
    await client.answer(offer)


async def test_who_never_answers_is_timed_out(house: House) -> None:
    session = await house.session()
    client = await house.join(session, 0)
    offer = await client.get("offer")
    house.clock.advance(10)
    await client.get("error", code="negotiation_timeout")
    assert (await client.get("offer"))["leg"] != offer["leg"]


async def test_restart_makes_an_offer_with_new_credentials_once_in_two_seconds(house: House) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    assert (await client.ask("restart"))["type"] == "ok"
    offer = await client.get("offer")
    assert house.relay.requests[offer["leg"]][-1].restart
    assert (await client.ask("restart", fresh=True))["code"] == "too_soon"


async def test_quality_is_told_every_two_seconds_and_kept_every_ten(house: House) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    leg = house.relay.pairs[-1][0]
    house.relay.sampled[leg] = sample(leg, rtt_ms=None, loss_up_pct=9.0)
    await client.send("quality", leg=leg, rtt_ms=310, inbound=[{"kind": "audio", "lost": -1e300}])
    await client.ask("media", audio=True, video=True)
    house.pass_time(12)
    while (told := await client.get("quality"))["participants"][session.participants[0].id][
        "grade"
    ] != "poor":
        pass
    assert told["participants"][session.participants[0].id]["rtt_ms"] == 310.0
    line = told["participants"][session.participants[1].id]
    assert line["grade"] == "good"
    assert line["bytes"] == 3_000
    assert line["mos"] == pytest.approx(3.0, abs=0.1), "what the other's line loses is missing here"
    await house.hub._journal.flush(within_s=2)
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    assert {row.transport for row in record.samples} == {"udp"}
    own = [row for row in record.samples if row.participant_id == session.participants[0].id]
    assert (own[-1].grade, own[-1].loss_up_pct) == ("poor", 9.0)
    graded = [event.detail for event in record.events if event.kind == "grade"]
    assert graded == [{"from": "good", "to": "poor", "kind": "loss", "direction": "up"}]
    assert house.hub.survey.summary(session.id) is not None


async def test_only_the_counselor_ends(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    assert (await client.ask("end"))["code"] == "forbidden"
    assert (await counselor.ask("end"))["type"] == "ok"
    assert await client.closed() == 4410


async def test_max_minutes_end_a_session(house: House) -> None:
    session = await house.session(max_minutes=5)
    client, _ = await house.pair(session)
    assert (await client.get("session", state="active"))["ends_at"] is not None
    house.clock.advance(300)
    assert (await client.get("ended"))["reason"] == "time_over"
