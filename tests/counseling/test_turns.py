from __future__ import annotations

import pytest

from core.db import Database
from counseling import turns
from counseling.lineup import Mode
from counseling.turns import Assigned, Gone, Offered, Over, Withdrawn
from counseling.walkin_states import Ended, State
from tests.counseling.lines import URGENT, Line
from tests.fakes import FakeClock


@pytest.fixture
def line(database: Database, clock: FakeClock) -> Line:
    """A line with nobody in it, once on each database."""
    return Line(database, clock)


async def test_who_waits_longest_is_offered_first(line: Line, clock: FakeClock) -> None:
    first = await line.ask()
    clock.advance(1)
    second = await line.ask()
    ratna = await line.counselor()
    assert await line.turn() == [Offered(first.id, first.client, ratna.id)]
    assert (await line.look(first)).offered_to == ratna.id
    assert (await line.look(second)).state is State.WAITING
    assert await line.turn() == []


async def test_a_turn_goes_by_after_a_minute_and_the_next_one_comes(line: Line, clock: FakeClock) -> None:
    asked = await line.ask()
    ratna = await line.counselor()
    await line.turn()
    clock.advance(30)
    joko = await line.counselor("Joko")
    await line.sign(asked)
    clock.advance(30)
    await line.open(ratna)
    assert await line.turn() == [
        Withdrawn(asked.id, asked.client, ratna.id, Over.LAPSED),
        Offered(asked.id, asked.client, joko.id),
    ]
    assert (await line.look(asked)).passed == (ratna.id,)


async def test_whoever_is_alone_is_asked_again_but_not_at_once(line: Line, clock: FakeClock) -> None:
    asked = await line.ask()
    ratna = await line.counselor()
    await line.turn()
    await line.pass_on(ratna, asked)
    assert await line.turn() == []
    for _ in range(4):
        clock.advance(30)
        await line.sign(asked)
        await line.open(ratna)
    assert await line.turn() == [Offered(asked.id, asked.client, ratna.id)]


async def test_the_next_client_comes_to_whoever_passed(line: Line, clock: FakeClock) -> None:
    first = await line.ask()
    clock.advance(1)
    second = await line.ask()
    ratna = await line.counselor()
    await line.turn()
    await line.pass_on(ratna, first)
    assert await line.turn() == [Offered(second.id, second.client, ratna.id)]


async def test_assigned_talks_begin_by_themselves(database: Database, clock: FakeClock) -> None:
    line = Line(database, clock, Mode.ASSIGNED)
    asked = await line.ask()
    ratna = await line.counselor()
    [event] = await line.turn()
    assert isinstance(event, Assigned)
    assert (event.talk.client, event.talk.counselor) == (asked.client, ratna.id)
    assert event.talk.reasons == ("topic",)
    assert (await line.look(asked)).state is State.TALKING


@pytest.mark.parametrize("mode", Mode)
async def test_for_somebody_in_danger_there_are_no_turns(
    database: Database, clock: FakeClock, mode: Mode
) -> None:
    line = Line(database, clock, mode)
    await line.ask()
    clock.advance(1)
    danger = await line.ask(triage=URGENT)
    ratna = await line.counselor()
    assert await line.turn() == [], "the one counselor is kept free"
    assert (await line.accept(ratna, danger)).reasons == ("urgent", "topic")


async def test_an_absent_client_is_given_to_nobody_and_keeps_the_place(line: Line, clock: FakeClock) -> None:
    asked = await line.ask()
    clock.advance(46)
    ratna = await line.counselor()
    assert await line.turn() == []
    clock.advance(8 * 60)
    await line.open(ratna)
    await line.sign(asked)
    assert await line.turn() == [Offered(asked.id, asked.client, ratna.id)]


async def test_an_offer_goes_back_when_the_client_is_away(line: Line, clock: FakeClock) -> None:
    asked = await line.ask()
    clock.advance(30)
    ratna = await line.counselor()
    await line.turn()
    clock.advance(16)
    await line.open(ratna)
    assert await line.turn() == [Withdrawn(asked.id, asked.client, ratna.id, Over.CLIENT_AWAY)]
    assert (await line.look(asked)).passed == ()


async def test_an_offer_goes_back_when_nobody_sits_at_the_desk(line: Line, clock: FakeClock) -> None:
    asked = await line.ask()
    ratna = await line.counselor()
    await line.turn()
    clock.advance(46)
    await line.sign(asked)
    assert await line.turn() == [Withdrawn(asked.id, asked.client, ratna.id, Over.COUNSELOR_AWAY)]


async def test_a_dead_tab_ends_the_walkin_after_ten_minutes(line: Line, clock: FakeClock) -> None:
    asked = await line.ask()
    clock.advance(600)
    assert await line.turn() == []
    clock.advance(1)
    assert await line.turn() == [Gone(asked.id, asked.client)]
    assert (await line.look(asked)).ended_why is Ended.ABSENT


async def test_many_are_paired_over_several_turns(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("counseling.lineup.IN_ONE_TURN", 2)
    for number in range(3):
        await line.ask()
        await line.counselor(f"K{number}")
    assert [len(await line.turn()) for _ in range(3)] == [2, 1, 0]
    assert turns.TURN.total_seconds() == 60
