"""What counselors and clients do in the line, and the talks that come of it."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from accounts import people
from accounts.erasure import Erasure
from accounts.tombstones import tombstones_in
from core.db import Database
from core.errors import Forbidden, InvalidState
from core.ids import SessionId
from counseling import desks, exclusions, line, register, talks, walkins
from counseling.entry import Medium
from counseling.line import Absent, Unfit
from counseling.talks import Busy, Taken
from counseling.triage import Risk, Triage
from counseling.walkin_states import Ended, State
from tests.counseling.conftest import MASTER
from tests.counseling.lines import URGENT, Line
from tests.fakes import FakeClock


@pytest.fixture(name="desk")
def fixture_desk(database: Database, clock: FakeClock) -> Line:
    """A line with nobody in it, once on each database."""
    return Line(database, clock)


async def test_an_offer_that_is_accepted_is_a_talk_until_it_ends(desk: Line) -> None:
    asked = await desk.ask(medium=Medium.CHAT)
    ratna = await desk.counselor()
    await desk.turn()
    talk = await desk.accept(ratna, asked)
    assert (talk.client, talk.counselor, talk.medium) == (asked.client, ratna.id, Medium.CHAT)
    assert (await desk.look(asked)).state is State.TALKING
    async with desk.database.sessions() as db:
        assert await talks.open_of_client(db, client=asked.client) == talk
        assert await talks.open_of_counselor(db, counselor=ratna.id) == talk
        assert (
            await desks.open_desks(
                db, desk.rules.credentials, today=desk.rules.today(desk.clock.now()), now=desk.clock.now()
            )
            == []
        )
    ended = await desk.end(ratna, talk)
    assert ended == await desk.end(ratna, talk), "ended twice is ended once"
    assert (await desk.look(asked)).ended_why is Ended.TALKED
    async with desk.database.sessions() as db:
        assert await talks.last_of_client(db, client=asked.client) == ended
        assert await talks.count_of_client(db, client=asked.client) == 1
        assert await talks.open_of_client(db, client=asked.client) is None
        assert await talks.caseloads(db, counselors=[ratna.id], now=desk.clock.now()) == {
            ratna.id: {asked.client}
        }


async def test_only_whose_turn_it_is_may_accept(desk: Line) -> None:
    asked = await desk.ask()
    ratna = await desk.counselor()
    await desk.turn()
    joko = await desk.counselor("Joko")
    with pytest.raises(Taken):
        await desk.accept(joko, asked)
    await desk.accept(ratna, asked)
    with pytest.raises(Taken):
        await desk.accept(ratna, asked)


async def test_of_two_who_accept_somebody_in_danger_at_once_one_is_first(desk: Line) -> None:
    asked = await desk.ask(triage=URGENT)
    two = [await desk.counselor(), await desk.counselor("Joko")]
    found = await asyncio.gather(*(desk.accept(one, asked) for one in two), return_exceptions=True)
    assert sorted(type(one).__name__ for one in found) == ["Taken", "Talk"]


async def test_nobody_talks_with_two(desk: Line) -> None:
    ratna = await desk.counselor()
    first, second = await desk.ask(triage=URGENT), await desk.ask(triage=URGENT)
    await desk.accept(ratna, first)
    with pytest.raises(Busy):
        await desk.accept(ratna, second)


async def test_an_absent_client_is_accepted_only_in_danger(desk: Line, clock: FakeClock) -> None:
    asked, ratna = await desk.ask(), await desk.counselor()
    await desk.turn()
    danger, joko = await desk.ask(triage=URGENT), await desk.counselor("Joko")
    clock.advance(50)
    with pytest.raises(Absent):
        await desk.accept(ratna, asked)
    assert (await desk.accept(joko, danger)).client == danger.client


async def test_who_is_on_duty_takes_somebody_in_danger_whatever_fits(desk: Line) -> None:
    danger = await desk.ask(triage=URGENT, language="jv")
    ratna = await desk.counselor(desk=False)
    with pytest.raises(Unfit):
        await desk.accept(ratna, danger)
    assert (await desk.accept(ratna, danger, on_duty=True)).reasons == ("urgent",)


async def test_whom_a_client_excludes_takes_them_not_even_on_duty(desk: Line) -> None:
    embun, ratna = await desk.client(), await desk.counselor(recusals=("Fakultas Teknik",))
    async with desk.database.sessions.begin() as db:
        await exclusions.not_with_group(
            db, desk.audit, client=embun.id, group=" fakultas  TEKNIK ", now=desk.clock.now()
        )
    danger = await desk.ask(embun, triage=URGENT)
    with pytest.raises(Unfit):
        await desk.accept(ratna, danger, on_duty=True)


async def test_duty_opens_only_somebody_in_danger(desk: Line) -> None:
    asked, ratna = await desk.ask(), await desk.counselor(desk=False)
    with pytest.raises(Taken):
        await desk.accept(ratna, asked, on_duty=True)


async def test_clients_accept_nobody(desk: Line) -> None:
    asked = await desk.ask()
    with pytest.raises(Forbidden):
        await desk.accept(await desk.client(), asked)


async def test_a_counselor_takes_no_more_than_they_said_but_their_own_again(desk: Line) -> None:
    ratna = await desk.counselor(capacity=1)
    embun = await desk.client()
    await desk.ask(embun)
    await desk.turn()
    await desk.end(ratna, await accepted(desk, ratna))
    await desk.ask()
    assert await desk.turn() == []
    await desk.ask(embun)
    assert len(await desk.turn()) == 1
    assert (await accepted(desk, ratna)).client == embun.id


async def test_whose_entry_does_not_hold_today_is_offered_nobody(desk: Line) -> None:
    ratna = await desk.counselor()
    async with desk.database.sessions.begin() as db:
        today = desk.rules.today(desk.clock.now())
        await register.change_hours(
            db, desk.audit, user=ratna.id, week=(), away_from=today, away_until=today, now=desk.clock.now()
        )
    await desk.ask()
    assert await desk.turn() == []


async def test_a_trainee_takes_nobody_who_is_to_be_watched(desk: Line) -> None:
    await desk.counselor(kind="trainee")
    await desk.ask(triage=Triage(Risk.WATCH))
    assert await desk.turn() == []


async def test_passing_on_for_ever_is_silent(desk: Line) -> None:
    asked, ratna = await desk.ask(), await desk.counselor()
    await desk.turn()
    await desk.pass_on(ratna, asked, recuse=True)
    async with desk.database.sessions() as db:
        assert await exclusions.excludes(db, client=asked.client, counselor=ratna.id)
        assert await exclusions.of_client(db, client=asked.client) == []
    with pytest.raises(Taken):
        await desk.pass_on(ratna, asked)


async def test_an_exclusion_takes_an_offer_back_and_can_be_taken_back(desk: Line) -> None:
    asked, ratna = await desk.ask(), await desk.counselor()
    await desk.turn()
    async with desk.database.sessions.begin() as db:
        now = desk.clock.now()
        made = await exclusions.not_with(db, desk.audit, client=asked.client, counselor=ratna.id, now=now)
        assert made == await exclusions.not_with(
            db, desk.audit, client=asked.client, counselor=ratna.id, now=now
        )
    assert (await desk.look(asked)).state is State.WAITING
    assert await desk.turn() == []
    async with desk.database.sessions.begin() as db:
        await exclusions.remove(db, desk.audit, client=asked.client, exclusion=made.id, now=now)
    assert len(await desk.turn()) == 1


async def test_an_appointment_takes_both_out_of_the_line(desk: Line) -> None:
    embun, ratna = await desk.client(), await desk.counselor()
    other = await desk.ask()
    await desk.turn()
    own = await desk.ask(embun)
    async with desk.database.sessions.begin() as db:
        talk = await talks.begin(
            db,
            desk.audit,
            client=embun.id,
            counselor=ratna.id,
            medium=Medium.VIDEO,
            appointment="a_1",
            reasons=[],
            now=desk.clock.now(),
        )
        assert await talks.set_session(db, talk=talk.id, session=SessionId("s_1"))
        assert not await talks.set_session(db, talk=talk.id, session=SessionId("s_2"))
    assert (await desk.look(own)).ended_why is Ended.TALKED
    assert (await desk.look(other)).state is State.WAITING
    with pytest.raises(Taken):
        await desk.accept(ratna, own)
    with pytest.raises(InvalidState):
        await desk.ask(embun)


async def test_who_leaves_the_service_is_out_at_once_from_either_side(desk: Line) -> None:
    ratna, asked = await desk.counselor(), await desk.ask()
    await desk.turn()
    talk = await desk.accept(ratna, asked)
    waiting, joko = await desk.ask(), await desk.counselor("Joko")
    await desk.turn()
    async with desk.database.sessions.begin() as db:
        gone = await line.depart(db, desk.audit, user=asked.client, now=desk.clock.now())
        assert gone is not None
        assert gone.id == talk.id
        assert await line.depart(db, desk.audit, user=joko.id, now=desk.clock.now()) is None
        assert await walkins.find_open(db, client=asked.client) is None
    assert (await desk.look(waiting)).state is State.WAITING
    async with desk.database.sessions() as db:
        assert await desks.present(db, now=desk.clock.now()) == [ratna.id]


async def test_history_is_shared_only_when_the_client_says_so(desk: Line) -> None:
    ratna, asked = await desk.counselor(), await desk.ask()
    await desk.turn()
    talk = await desk.accept(ratna, asked)
    assert talk.shares_history is False
    async with desk.database.sessions.begin() as db:
        assert (
            await talks.share_history(db, desk.audit, talk=talk.id, shares=True, now=desk.clock.now())
        ).shares_history


async def test_nobody_ends_the_talk_of_others(desk: Line) -> None:
    ratna, asked = await desk.counselor(), await desk.ask()
    await desk.turn()
    talk = await desk.accept(ratna, asked)
    with pytest.raises(Forbidden):
        await desk.end(await desk.counselor("Joko"), talk)


async def test_erasing_somebody_leaves_nothing_of_theirs(desk: Line, tmp_path: Path) -> None:
    ratna, asked = await desk.counselor(), await desk.ask()
    await desk.turn()
    await desk.end(ratna, await desk.accept(ratna, asked))
    async with desk.database.sessions.begin() as db:
        person = await people.get(db, user=asked.client)
        await exclusions.not_with(db, desk.audit, client=person.id, counselor=ratna.id, now=desk.clock.now())
        await people.leave(db, user=person.id, at=desk.clock.now())
    erasure = Erasure(desk.audit, tombstones_in(tmp_path, MASTER))
    async with desk.database.sessions.begin() as db:
        assert await erasure.carry_out(db, user=person.id, now=desk.clock.now())
    async with desk.database.sessions() as db:
        assert await talks.count_of_client(db, client=person.id) == 0
        assert await exclusions.of_client(db, client=person.id) == []
        assert await walkins.find_open(db, client=person.id) is None


async def accepted(desk: Line, counselor: people.Person) -> talks.Talk:
    """Accept whom a counselor is offered."""
    async with desk.database.sessions() as db:
        offer = await line.offer_to(db, counselor=counselor.id, now=desk.clock.now())
    assert offer is not None
    return await desk.accept(counselor, offer)
