"""Risk flags and dropped lines in the database: who is told, what is there once, what ends it."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select

from accounts import notices, people
from accounts.people import Person
from accounts.roles import Role
from core.db import Database
from core.errors import InvalidState
from core.ids import UserId
from counseling import drops, preparation, risk_flags, supervision, talks
from counseling.drop_states import Event, State
from counseling.drop_tables import DropRow
from counseling.drops import Drop
from counseling.preparation import OnDrop
from counseling.talks import Talk
from counseling.triage import Triage
from tests.counseling.conftest import TODAY
from tests.counseling.lines import URGENT, Line
from tests.fakes import FakeClock


async def talking(line_: Line, triage: Triage | None = None) -> Talk:
    """A talk that has just begun."""
    ratna = await line_.counselor()
    walkin = await line_.ask(triage=triage)
    async with line_.database.sessions.begin() as db:
        return await talks.begin(
            db,
            line_.audit,
            walkin=walkin.id,
            client=walkin.client,
            counselor=ratna.id,
            medium=walkin.medium,
            reasons=(),
            now=line_.clock.now(),
        )


async def flag(line_: Line, talk: Talk, *, raised: bool) -> bool:
    """Have the counselor say what they see; gives what stands then."""
    async with line_.database.sessions.begin() as db:
        await risk_flags.put(
            db,
            line_.audit,
            talk=talk,
            counselor=talk.counselor,
            raised=raised,
            today=TODAY,
            now=line_.clock.now(),
        )
        stands = await risk_flags.stands(db, talk=talk.id)
        assert await risk_flags.clients(db) == ({talk.client} if stands else set())
        return stands


async def drop_of(line_: Line, talk: Talk) -> Drop:
    """The line of a talk breaks."""
    now = line_.clock.now()
    async with line_.database.sessions.begin() as db:
        return await drops.raise_(
            db, line_.audit, talk=talk, broke_at=now, kept_until=now + timedelta(minutes=10), now=now
        )


async def kinds(line_: Line, user: UserId) -> list[str]:
    """What was told to somebody."""
    async with line_.database.sessions() as db:
        return [one.kind for one in await notices.inbox(db, user=user)]


@pytest.fixture
def line_(database: Database, clock: FakeClock) -> Line:
    return Line(database, clock)


async def supervisor_of(line_: Line, talk: Talk) -> Person:
    """Somebody who supervises the counselor of a talk."""
    now = line_.clock.now()
    async with line_.database.sessions.begin() as db:
        sari = await people.create_staff(db, name="Sari", language="id", roles=[Role.SUPERVISOR], now=now)
        dewi = await people.create_staff(db, name="Dewi", language="id", roles=[Role.ADMIN], now=now)
        ratna = await people.get(db, user=talk.counselor)
        await supervision.assign(
            db,
            line_.audit,
            person=dewi,
            supervisor=sari,
            counselor=ratna,
            from_day=TODAY,
            until_day=None,
            now=now,
        )
    return sari


async def test_the_triage_raises_the_flag_and_the_counselor_has_the_last_word(line_: Line) -> None:
    talk = await talking(line_, URGENT)
    async with line_.database.sessions() as db:
        assert await risk_flags.stands(db, talk=talk.id)
    assert await flag(line_, talk, raised=False) is False
    assert await flag(line_, talk, raised=True) is True


async def test_raising_it_tells_the_supervisors_once(line_: Line) -> None:
    talk = await talking(line_)
    sari = await supervisor_of(line_, talk)
    async with line_.database.sessions() as db:
        assert not await risk_flags.stands(db, talk=talk.id)
    for _ in range(2):
        await flag(line_, talk, raised=True)
    assert await kinds(line_, sari.id) == ["risk_flag"]
    async with line_.database.sessions() as db:
        tags = [row.tag for row in await line_.audit.own(db, person=talk.client)]
    assert tags.count("risk:raise") == 1


async def test_a_break_calls_the_counselor_once(line_: Line) -> None:
    talk = await talking(line_, URGENT)
    first, again = await drop_of(line_, talk), await drop_of(line_, talk)
    assert first == again
    assert first.state is State.CALLING
    assert first.concerns(talk.counselor)
    assert await kinds(line_, talk.counselor) == ["line_dropped"]
    async with line_.database.sessions() as db:
        assert len((await db.scalars(select(DropRow))).all()) == 1


async def test_duty_is_called_only_while_nobody_has_seen_it(line_: Line) -> None:
    talk = await talking(line_, URGENT)
    drop, duty = await drop_of(line_, talk), await line_.counselor("Sari")
    async with line_.database.sessions.begin() as db:
        called = await drops.call_duty(db, line_.audit, drop=drop.id, duty=duty.id, now=line_.clock.now())
        assert called.concerns(duty.id)
        seen = await drops.see(db, line_.audit, drop=drop.id, person=duty.id, now=line_.clock.now())
        assert seen.state is State.SEEN
        assert await drops.see(db, line_.audit, drop=drop.id, person=duty.id, now=line_.clock.now()) == seen
    assert await kinds(line_, duty.id) == ["line_dropped"]
    other = await line_.counselor("Tia")
    async with line_.database.sessions.begin() as db:
        late = await drops.call_duty(db, line_.audit, drop=drop.id, duty=other.id, now=line_.clock.now())
    assert late.duty == duty.id


@pytest.mark.parametrize(
    ("why", "state"), [(Event.RETURN, State.BACK), (Event.QUIT, State.QUICK), (Event.CLOSE, State.DONE)]
)
async def test_what_is_over_stays_over_and_a_new_break_calls_again(
    line_: Line, why: Event, state: State
) -> None:
    talk = await talking(line_, URGENT)
    drop = await drop_of(line_, talk)
    async with line_.database.sessions.begin() as db:
        now = line_.clock.now()
        ended = await drops.end(db, line_.audit, drop=drop.id, why=why, person=None, now=now)
        assert ended.state is state
        assert await drops.all_open(db) == []
        with pytest.raises(InvalidState):
            await drops.phoned(db, line_.audit, drop=drop.id, person=talk.counselor, now=now)
    assert (await drop_of(line_, talk)).id != drop.id


async def test_a_quick_exit_takes_back_what_a_drop_should_do(line_: Line) -> None:
    talk = await talking(line_)
    now = line_.clock.now()
    async with line_.database.sessions.begin() as db:
        occasion = await preparation.occasion_of(db, client=talk.client)
        assert occasion is not None
        await preparation.keep_on_drop(db, line_.audit, occasion=occasion, on_drop=OnDrop.WRITE, now=now)
        assert await preparation.on_drop(db, talk=talk.id) is OnDrop.WRITE
        await preparation.take_back_on_drop(db, line_.audit, client=talk.client, now=now)
        assert await preparation.on_drop(db, talk=talk.id) is OnDrop.NOTHING


async def test_what_was_prepared_outlives_a_talk_with_a_risk_flag(line_: Line, clock: FakeClock) -> None:
    talk = await talking(line_)
    async with line_.database.sessions.begin() as db:
        occasion = await preparation.occasion_of(db, client=talk.client)
        assert occasion is not None
        await preparation.keep_on_drop(
            db, line_.audit, occasion=occasion, on_drop=OnDrop.WRITE, now=line_.clock.now()
        )
    await flag(line_, talk, raised=True)
    async with line_.database.sessions.begin() as db:
        await talks.end(db, line_.audit, talk=talk.id, now=line_.clock.now())
        assert await preparation.prune(db, now=line_.clock.now()) == 0
    clock.advance(72 * 3600)
    async with line_.database.sessions.begin() as db:
        assert await preparation.prune(db, now=line_.clock.now()) == 1


async def test_what_ended_is_forgotten_after_a_while(line_: Line, clock: FakeClock) -> None:
    talk = await talking(line_, URGENT)
    drop = await drop_of(line_, talk)
    clock.advance(91 * 86_400)
    async with line_.database.sessions.begin() as db:
        await drops.prune(db, now=line_.clock.now())
        assert (await drops.get(db, drop=drop.id)).is_open, "what is open is kept"
        now = line_.clock.now()
        await drops.end(db, line_.audit, drop=drop.id, why=Event.CLOSE, person=talk.counselor, now=now)
        await drops.prune(db, now=now + timedelta(days=91))
        assert (await db.scalars(select(DropRow))).all() == []
