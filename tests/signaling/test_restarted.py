"""What a restart of the server does to the gaps of a session: it is ours, on both sides, and it ends."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest

from media.codecs import Mode
from media.events import LegInterrupted
from signaling import quality_record
from signaling.directory import SessionRecord
from signaling.quality_report import Report, report_of
from signaling.quality_verdict import Verdict
from signaling.summaries import EndedWhy
from tests.signaling.conftest import House, MakeHouse, Person
from tests.signaling.test_advising import tick
from tests.signaling.test_returning import key_of

AWAY_S = 20


async def stopped(house: House) -> None:
    await house.hub.close()


async def killed(house: House) -> None:
    """Let nothing be written down any more but what waits."""
    for task in house.hub._clockwork:
        task.cancel()
    house.hub._closing = True
    await house.hub._journal.close()


async def started_anew(make_house: MakeHouse, house: House) -> House:
    again = await make_house(database=house.database)
    again.clock._ahead_s = house.clock._ahead_s + AWAY_S
    return again


async def come_back(house: House, session: SessionRecord, people: tuple[Person, Person]) -> None:
    back = [
        await house.join(session, index, resume={"key": key_of(person), "seq": 0})
        for index, person in enumerate(people)
    ]
    if (await house.record(session.id)).mode is not Mode.CHAT:
        for person in (*back, *back):
            await person.answer()
    await tick(house, 60)
    await back[1].ask("end", reason="done")


async def report(house: House, session: SessionRecord) -> Report:
    await house.hub._journal.flush(within_s=2)
    async with house.database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    return report_of(await house.record(session.id), record, now=house.clock.now())


def gaps(told: Report, index: int) -> list[tuple[str, bool]]:
    side = told.sides[told.session.participants[index].id]
    return [(gap.cause.kind, gap.returned) for gap in side.gaps]


@pytest.mark.parametrize(("stop", "most_s"), [(stopped, AWAY_S + 3), (killed, AWAY_S + 13)])
async def test_a_restart_is_one_gap_of_each_side_and_ours(
    make_house: MakeHouse, stop: Callable[[House], Awaitable[None]], most_s: float
) -> None:
    house = await make_house()
    session = await house.session(Mode.VOICE)
    people = await house.pair(session)
    await tick(house, 35)
    await stop(house)
    again = await started_anew(make_house, house)
    await come_back(again, session, people)
    told = await report(again, session)
    assert gaps(told, 0) == gaps(told, 1) == [("server", True)]
    for side in told.sides.values():
        assert AWAY_S * 1000 <= side.gaps_ms <= most_s * 1000
    assert (told.verdict, told.why) == (Verdict.SERVER, EndedWhy.ENDED)


async def test_a_line_that_was_broken_when_the_server_stopped_is_whole_again_with_its_voice(
    make_house: MakeHouse,
) -> None:
    house = await make_house()
    session = await house.session(Mode.VOICE)
    people = await house.pair(session)
    await tick(house, 30)
    live = house.hub._lives.get(session.id)
    assert live is not None
    of = {who: leg for leg, who in live.leg_owners.items()}
    house.relay.on_event(LegInterrupted(of[session.participants[0].id], 1_000))
    await tick(house, 4)
    await house.hub.close()
    again = await started_anew(make_house, house)
    await come_back(again, session, people)
    told = await report(again, session)
    assert gaps(told, 0) == [("cut", False), ("server", True)]
    assert gaps(told, 1) == [("server", True)]
    own, ours = (gap.gap_ms / 1000 for gap in told.sides[session.participants[0].id].gaps)
    assert 4 <= own <= 7
    assert AWAY_S <= ours <= AWAY_S + 3
    assert (told.verdict, told.why) == (Verdict.SERVER, EndedWhy.ENDED)


async def test_who_does_not_come_back_after_a_restart_is_gone_until_the_end(make_house: MakeHouse) -> None:
    house = await make_house()
    session = await house.session(Mode.VOICE)
    client, counselor = await house.pair(session)
    await tick(house, 30)
    await house.hub.close()
    again = await started_anew(make_house, house)
    back = await again.join(session, 1, resume={"key": key_of(counselor), "seq": 0})
    await back.answer()
    await tick(again, 30)
    await back.ask("end", reason="done")
    told = await report(again, session)
    assert gaps(told, 0) == [("server", False)]
    assert gaps(told, 1) == [("server", True)]
    assert told.why is EndedWhy.LINE
    await client.socket.close()


async def test_in_chat_a_restart_is_as_long_as_both_were_away(make_house: MakeHouse) -> None:
    house = await make_house()
    session = await house.session(Mode.CHAT)
    people = (await house.join(session, 0), await house.join(session, 1))
    await tick(house, 30)
    await house.hub.close()
    again = await started_anew(make_house, house)
    await come_back(again, session, people)
    told = await report(again, session)
    assert gaps(told, 0) == gaps(told, 1) == [("server", True)]
    for side in told.sides.values():
        assert AWAY_S * 1000 <= side.gaps_ms <= (AWAY_S + 3) * 1000
    assert told.verdict is Verdict.SERVER


async def test_who_left_before_a_restart_has_no_gap_by_it(make_house: MakeHouse) -> None:
    house = await make_house()
    session = await house.session(Mode.VOICE)
    client, counselor = await house.pair(session)
    await tick(house, 30)
    await client.ask("leave")
    await tick(house, 2)
    await house.hub.close()
    again = await started_anew(make_house, house)
    back = await again.join(session, 1, resume={"key": key_of(counselor), "seq": 0})
    await back.answer()
    await tick(again, 30)
    await back.ask("end", reason="done")
    told = await report(again, session)
    assert gaps(told, 0) == []
    assert gaps(told, 1) == [("server", True)]
