"""What is written behind the call: in few transactions, and what cannot be written stops nothing else."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import event, select

from core.db import Database
from core.ids import ParticipantId, SessionId
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording, Role, SessionRecord
from signaling.journal import Journal
from signaling.records import EventRecord, PlaceRecord
from signaling.tables import EventRow

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


async def made(database: Database) -> SessionRecord:
    async with database.sessions.begin() as db:
        created = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.OFF,
            participants=[NewParticipant(role, role.value) for role in Role],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=NOW,
        )
    return created.session


def happened(session: SessionId, kind: str, *, to: ParticipantId | None = None) -> EventRecord:
    return EventRecord(session, to, kind, {}, NOW)


async def kinds(database: Database) -> list[str]:
    async with database.sessions() as db:
        return [*(await db.scalars(select(EventRow.kind).order_by(EventRow.id)))]


async def test_what_comes_together_is_one_transaction_and_a_flush_does_not_wait(database: Database) -> None:
    session = await made(database)
    one = session.participants[0].id
    commits: list[object] = []
    event.listen(database.engine.sync_engine, "commit", commits.append)
    journal = Journal(database.sessions)
    journal.start()
    try:
        for number, state in enumerate(("waiting", "connecting", "connected")):
            journal.put(PlaceRecord(one, state, NOW, taken_by="a" * 64 if number == 0 else None))
            journal.put(happened(session.id, state))
        await journal.flush(within_s=2.0)
    finally:
        await journal.close()
    assert len(commits) == 1
    assert await kinds(database) == ["waiting", "connecting", "connected"]
    async with database.sessions() as db:
        found = await directory.find(db, session_id=session.id)
    assert found is not None
    place = found.participant(one)
    assert place is not None
    assert (place.state, place.seat) == ("connected", "a" * 64)
    assert journal.failed == 0


async def test_a_record_that_cannot_be_written_takes_no_other_along(database: Database) -> None:
    session = await made(database)
    journal = Journal(database.sessions)
    journal.start()
    try:
        for number in range(7):
            whose = SessionId("s_none") if number == 3 else session.id
            journal.put(happened(whose, f"k{number}"))
        await journal.flush(within_s=5.0)
    finally:
        await journal.close()
    assert await kinds(database) == ["k0", "k1", "k2", "k4", "k5", "k6"]
    assert journal.failed > 0
