"""What the database is told, and that the call does not need it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import SessionId
from signaling import directory, records
from signaling.call import Call
from signaling.effects import Effect
from signaling.events import CallEvent
from signaling.records import Record
from signaling.tables import SessionRow
from tests.signaling.conftest import House, Person


async def settled(house: House, session: SessionId) -> directory.SessionRecord:
    await house.hub._journal.flush(within_s=2)
    return await house.record(session)


async def test_states_mode_and_seats_are_kept(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    record = await settled(house, session.id)
    assert record.state == "active"
    assert record.started_at is not None
    assert [place.state for place in record.participants] == ["connected", "connected"]
    assert all(place.seat for place in record.participants)
    await client.ask("mode", mode="voice", reason="user")
    assert (await settled(house, session.id)).mode == "voice"
    await counselor.ask("end", reason="done")
    record = await settled(house, session.id)
    assert record.state == "ended"
    assert record.ended_reason == "done"
    assert house.hub.survey.counters()["journal_failed"] == 0


async def test_an_ended_session_stays_ended_before_the_database_knows(house: House) -> None:
    session = await house.session()
    client, counselor = await house.pair(session)
    await client.vanish()
    await counselor.ask("end", reason="done")
    async with house.database.sessions.begin() as db:
        # As if the write were still waiting, or had failed.
        await db.execute(update(SessionRow).values(state="active", ended_at=None))
    late = await house.enter(session, 0)
    assert (await late.next())["reason"] == "done"
    assert await late.closed() == 4410


async def test_a_session_that_somebody_entered_while_it_was_ended_is_ended(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    session = await house.session()
    write = records.write
    entered: list[Person] = []

    async def slowly(db: AsyncSession, what: Sequence[Record]) -> None:
        await write(db, what)
        entered.append(await house.join(session, 0))

    monkeypatch.setattr(records, "write", slowly)
    await house.hub.end(session.id, reason="over", by="api")
    assert (await entered[0].get("ended"))["reason"] == "over"
    assert await entered[0].closed() == 4410


async def test_a_session_whose_time_ran_out_is_ended_without_anybody_coming(house: House) -> None:
    left, live, endless = [await house.session(max_minutes=minutes) for minutes in (1, 1, None)]
    for session in (left, live, endless):
        client, counselor = await house.pair(session)
        if session is not live:
            await client.ask("leave")
            await counselor.ask("leave")
    house.hub.tick()
    house.clock.advance(30)
    house.hub.tick()
    assert house.hub.survey.counters()["sessions"] == 1
    await house.hub._journal.flush(within_s=2)
    house.clock.advance(31)
    await house.hub.sweep()
    late = await house.enter(left, 0)
    assert (await late.next())["reason"] == "time_over"
    assert await late.closed() == 4410
    record = await settled(house, left.id)
    assert (record.state, record.ended_reason) == ("ended", "time_over")
    assert (await settled(house, endless.id)).state == "interrupted"
    assert house.hub.survey.counters()["sessions"] == 1, "a live one is ended by its own clock"
    house.hub.tick()
    assert (await settled(house, live.id)).ended_reason == "time_over"


async def test_what_fails_for_one_session_stops_no_other(
    house: House, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    broken, whole = await house.session(), await house.session(max_minutes=1)
    await house.join(broken, 0)
    client, _ = await house.pair(whole)

    def fail(_self: Call, _event: CallEvent, _now: datetime) -> list[Effect]:
        raise RuntimeError("a mistake")

    live = house.hub._lives.get(broken.id)
    assert live is not None
    call = live.call
    whole_apply = Call.apply
    monkeypatch.setattr(
        Call, "apply", lambda self, event, now: (fail if self is call else whole_apply)(self, event, now)
    )
    house.clock.advance(61)
    house.hub.tick()
    assert (await client.get("ended"))["reason"] == "time_over"
    assert "signal.tick_failed" in caplog.text
    monkeypatch.undo()
