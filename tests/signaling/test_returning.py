"""Coming back: resuming a socket, reloading, and other devices."""

from __future__ import annotations

import asyncio

import pytest

from tests.signaling.conftest import House, Person


def key_of(person: Person) -> str:
    return str(next(message for message in person.heard if message["type"] == "welcome")["resume_key"])


async def test_a_resumed_socket_gets_what_it_missed_in_order_and_once(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.ask("media", audio=True, video=False)
    seen = client.last_seq()
    await client.vanish()
    for text in ("one", "two"):
        await counselor.ask("chat", text=text)
    await counselor.send("typing")
    back = await house.enter(session, 0, resume={"key": key_of(client), "seq": seen})
    welcome = await back.next()
    assert welcome["type"] == "welcome"
    assert welcome["resumed"] is True
    assert welcome["seq"] == seen
    assert welcome["peers"][0]["state"] == "connected", "losing the socket does not touch media"
    assert [(await back.get("chat"))["text"] for _ in range(2)] == ["one", "two"]
    await back.ask("chat", text="three")
    numbers = [message["seq"] for message in back.heard[1:]]
    assert numbers == sorted(set(numbers))
    assert numbers[0] > seen
    assert not any(message["type"] in ("offer", "typing") for message in back.heard)
    assert len(house.relay.requests) == 2, "no new leg"


async def test_the_open_offer_is_sent_again_unchanged(house: House) -> None:
    session = await house.session()
    client = await house.join(session, 0)
    offer = await client.get("offer")
    await client.vanish()
    back = await house.join(session, 0, resume={"key": key_of(client), "seq": client.last_seq()})
    again = await back.get("offer")
    assert {**again, "seq": 0} == {**offer, "seq": 0}
    await back.answer(again)
    late = await back.ask("answer", leg=offer["leg"], negotiation=offer["negotiation"], sdp="answer 1")
    assert late["type"] == "ok", "an answer to an older offer is dropped"


async def test_a_request_is_handled_once(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.ask("chat", text="once", ref="same")
    assert (await client.ask("chat", text="once", ref="same"))["type"] == "ok"
    await client.ask("chat", text="end")
    await counselor.get("chat", text="end")
    assert sum(m["type"] == "chat" and m["text"] == "once" for m in counselor.heard) == 1
    refused = await client.ask("end", ref="no")
    assert refused["code"] == (await client.ask("end", ref="no"))["code"] == "forbidden"


async def test_a_reload_starts_a_new_leg_and_gets_the_chat(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await counselor.ask("chat", text="before")
    await client.vanish()
    back = await house.enter(session, 0, resume={"key": key_of(client), "seq": 0})
    welcome = await back.get("welcome")
    assert welcome["resumed"] is False
    assert (await back.get("chat"))["text"] == "before"
    assert (await counselor.get("peer", joined_again=True))["state"] == "connected"
    back.base = 5000
    await back.answer()
    await back.answer()
    assert (await counselor.answer())["negotiation"] == 3
    await back.get("peer", state="connected")
    legs = [leg for leg, requests in house.relay.requests.items() if requests]
    assert len(legs) == 3
    assert len(house.relay.open) == 2
    assert house.relay.requests[legs[1]][-1].streams.audio == (5000,)


async def test_the_older_socket_closes_with_4409(house: House) -> None:
    session = await house.session()
    client = await house.join(session, 0)
    await house.join(session, 0, resume={"key": key_of(client), "seq": client.last_seq()})
    assert await client.closed() == 4409


async def test_a_newcomer_is_told_nothing_until_it_is_admitted(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await counselor.ask("chat", text="rahasia")
    newcomer = await house.enter(session, 0)
    held = await newcomer.get("peer")
    assert held["state"] == "waiting"
    assert held["seq"] == 0
    await newcomer.send("chat", ref="1", text="let me in")
    await newcomer.get("error", code="held")
    await newcomer.send("ping", t=1)
    await newcomer.get("pong")
    await counselor.ask("chat", text="rahasia")
    await asyncio.sleep(0.1)
    assert [message["type"] for message in newcomer.heard] == ["peer", "error", "pong"]
    told = str(newcomer.heard)
    assert "Budi" not in told
    assert "rahasia" not in told
    asked = await client.get("takeover")
    assert (await counselor.ask("takeover", id=asked["id"], admit=True))["code"] == "no_takeover"
    assert (await client.ask("takeover", id=asked["id"], admit=True))["type"] == "ok"
    assert await client.closed() == 4409
    assert (await newcomer.get("welcome"))["resumed"] is False
    assert (await newcomer.get("chat"))["text"] == "rahasia"
    old = await house.enter(session, 0, resume={"key": key_of(client), "seq": client.last_seq()})
    await old.get("peer", state="waiting")


async def test_a_refused_newcomer_is_4403(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.vanish()
    newcomer = await house.enter(session, 0)
    asked = await counselor.get("takeover")
    assert asked["device"] == "unknown"
    assert asked["place"] == session.participants[0].id
    await counselor.ask("takeover", id=asked["id"], admit=False)
    assert await newcomer.closed() == 4403
    again = await house.enter(session, 0)
    assert await again.closed() == 4403, "nobody is asked again right after a no"


async def test_nobody_answers_for_60_seconds(house: House) -> None:
    session = await house.session()
    await house.join(session, 0)
    newcomer = await house.enter(session, 0)
    await newcomer.get("peer", state="waiting")
    house.clock.advance(60)
    assert await newcomer.closed() == 4403


async def test_who_left_enters_again(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.ask("leave")
    await counselor.get("peer", state="left")
    again = await house.enter(session, 0)
    assert (await again.get("welcome"))["session"]["state"] == "interrupted"
    await counselor.get("peer", state="connecting")


async def test_an_empty_session_is_forgotten_and_loaded_again(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await house.session()
    client = await house.join(session, 0)
    await client.ask("leave")
    await client.closed()
    house.hub.tick()
    assert house.hub.survey.counters()["sessions"] == 1, "the journal may still hold what happened last"
    monkeypatch.setattr("signaling.hub.FORGET_AFTER_S", 0.0)
    house.hub.tick()
    assert house.hub.survey.counters()["sessions"] == 0
    await house.hub._journal.flush(within_s=2)
    assert (await house.record(session.id)).participants[0].state == "left"
    await house.join(session, 0)


async def test_ones_own_login_continues_the_place_at_once(house: House) -> None:
    user = await house.account()
    session = await house.session(user=user)
    client, counselor = await house.pair(session)
    house.login[0] = user
    other_phone = await house.enter(session, 0)
    welcome = await other_phone.get("welcome")
    assert welcome["you"]["name"] == "Melati"
    assert await client.closed() == 4409
    await counselor.get("peer", joined_again=True)


async def test_another_persons_login_is_a_stranger_at_the_door(house: House) -> None:
    session = await house.session(user=await house.account())
    client, _ = await house.pair(session)
    house.login[0] = await house.account()
    stranger = await house.enter(session, 0)
    assert (await stranger.get("peer"))["name"] is None
    await client.get("takeover")


async def test_a_place_of_nobodys_is_not_opened_by_having_no_login(house: House) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    stranger = await house.enter(session, 0)
    assert (await stranger.get("peer"))["name"] is None
    await client.get("takeover")


async def test_who_left_quickly_is_told_apart_until_they_come_back(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    house.hub.leave_quickly(session.participants[0].id)
    assert await client.closed() == 1000
    assert (await counselor.get("peer", state="left"))["quickly"] is True
    house.hub.leave_quickly(session.participants[0].id)
    await counselor.vanish()
    counselor = await house.enter(session, 1, resume={"key": key_of(counselor), "seq": 0})
    assert (await counselor.get("welcome"))["peers"][0]["quickly"] is True
    await house.join(session, 0)
    back = await counselor.get("peer", joined_again=True)
    assert "quickly" not in back


async def test_a_dropped_line_is_no_quick_exit(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.ask("leave")
    assert "quickly" not in await counselor.get("peer", state="left")


async def test_whoever_sits_here_by_a_login_that_ended_has_to_go(house: House) -> None:
    user = await house.account()
    session = await house.session(user=user)
    house.cookie_place[0], house.login[0], house.login_id[0] = session.participants[0].id, user, "l_one"
    client = await house.join(session, 0, token=None)
    house.cookie_place[0], house.login[0], house.login_id[0] = None, None, None
    counselor = await house.join(session, 1)
    assert house.hub.survey.logins() == {"l_one"}
    house.hub.log_out("l_other")
    house.hub.log_out("l_one")
    assert await client.closed() == 4401
    await counselor.get("peer", state="left")
    assert house.hub.survey.logins() == set()
