"""What stays of a session's quality, and what is deleted when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select

from accounts.tables import UserRow
from core.db import Database
from core.ids import ParticipantId, SessionId, UserId
from media.codecs import Mode
from signaling import directory, records, summaries
from signaling.directory import NewParticipant, Recording, Role, SessionRecord
from signaling.quality_record import QualityRecord, SessionEvent
from signaling.records import EventRecord, ModeRecord, QualitySample, Record, StateRecord
from signaling.summaries import EndedWhy, Summary, ended_why
from signaling.tables import EventRow, QualityRow, SummaryRow
from tests.fakes import FakeClock

NIMAS = UserId("u_00000000000000000001")


async def make(database: Database, clock: FakeClock, *, counselor: UserId | None = None) -> SessionRecord:
    async with database.sessions.begin() as db:
        if counselor is not None:
            await db.execute(
                insert(UserRow).values(id=counselor, name="Nimas", language="id", created_at=clock.now())
            )
        created = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.OFF,
            participants=[
                NewParticipant(Role.CLIENT, "Sekar"),
                NewParticipant(Role.COUNSELOR, "Bima", user=counselor),
            ],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=clock.now(),
        )
    return created.session


async def keep(database: Database, *what: Record) -> None:
    async with database.sessions.begin() as db:
        await records.write(db, what)


async def summed(database: Database, clock: FakeClock) -> list[Summary]:
    """Do what the job does, and read what the trends read."""
    async with database.sessions.begin() as db:
        for one in await summaries.pending(db, now=clock.now(), most=10):
            await summaries.sum_up(db, session_id=one, now=clock.now())
        return await summaries.read(db, since=datetime(2000, 1, 1, tzinfo=UTC), until=clock.now())


async def talk(database: Database, clock: FakeClock, session: SessionRecord) -> None:
    """Let a talk of half an hour take place, with a cut of the client's line; then end it."""
    client, counselor = session.participants
    began_at = clock.now()
    await keep(database, StateRecord(session.id, "active", began_at=began_at))
    for number in range(180):
        at = began_at + timedelta(seconds=10 * number)
        for place, rtt_ms in ((client, 300.0 + number), (counselor, 20.0)):
            seen: dict[str, Any] = {
                "rtt_ms": rtt_ms,
                "mos": 4.1,
                "network": "cellular",
                "bytes_up": 100 * number,
            }
            await keep(database, QualitySample(participant_id=place.id, at=at, loss_up_pct=1.5, **seen))
    clock.advance(30 * 60)
    cause = {"gap_ms": 4_000, "direction": "up", "kind": "cut"}
    await keep(
        database,
        EventRecord(session.id, None, "mode", {"mode": "video", "reason": "began"}, began_at),
        EventRecord(
            session.id, client.id, "interrupted", {"gap_ms": 1_200}, began_at + timedelta(seconds=61)
        ),
        EventRecord(session.id, client.id, "resumed", cause, began_at + timedelta(seconds=64)),
        EventRecord(
            session.id,
            client.id,
            "mode",
            {"mode": "voice", "reason": "network"},
            began_at + timedelta(seconds=70),
        ),
        ModeRecord(session.id, "voice", "network"),
        records.ended(session.id, reason="ended", now=clock.now()),
    )


async def test_a_session_that_ended_leaves_a_row_for_each_side(database: Database, clock: FakeClock) -> None:
    session = await make(database, clock, counselor=NIMAS)
    client, counselor = session.participants
    clock.advance(20 * 60)
    await talk(database, clock, session)
    assert await summed(database, clock) == [], "the last samples may still be on their way"
    clock.advance(30)
    rows = await summed(database, clock)
    assert rows == [
        Summary(
            session_id=session.id,
            participant_id=client.id,
            role=Role.CLIENT,
            hour=datetime(2026, 3, 2, 9, tzinfo=UTC),
            medium=Mode.VIDEO,
            network="cellular",
            counselor_id=NIMAS,
            minutes=30.0,
            mos_p50=4.1,
            rtt_p50_ms=389.0,
            rtt_p95_ms=470.0,
            loss_p50_pct=1.5,
            loss_p95_pct=1.5,
            interruptions=1,
            gaps_ms=4_000,
            longest_gap_ms=4_000,
            causes={"up_cut": 1},
            steps_down=1,
            bytes=17_900,
            ended_why=EndedWhy.ENDED,
        ),
        Summary(
            session_id=session.id,
            participant_id=counselor.id,
            role=Role.COUNSELOR,
            hour=datetime(2026, 3, 2, 9, tzinfo=UTC),
            medium=Mode.VIDEO,
            network="cellular",
            counselor_id=NIMAS,
            minutes=30.0,
            mos_p50=4.1,
            rtt_p50_ms=20.0,
            rtt_p95_ms=20.0,
            loss_p50_pct=1.5,
            loss_p95_pct=1.5,
            interruptions=0,
            gaps_ms=0,
            longest_gap_ms=0,
            causes={},
            steps_down=0,
            bytes=17_900,
            ended_why=EndedWhy.ENDED,
        ),
    ]
    async with database.sessions.begin() as db:
        assert await summaries.pending(db, now=clock.now(), most=10) == []
        await summaries.sum_up(db, session_id=session.id, now=clock.now())
    assert await summed(database, clock) == rows, "again is not twice"


async def test_one_that_never_began_leaves_none_and_is_not_asked_for_again(
    database: Database, clock: FakeClock
) -> None:
    session = await make(database, clock)
    await keep(database, records.ended(session.id, reason=None, now=clock.now()))
    clock.advance(60)
    assert await summed(database, clock) == []
    async with database.sessions() as db:
        assert await summaries.pending(db, now=clock.now(), most=10) == []


