"""The plain story: two people join, negotiate, talk, write, and go."""

from __future__ import annotations

from tests.signaling.conftest import House


async def test_two_people_meet_talk_and_go(house: House) -> None:
    session = await house.session()
    client = await house.enter(session, 0)
    welcome = await client.get("welcome")
    assert welcome["seq"] == 1
    assert welcome["you"]["name"] == "Melati"
    assert welcome["peers"][0]["state"] == "absent"
    assert welcome["resumed"] is False
    first = await client.answer()
    assert first["negotiation"] == 1

    counselor = await house.join(session, 1)
    assert (await client.get("peer"))["state"] == "connecting"
    await counselor.answer()
    for person in (client, counselor):
        assert (await person.answer())["negotiation"] == 2
    for person in (client, counselor):
        await person.get("peer", state="connected")
        await person.get("session", state="active")
    legs = house.relay.pairs[-1]
    assert [house.relay.forwards[leg] for leg in legs] == [(True, True)] * 2
    assert house.relay.key_frames == list(legs)
    second = house.relay.requests[legs[0]][-1]
    assert second.streams.audio == (2000,)
    assert second.streams.video == (2001, 2002)
    assert second.peer == session.participants[1].id

    await client.send("chat", ref="c1", text="Selamat pagi")
    line = await client.get("chat")
    assert (await client.get("ok"))["ref"] == "c1"
    heard = await counselor.get("chat", text="Selamat pagi")
    assert heard["id"] == line["id"]
    assert heard["from"] == session.participants[0].id

    assert (await client.ask("leave"))["type"] == "ok"
    assert await client.closed() == 1000
    await counselor.get("peer", state="left")
    assert (await counselor.ask("end", reason="done"))["type"] == "ok"
    assert (await counselor.get("ended"))["reason"] == "done"
    assert await counselor.closed() == 4410
    assert house.relay.open == set()
