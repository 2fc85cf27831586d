from __future__ import annotations

from datetime import timedelta

import pytest

from core.db import Database
from core.errors import InvalidState, NotFound
from counseling import walkin_states, walkins
from counseling.entry import Medium
from counseling.triage import Risk, Suitability, Triage
from counseling.walkin_states import HELD, SURVIVES, Alone, Ended, State
from counseling.walkins import RETENTION
from tests.counseling.lines import URGENT, Line
from tests.fakes import FakeClock


@pytest.fixture
def line(database: Database, clock: FakeClock) -> Line:
    """A line with nobody in it, once on each database."""
    return Line(database, clock)


async def test_who_asks_twice_keeps_the_place_and_the_risk(line: Line, clock: FakeClock) -> None:
    embun = await line.client()
    first = await line.ask(embun, triage=URGENT)
    clock.advance(60)
    again = await line.ask(embun, topic="grief", medium=Medium.CHAT)
    assert (again.id, again.asked_at) == (first.id, first.asked_at)
    assert (again.topic, again.medium) == ("grief", Medium.CHAT)
    assert again.triage.risk is Risk.URGENT, "what was said is not taken back"
    assert again.seen_at == clock.now()


@pytest.mark.parametrize("alone", [Alone.NO, Alone.UNSURE])
async def test_whoever_is_not_surely_alone_writes(line: Line, alone: Alone) -> None:
    assert (await line.ask(medium=Medium.VIDEO, alone=alone)).medium is Medium.CHAT
    assert (await line.ask(medium=Medium.VIDEO, alone=Alone.YES)).medium is Medium.VIDEO


async def test_the_intake_raises_the_risk_and_never_lowers_it(line: Line) -> None:
    asked = await line.ask(triage=Triage(Risk.WATCH, Suitability.BOTH, ("phq9_item9",)))
    async with line.database.sessions.begin() as db:
        same = await walkins.retriage(db, line.audit, walkin=asked.id, triage=Triage(), now=line.clock.now())
        assert same == asked
        raised = await walkins.retriage(db, line.audit, walkin=asked.id, triage=URGENT, now=line.clock.now())
    assert raised.triage == Triage(Risk.URGENT, Suitability.BOTH, ("danger_said", "phq9_item9"))


async def test_a_quick_exit_holds_the_place_for_half_an_hour(line: Line, clock: FakeClock) -> None:
    asked = await line.ask()
    await leave(line, asked.id, Ended.QUICK_EXIT)
    held = await line.look(asked)
    assert held.is_held
    assert not held.is_present(clock.now())
    assert not held.is_over(clock.now() + SURVIVES + timedelta(seconds=1))
    assert held.is_over(clock.now() + HELD + timedelta(seconds=1))
    await line.sign(asked)
    assert (await line.look(asked)).is_held, "a page that was still closing is no coming back"
    async with line.database.sessions.begin() as db:
        await walkins.seen(db, walkin=asked.id, now=clock.now())
    assert (await line.look(asked)).is_present(clock.now())


async def test_a_quick_exit_takes_an_offer_back(line: Line) -> None:
    asked = await line.ask()
    await line.counselor()
    await line.turn()
    await leave(line, asked.id, Ended.QUICK_EXIT)
    held = await line.look(asked)
    assert (held.state, held.offered_to) == (State.WAITING, None)
    assert await line.turn() == []


@pytest.mark.parametrize("why", [one for one in Ended if one is not Ended.QUICK_EXIT])
async def test_who_leaves_is_out_and_may_come_back(line: Line, why: Ended) -> None:
    embun = await line.client()
    asked = await line.ask(embun)
    assert (await leave(line, asked.id, why)).ended_why is why
    assert (await leave(line, asked.id, Ended.LEFT)).ended_why is why, "what has ended stays as it is"
    assert (await line.ask(embun)).id != asked.id


async def test_nobody_leaves_the_line_out_of_a_talk(line: Line) -> None:
    asked = await line.ask()
    ratna = await line.counselor()
    await line.turn()
    await line.accept(ratna, asked)
    with pytest.raises(InvalidState):
        await leave(line, asked.id, Ended.LEFT)


async def test_waiting_for_one_counselor_is_a_wish_of_the_client(line: Line) -> None:
    asked, ratna = await line.ask(), await line.counselor()
    async with line.database.sessions.begin() as db:
        kept = await walkins.wait_for(
            db, line.audit, walkin=asked.id, counselor=ratna.id, waits=True, now=line.clock.now()
        )
        assert (kept.prefers, kept.waits_for_preferred) == (ratna.id, True)
        freed = await walkins.wait_for(
            db, line.audit, walkin=asked.id, counselor=None, waits=True, now=line.clock.now()
        )
    assert (freed.prefers, freed.waits_for_preferred) == (None, False)


async def test_ended_walkins_are_forgotten_after_a_time(line: Line, clock: FakeClock) -> None:
    ended, waiting = await line.ask(), await line.ask()
    await leave(line, ended.id, Ended.LEFT)
    clock.advance(RETENTION.total_seconds() + 1)
    async with line.database.sessions.begin() as db:
        await walkins.prune(db, now=clock.now())
    assert (await line.look(waiting)).id == waiting.id
    with pytest.raises(NotFound):
        await line.look(ended)


async def test_every_change_stands_in_the_clients_history(line: Line) -> None:
    asked = await line.ask()
    ratna = await line.counselor()
    await line.turn()
    await line.pass_on(ratna, asked)
    await leave(line, asked.id, Ended.LEFT)
    async with line.database.sessions() as db:
        own = await line.audit.own(db, person=asked.client)
    assert [entry.tag for entry in reversed(own)] == ["walkin:ask", "walkin:offer", "walkin:leave"]
    assert all(entry.actor in {None, asked.client} for entry in own), "who passed is not told"


async def leave(line: Line, walkin: str, why: Ended) -> walkin_states.Walkin:
    """Leave the line."""
    async with line.database.sessions.begin() as db:
        return await walkins.leave(db, line.audit, walkin=walkin, why=why, now=line.clock.now())