async def test_the_counselor_is_not_named_any_more_when_their_account_is_gone(
    database: Database, clock: FakeClock
) -> None:
    session = await make(database, clock, counselor=NIMAS)
    await talk(database, clock, session)
    clock.advance(60)
    assert {row.counselor_id for row in await summed(database, clock)} == {NIMAS}
    async with database.sessions.begin() as db:
        await db.execute(delete(UserRow).where(UserRow.id == NIMAS))
        rows = await summaries.read(db, since=datetime(2000, 1, 1, tzinfo=UTC), until=clock.now())
    assert [row.counselor_id for row in rows] == [None, None]


@pytest.mark.parametrize(
    ("story", "over_s", "why"),
    [
        ([], None, EndedWhy.ENDED),
        ([], 0.0, EndedWhy.TIME_OVER),
        ([], 60.0, EndedWhy.ENDED),
        ([("left", {})], None, EndedWhy.LEFT),
        ([("left_quickly", {})], None, EndedWhy.QUICK),
        ([("socket_lost", {}), ("grace_over", {})], None, EndedWhy.LINE),
        ([("socket_lost", {}), ("grace_over", {}), ("entered", {})], None, EndedWhy.ENDED),
        ([("left", {}), ("entered", {})], None, EndedWhy.ENDED),
        ([("socket_lost", {})], None, EndedWhy.LINE),
        ([("socket_lost", {}), ("grade", {"from": "good", "to": "lost"})], None, EndedWhy.LINE),
        ([("socket_lost", {}), ("socket_resumed", {"gap_ms": 900})], None, EndedWhy.ENDED),
        ([("left", {}), ("path_changed", {"first": True})], None, EndedWhy.ENDED),
        ([("interrupted", {"gap_ms": 1_200})], None, EndedWhy.LINE),
        ([("interrupted", {"gap_ms": 1_200}), ("resumed", {"gap_ms": 2_000})], None, EndedWhy.ENDED),
        # What makes somebody leave quickly is no trouble of the line.
        ([("interrupted", {"gap_ms": 1_200}), ("left_quickly", {})], None, EndedWhy.QUICK),
    ],
)
async def test_why_it_ended_is_read_from_what_happened(
    clock: FakeClock, story: list[tuple[str, dict[str, Any]]], over_s: float | None, why: EndedWhy
) -> None:
    session = a_session(clock, ends_at=None if over_s is None else clock.now() + timedelta(seconds=over_s))
    client = session.participants[0].id
    events = [
        SessionEvent(clock.now() - timedelta(seconds=30 - number), client, kind, detail)
        for number, (kind, detail) in enumerate(story)
    ]
    record = QualityRecord((), tuple(events))
    assert {row.ended_why for row in summaries.summaries_of(session, record)} == {why}
    assert ended_why(session, [], []) in {EndedWhy.ENDED, EndedWhy.TIME_OVER}


def a_session(clock: FakeClock, *, ends_at: datetime | None) -> SessionRecord:
    places = tuple(
        directory.ParticipantRecord(
            ParticipantId(f"p_{role}"), SessionId("s_1"), role, role.value, "left", None
        )
        for role in Role
    )
    return SessionRecord(
        id=SessionId("s_1"),
        owner=None,
        mode=Mode.VOICE,
        recording=Recording.OFF,
        state=directory.SessionState.ENDED,
        created_at=clock.now(),
        starts_at=None,
        max_minutes=None,
        started_at=clock.now() - timedelta(hours=1),
        ends_at=ends_at,
        ended_at=clock.now(),
        ended_reason="what a person wrote",
        places_until=clock.now(),
        participants=places,
    )


async def test_the_oldest_samples_and_events_go_and_no_others(database: Database, clock: FakeClock) -> None:
    session = await make(database, clock)
    place = session.participants[0].id
    now = clock.now()
    for days in (95, 91, 89, 1, 0):
        at = now - timedelta(days=days)
        await keep(database, QualitySample(participant_id=place, at=at))
        await keep(database, EventRecord(session.id, place, "resumed", {}, at))
    before = now - timedelta(days=90)
    async with database.sessions.begin() as db:
        assert await summaries.prune(db, before=before, now=now, most=1) == 2
        assert await summaries.prune(db, before=before, now=now) == 2
        assert await summaries.prune(db, before=before, now=now) == 0
        for table in (QualityRow, EventRow):
            assert await db.scalar(select(func.count()).select_from(table)) == 3


async def test_a_clock_that_was_wrong_does_not_stop_the_pruning(database: Database, clock: FakeClock) -> None:
    session = await make(database, clock)
    place = session.participants[0].id
    now = clock.now()
    for days in (-20_000, 95, 1):
        await keep(database, QualitySample(participant_id=place, at=now - timedelta(days=days)))
    async with database.sessions.begin() as db:
        assert await summaries.prune(db, before=now - timedelta(days=90), now=now) == 2


async def test_summaries_go_later(database: Database, clock: FakeClock) -> None:
    session = await make(database, clock)
    await talk(database, clock, session)
    clock.advance(60)
    assert len(await summed(database, clock)) == 2
    async with database.sessions.begin() as db:
        assert await summaries.prune_summaries(db, before=clock.now() - timedelta(days=1)) == 0
        assert await summaries.prune_summaries(db, before=clock.now()) == 2
        assert await db.scalar(select(func.count()).select_from(SummaryRow)) == 0
