"""What the ladder advises reaches the one it is for, and what the pages do about it is told and kept."""

from __future__ import annotations

import asyncio

import pytest

from media.codecs import Mode
from media.events import LegId
from media.ladder import Advice
from signaling import quality_record
from signaling.joining import SignalingSettings, revive
from signaling.protocol import Reason
from signaling.quality_trouble import in_trouble
from tests.signaling.conftest import House, Person
from tests.signaling.relay import sample


async def tick(house: House, seconds: int) -> None:
    """Let the hub look at the lines each second; the clients live."""
    for _ in range(seconds):
        for person in house.persons:
            await person.send("ping", t=1)
        await asyncio.sleep(0.005)
        house.clock.advance(1)
        house.hub.tick()


async def talking(house: House, mode: Mode = Mode.VIDEO) -> tuple[Person, Person, LegId, LegId]:
    """Two people who are connected and said what they send."""
    session = await house.session(mode)
    client, counselor = await house.pair(session)
    for person in (client, counselor):
        await person.ask("media", audio=True, video=mode is Mode.VIDEO)
    owners = house.hub._lives.get(session.id)
    assert owners is not None
    of = {who: leg for leg, who in owners.leg_owners.items()}
    first, second = (of[place.id] for place in session.participants)
    return client, counselor, first, second


async def test_a_bad_way_up_lowers_that_sides_picture_and_comes_back(house: House) -> None:
    client, counselor, leg, _ = await talking(house)
    house.relay.sampled[leg] = sample(leg, loss_up_pct=15.0)
    await tick(house, 6)
    told = await client.get("quality", picture="less")
    assert told["advice"] == "reduce_video"
    house.relay.sampled[leg] = sample(leg)
    await tick(house, 24)
    while "picture" in await client.get("quality"):
        pass
    await counselor.ask("media", audio=True, video=True)
    assert not any("picture" in message for message in counselor.heard if message["type"] == "quality")


async def test_the_record_says_whose_line_made_a_picture_smaller(house: House) -> None:
    client, counselor, leg, _ = await talking(house)
    house.relay.sampled[leg] = sample(leg, loss_up_pct=15.0)
    await tick(house, 6)
    await client.ask("media", audio=True, video=True, picture="less", by="line")
    await counselor.ask("media", audio=True, video=True, picture="small", by="user")
    await house.hub._journal.flush(within_s=2.0)
    (live,) = house.hub._lives
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=live.id)
    steps = {event.detail["step"]: event.detail for event in record.events if event.kind == "picture"}
    assert steps["less"] == {
        "step": "less", "by": "line", "whose": "client", "kind": "loss", "direction": "up"
    }  # fmt: skip
    assert steps["small"] == {"step": "small", "by": "user"}, "what a person chose is nobody's fault"


async def test_a_browsers_word_alone_holds_for_its_time_and_brings_nobody_to_the_list(house: House) -> None:
    client, _, leg, _ = await talking(house)
    await client.send("quality", leg=leg, available_kbps=1)
    await tick(house, 10)
    assert (await client.get("quality", picture="less"))["advice"] == "reduce_video"
    (live,) = house.hub._lives
    assert in_trouble([live], now_s=house.clock.monotonic()) == []
    await tick(house, 150)
    assert live.advice[live.call.places[0].id] == Advice()


async def test_what_stays_bad_is_answered_with_voice_by_who_owns_the_line(house: House) -> None:
    client, counselor, leg, _ = await talking(house)
    house.relay.sampled[leg] = sample(leg, loss_up_pct=15.0)
    await tick(house, 40)
    assert (await client.get("quality", advice="voice"))["picture"] == "paused"
    await counselor.ask("media", audio=True, video=True)
    assert not any(m.get("advice") == "voice" for m in counselor.heard)
    assert (await client.ask("mode", mode="voice", reason="network"))["type"] == "ok"
    assert (await counselor.get("mode", mode="voice"))["reason"] == "network"


