"""The record of a session as it is read again, over clocks that were set while it was written."""

from __future__ import annotations

from datetime import timedelta

from core.db import Database
from signaling import quality_record, records, summaries
from signaling.quality_summary import SideQuality, side_quality
from signaling.records import EventRecord, QualitySample, StateRecord
from tests.fakes import FakeClock
from tests.signaling.test_summaries import keep, make

CUT = {"direction": "both", "kind": "cut"}


async def read(database: Database, clock: FakeClock, *, before_s: float, put_back_s: float) -> SideQuality:
    """Write ten minutes before and after a clock was put back in the last break, and sum it up."""
    session = await make(database, clock)
    client = session.participants[0].id
    await keep(database, EventRecord(session.id, client, "path_changed", {"first": True}, clock.now()))
    for number in range(120):
        clock.advance(10)
        if number == 60:
            broke = EventRecord(session.id, client, "interrupted", {"gap_ms": 1_000, **CUT}, clock.now())
            clock.advance(before_s)
            clock.put_back(put_back_s)
            await keep(database, broke)
            clock.advance(11 - before_s)
            await keep(
                database,
                EventRecord(session.id, client, "resumed", {"gap_ms": 12_000, **CUT}, clock.now()),
            )
        await keep(
            database,
            QualitySample(participant_id=client, at=clock.now(), bytes_up=10_000 * (number + 1)),
        )
    async with database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    return side_quality(record, client, until=clock.now())


async def test_a_clock_that_is_put_back_turns_no_data_and_no_break_round(
    database: Database, clock: FakeClock
) -> None:
    side = await read(database, clock, before_s=3, put_back_s=1_800)
    assert side.bytes_up == 1_200_000
    assert [(gap.gap_ms, gap.returned) for gap in side.gaps] == [(12_000, True)]


async def test_what_is_told_late_goes_to_its_own_time(database: Database, clock: FakeClock) -> None:
    session = await make(database, clock)
    client = session.participants[0].id
    told = [(0, "path_changed"), (20, "interrupted"), (24, "mode"), (22, "resumed")]
    began_at = clock.now()
    for at_s, kind in told:
        detail = {"mode": "chat"} if kind == "mode" else {}
        await keep(
            database, EventRecord(session.id, client, kind, detail, began_at + timedelta(seconds=at_s))
        )
    async with database.sessions() as db:
        record = await quality_record.read(db, session_id=session.id)
    assert [event.kind for event in record.events] == ["path_changed", "interrupted", "resumed", "mode"]


async def test_a_session_in_whose_break_the_clock_leapt_is_summed_up(
    database: Database, clock: FakeClock
) -> None:
    session = await make(database, clock)
    client = session.participants[0].id
    await keep(
        database,
        StateRecord(session.id, "active", began_at=clock.now()),
        EventRecord(session.id, client, "path_changed", {"first": True}, clock.now()),
        EventRecord(session.id, client, "interrupted", {"gap_ms": 1_000, **CUT}, clock.now()),
    )
    clock.advance(30 * 24 * 3_600)
    await keep(database, records.ended(session.id, reason="done", now=clock.now()))
    async with database.sessions.begin() as db:
        await summaries.sum_up(db, session_id=session.id, now=clock.now())
        rows = await summaries.read(db, since=clock.now() - timedelta(days=31), until=clock.now())
    assert {row.gaps_ms for row in rows} == {0, 2**31 - 1}
