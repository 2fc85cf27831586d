from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import event, select

from core.db import Database
from core.ids import ParticipantId, SessionId
from media.codecs import Mode
from migrations.run import upgrade
from signaling import directory, quality_record, records
from signaling.directory import (
    Created,
    NewParticipant,
    Recording,
    Role,
    SessionState,
    places_until,
)
from signaling.quality_record import QualityRecord
from signaling.records import EventRecord, ModeRecord, PlaceRecord, QualitySample, StateRecord
from signaling.tables import ParticipantRow
from tests.fakes import FakeClock

PEOPLE = (NewParticipant(Role.COUNSELOR, "Bima"), NewParticipant(Role.CLIENT, "Sekar"))
HOUR = timedelta(hours=1)


async def make(
    database: Database,
    clock: FakeClock,
    *,
    starts_at: datetime | None = None,
    max_minutes: int | None = None,
) -> Created:
    async with database.sessions.begin() as db:
        return await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.OFF,
            participants=PEOPLE,
            owner=None,
            starts_at=starts_at,
            max_minutes=max_minutes,
            now=clock.now(),
        )


async def test_a_session_is_found_as_it_was_made(database: Database, clock: FakeClock) -> None:
    made = (await make(database, clock, max_minutes=50)).session
    async with database.sessions() as db:
        assert await directory.find(db, session_id=made.id) == made
        assert await directory.place_of(db, participant_id=made.participants[1].id) == made
        assert await directory.find(db, session_id=SessionId("s_none")) is None
        assert await directory.place_of(db, participant_id=ParticipantId("p_none")) is None
    assert [(place.role, place.name) for place in made.participants] == [
        (Role.COUNSELOR, "Bima"),
        (Role.CLIENT, "Sekar"),
    ]
    assert {place.state for place in made.participants} == {"absent"}
    assert made.participant(made.participants[0].id) == made.participants[0]
    assert made.participant(ParticipantId("p_none")) is None


async def test_each_code_opens_its_own_place_and_as_often_as_it_is_used(
    database: Database, clock: FakeClock
) -> None:
    made = await make(database, clock)
    assert len(set(made.codes.values())) == 2
    for _ in range(2):
        for participant, code in made.codes.items():
            async with database.sessions() as db:
                opened = await directory.open_code(db, code=code, now=clock.now())
            assert opened is not None
            assert opened.id == participant


async def test_only_the_hash_of_a_code_is_kept(database: Database, clock: FakeClock) -> None:
    made = await make(database, clock)
    async with database.sessions() as db:
        rows = (await db.scalars(select(ParticipantRow))).all()
    kept = " ".join(str(value) for row in rows for value in vars(row).values())
    assert not any(code in kept for code in made.codes.values())
    assert all(len(row.code_hash) == 64 for row in rows)


@pytest.mark.parametrize(
    "code", ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", "\ud800", "'; --", "\u0000", "c" * 10_000]
)
async def test_a_code_that_was_never_given_out_opens_nothing(
    database: Database, clock: FakeClock, code: str
) -> None:
    await make(database, clock)
    async with database.sessions() as db:
        assert await directory.open_code(db, code=code, now=clock.now()) is None


async def test_a_code_works_for_24_hours(database: Database, clock: FakeClock) -> None:
    made = await make(database, clock)
    code = next(iter(made.codes.values()))
    clock.advance(24 * 3600 - 1)
    async with database.sessions() as db:
        assert await directory.open_code(db, code=code, now=clock.now()) is not None
        clock.advance(1)
        assert await directory.open_code(db, code=code, now=clock.now()) is None


async def test_a_code_works_until_the_session_has_ended(database: Database, clock: FakeClock) -> None:
    made = await make(database, clock)
    async with database.sessions.begin() as db:
        await records.write(db, [records.ended(made.session.id, reason="over", now=clock.now())])
        for code in made.codes.values():
            assert await directory.open_code(db, code=code, now=clock.now()) is None


NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("starts_at", "max_minutes", "until"),
    [
        (None, None, NOW + 24 * HOUR),
        (None, 60, NOW + 26 * HOUR),
        (NOW + 48 * HOUR, None, NOW + 72 * HOUR),
        (NOW + 48 * HOUR, 60, NOW + 50 * HOUR),
        (datetime.max.replace(tzinfo=UTC), 60, datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_places_open_until_past_the_latest_end(
    starts_at: datetime | None, max_minutes: int | None, until: datetime
) -> None:
    assert places_until(now=NOW, starts_at=starts_at, max_minutes=max_minutes) == until


async def test_the_end_counts_from_the_planned_start(database: Database, clock: FakeClock) -> None:
    starts_at = clock.now() + 2 * HOUR
    made = (await make(database, clock, starts_at=starts_at, max_minutes=50)).session
    assert made.ends_at == starts_at + timedelta(minutes=50)


async def test_a_start_that_has_passed_counts_from_now(database: Database, clock: FakeClock) -> None:
    for passed in (clock.now() - 48 * HOUR, datetime(1, 1, 1, tzinfo=UTC)):
        made = (await make(database, clock, starts_at=passed, max_minutes=50)).session
        assert made.ends_at == clock.now() + timedelta(minutes=50)
        assert made.places_until > made.ends_at


async def test_the_end_counts_from_the_first_moment_when_nothing_is_planned(
    database: Database, clock: FakeClock
) -> None:
    made = (await make(database, clock, max_minutes=50)).session
    assert made.ends_at is None
    clock.advance(600)
    began = clock.now()
    for state in (SessionState.ACTIVE, SessionState.INTERRUPTED, SessionState.ACTIVE):
        async with database.sessions.begin() as db:
            known = StateRecord(made.id, state.value, clock.now(), clock.now() + timedelta(minutes=50))
            await records.write(db, [known])
        clock.advance(60)
    async with database.sessions() as db:
        found = await directory.find(db, session_id=made.id)
    assert found is not None
    assert (found.state, found.started_at) == (SessionState.ACTIVE, began)
    assert found.ends_at == began + timedelta(minutes=50)


async def test_ended_is_final(database: Database, clock: FakeClock) -> None:
    made = (await make(database, clock)).session
    ended_at = clock.now()
    for later, record in enumerate(
        (
            records.ended(made.id, reason="first " * 100, now=ended_at),
            StateRecord(made.id, "active", began_at=ended_at),
            records.ended(made.id, reason="second", now=ended_at + timedelta(seconds=5)),
        )
    ):
        async with database.sessions.begin() as db:
            # By itself, and in one step with others.
            await records.write(db, [record] * (1 + later))
    async with database.sessions() as db:
        found = await directory.find(db, session_id=made.id)
    assert found is not None
    assert (found.state, found.started_at, found.ended_at) == (SessionState.ENDED, None, ended_at)
    assert found.ended_reason == ("first " * 100)[:200]


async def test_only_open_sessions_whose_time_ran_out_are_overdue(
    database: Database, clock: FakeClock
) -> None:
    now = clock.now()
    second, first, over, later = [
        (await make(database, clock, starts_at=now + timedelta(minutes=start), max_minutes=50)).session.id
        for start in (2, 1, 0, 20)
    ]
    endless = (await make(database, clock)).session
    clock.advance(60 * 60)
    async with database.sessions.begin() as db:
        await records.write(db, [records.ended(over, reason="done", now=clock.now())])
        assert await directory.overdue(db, now=clock.now(), most=5) == [first, second]
        assert await directory.overdue(db, now=clock.now(), most=1) == [first]
        clock.advance(10 * 60)
        assert await directory.overdue(db, now=clock.now(), most=5) == [first, second, later]
        clock.advance((endless.places_until - clock.now()).total_seconds())
        assert await directory.overdue(db, now=clock.now(), most=5) == [first, second, later, endless.id]


@pytest.mark.parametrize(("number", "column"), [(0, "ends_at"), (1, "places_until")])
async def test_looking_for_overdue_sessions_reads_an_index(tmp_path: Path, number: int, column: str) -> None:
    database = Database(f"sqlite:///{tmp_path}/teduh.db")
    await upgrade(database)
    asked: list[str] = []
    event.listen(
        database.engine.sync_engine, "before_cursor_execute", lambda *given: asked.append(str(given[2]))
    )
    async with database.sessions() as db:
        await directory.overdue(db, now=NOW, most=5)
        plan = await db.connection()
        steps = await plan.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[number]}", (NOW.isoformat(), 5, 0))
        told = " ".join(str(row) for row in steps)
    await database.close()
    assert f"USING INDEX ix_sessions_{column}" in told


async def test_a_session_that_is_not_there_takes_no_state(database: Database, clock: FakeClock) -> None:
    async with database.sessions.begin() as db:
        await records.write(db, [records.ended(SessionId("s_none"), reason=None, now=clock.now())])


async def test_mode_state_and_seat_are_kept(database: Database, clock: FakeClock) -> None:
    made = (await make(database, clock)).session
    one, other = (place.id for place in made.participants)
    async with database.sessions.begin() as db:
        await records.write(
            db,
            [
                ModeRecord(made.id, "voice", "network"),
                PlaceRecord(one, "waiting", clock.now(), taken_by="a" * 64),
                PlaceRecord(one, "connected", clock.now()),
            ],
        )
        found = await directory.find(db, session_id=made.id)
    assert found is not None
    assert found.mode is Mode.VOICE
    changed, unchanged = found.participant(one), found.participant(other)
    assert changed is not None
    assert unchanged is not None
    assert (changed.state, changed.seat) == ("connected", "a" * 64)
    assert (unchanged.state, unchanged.seat) == ("absent", None)


async def test_the_quality_record_is_in_the_order_of_time(database: Database, clock: FakeClock) -> None:
    made = (await make(database, clock)).session
    other = (await make(database, clock)).session
    place = made.participants[0].id

    def sample(participant: ParticipantId, number: int) -> QualitySample:
        return QualitySample(
            participant_id=participant,
            # Written further behind it would be what a clock that was put back has left.
            at=clock.now() + timedelta(seconds=4 * number),
            grade="fair",
            mos=4.21,
            rtt_ms=20.5,
            loss_down_pct=1.3,
            jitter_ms=3.0,
            available_kbps=1_500.0,
            bytes_up=2**40 + number,
            bytes_down=number,
            fps=30.0,
            height=720,
            network="cellular",
            transport="udp",
            ip_version=4,
        )

    samples = [sample(place, number) for number in range(3)]
    async with database.sessions.begin() as db:
        await records.write(db, samples[::-1])
        await records.write(db, [sample(other.participants[0].id, 9)])
        for number, (whose, kind) in enumerate([(place, "interrupted"), (place, "resumed"), (None, "mode")]):
            at = clock.now() + timedelta(seconds=number)
            detail = {"gap_ms": 2400, "first": True}
            await records.write(db, [EventRecord(made.id, whose, kind, detail, at)])
    async with database.sessions() as db:
        record = await quality_record.read(db, session_id=made.id)
    assert list(record.samples) == samples
    assert [(event.participant_id, event.kind) for event in record.events] == [
        (place, "interrupted"),
        (place, "resumed"),
        (None, "mode"),
    ]
    assert record.events[0].detail == {"gap_ms": 2400, "first": True}


async def test_a_session_without_a_record_has_an_empty_one(database: Database) -> None:
    async with database.sessions() as db:
        record = await quality_record.read(db, session_id=SessionId("s_none"))
    assert record == QualityRecord((), ())
