"""What the database is told, and that the call does not need it."""

from __future__ import annotations

from core.ids import SessionId
from signaling import directory
from tests.signaling.conftest import House


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
    assert house.hub.counters()["journal_failed"] == 0
