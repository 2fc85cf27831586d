"""Reports of the way in, from a line that people really went through."""

from __future__ import annotations

from datetime import timedelta

from core.db import Database
from counseling import reports, walkins
from counseling.reports import Report, patience
from counseling.tallies import Row
from counseling.walkin_states import Ended
from tests.counseling.lines import URGENT, Line
from tests.fakes import FakeClock


async def report(line: Line, clock: FakeClock) -> Report:
    async with line.database.sessions() as db:
        return await reports.over(db, since=clock.now() - timedelta(days=7))


async def test_what_is_counted_is_what_happened(database: Database, clock: FakeClock) -> None:
    line = Line(database, clock)
    before = await line.client("Lama")
    await line.ask(before)
    clock.advance(8 * 24 * 3600)
    for number in range(5):
        counselor = await line.counselor(f"Ratna {number}")
        asked = await line.ask(await line.client(f"Embun {number}"))
        clock.advance(10 * (number + 1))
        await line.sign(asked)
        await line.open(counselor)
        await line.turn()
        await line.accept(counselor, asked)
    for number in range(6):
        asked = await line.ask(await line.client(f"Kabut {number}"), triage=URGENT)
        clock.advance(150)
        async with database.sessions.begin() as db:
            await walkins.leave(db, line.audit, walkin=asked.id, why=Ended.LEFT, now=clock.now())
    found = await report(line, clock)
    assert found.outcomes.rows == (Row("left", 6), Row("open", 5))
    assert found.outcomes.total == 11
    assert found.left_after.rows == (Row("under_5", 6),)
    assert found.waited is not None
    assert (found.waited.count, found.waited.p50, found.waited.p90) == (5, 30.0, 50.0)
    assert found.waited_urgent is None
    assert found.media.rows == (Row("video", 5),)
    assert Row("topic", 5) in found.reasons.rows


def test_patience_has_a_name_for_every_wait() -> None:
    minutes = (0, 1.9, 2, 4.9, 5, 9.9, 10, 600)
    assert [patience(timedelta(minutes=one)) for one in minutes] == [
        *["under_2"] * 2,
        *["under_5"] * 2,
        *["under_10"] * 2,
        *["later"] * 2,
    ]