async def test_a_step_is_told_to_the_other_and_kept_once(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.ask("media", audio=True, video=True, picture="full")
    for _ in range(2):
        await client.ask("media", audio=True, video=False, picture="paused", by="line")
    media = {"audio": True, "video": False, "picture": "paused", "by": "line"}
    await counselor.get("peer", media=media)
    await client.ask("media", audio=True, video=True, picture="small", by="user", budget_mb=50)
    told = await counselor.get("peer", media={"audio": True, "video": True, "picture": "small", "by": "user"})
    assert "budget_mb" not in told["media"]
    await client.ask("media", audio=True, video=True, picture="small", by="user", budget_mb=None)
    await house.hub._journal.flush(within_s=2)
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    kept = [
        (event.kind, dict(event.detail)) for event in record.events if event.kind in ("picture", "budget")
    ]
    assert kept == [
        ("picture", {"step": "paused", "by": "line"}),
        ("budget", {"mb": 50}),
        ("picture", {"step": "small", "by": "user"}),
        ("budget", {"mb": None}),
    ]


async def test_a_device_that_was_lost_is_kept_and_told_to_nobody(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.ask("media", audio=False, video=True, lost="audio")
    told = await counselor.get("peer", media={"audio": False, "video": True})
    assert "lost" not in told["media"]
    await house.hub._journal.flush(within_s=2)
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    (lost,) = [event for event in record.events if event.kind == "device_lost"]
    assert (lost.participant_id, dict(lost.detail)) == (session.participants[0].id, {"device": "audio"})


@pytest.mark.parametrize(
    "fields", [{"lost": "chair"}, {"picture": "huge"}, {"by": "me"}, {"receive": 3}, {"budget_mb": 0}]
)
async def test_steps_that_do_not_exist_are_malformed(house: House, fields: dict[str, object]) -> None:
    client, _, _, _ = await talking(house)
    await client.send("media", ref="x", audio=True, video=True, **fields)
    await client.get("error", code="malformed")


async def test_a_picture_chosen_by_hand_is_left_where_it_is(house: House) -> None:
    client, _, leg, _ = await talking(house)
    await client.ask("media", audio=True, video=True, picture="full", by="user")
    house.relay.sampled[leg] = sample(leg, loss_up_pct=15.0)
    await tick(house, 40)
    for _ in range(10):
        assert "picture" not in await client.get("quality")


async def test_a_lesser_picture_chosen_by_hand_was_told_as_advice_and_trouble(house: House) -> None:
    client, _, _, _ = await talking(house)
    await client.ask("media", audio=True, video=True, picture="small", by="user")
    await tick(house, 12)
    for _ in range(4):
        told = await client.get("quality")
        assert "picture" not in told
        assert "advice" not in told
    assert not house.hub.survey.in_trouble()


async def test_a_voice_of_which_much_is_lost_goes_twice_where_both_can(house: House) -> None:
    session = await house.session(Mode.VOICE)
    people = [
        await house.join(session, index, codecs=["audio/opus", "audio/red", "video/VP8"]) for index in (0, 1)
    ]
    for _ in range(2):
        for person in people:
            offer = await person.answer()
    for person in people:
        await person.get("peer", state="connected")
        await person.ask("media", audio=True, video=False)
    leg = LegId(offer["leg"])  # the counselor's

    def voice() -> list[int]:
        return [number for number in house.relay.requests[leg][-1].payload_types if number in (63, 111)]

    assert voice() == [111, 63]
    house.relay.sampled[leg] = sample(leg, loss_up_pct=6.0)
    await tick(house, 6)
    await people[1].answer()
    assert voice() == [63, 111]
    house.relay.sampled[leg] = sample(leg)
    await tick(house, 40)
    await people[1].answer()
    assert voice() == [111, 63]


async def test_a_voice_goes_once_where_one_side_takes_nothing_else(house: House) -> None:
    client, _, leg, _ = await talking(house, Mode.VOICE)
    requests = len(house.relay.requests[leg])
    house.relay.sampled[leg] = sample(leg, loss_up_pct=6.0)
    await tick(house, 10)
    await client.ask("media", audio=True, video=False)
    assert len(house.relay.requests[leg]) == requests


async def test_who_moved_the_session_was_forgotten_by_a_restart(house: House) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    await client.ask("mode", mode="voice", reason="network")
    await house.hub._journal.flush(within_s=2)
    live = revive(
        await house.record(session.id),
        settings=SignalingSettings(),
        now=house.clock.now(),
        new_tag=lambda: "t",
    )
    assert (live.call.mode.mode, live.call.mode.reason) == (Mode.VOICE, Reason.NETWORK)
    await client.ask("mode", mode="voice", reason="user")
    await house.hub._journal.flush(within_s=2)
    assert (await house.record(session.id)).mode_reason is Reason.USER, (
        "what a person chose is not taken away"
    )


async def test_who_enters_is_told_who_moved_the_session(house: House) -> None:
    session = await house.session()
    client, _ = await house.pair(session)
    await client.ask("mode", mode="chat", reason="network")
    key = next(m for m in client.heard if m["type"] == "welcome")["resume_key"]
    back = await house.enter(session, 0, resume={"key": key, "seq": 0})
    assert (await back.get("welcome"))["session"]["mode_reason"] == "network"
