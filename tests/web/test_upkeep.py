"""What is done with the quality of sessions from time to time."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from core.ids import ParticipantId, SessionId
from recordings import keybackup
from signaling import quality_record, records, summaries
from signaling.records import EventRecord, QualitySample, StateRecord
from tests.fakes import FakeClock
from tests.web.conftest import Program
from web import upkeep
from web.services import Services


async def ended(program: Program, services: Services) -> tuple[SessionId, ParticipantId]:
    """Make a session that had one sample and one event, and has ended."""
    made = await program.create()
    session, place = SessionId(made["id"]), ParticipantId(made["participants"][0]["id"])
    now = services.now()
    async with services.database.sessions.begin() as db:
        await records.write(
            db,
            [
                StateRecord(session, "active", began_at=now),
                QualitySample(participant_id=place, at=now, rtt_ms=40.0),
                EventRecord(session, place, "resumed", {}, now),
                records.ended(session, reason="ended", now=now),
            ],
        )
    return session, place


async def kept(services: Services) -> int:
    async with services.database.sessions() as db:
        now = services.now() + timedelta(hours=1)
        return len(await summaries.read(db, since=now - timedelta(days=10_000), until=now))


async def test_a_session_that_ended_is_summed_up_and_forgotten_in_two_steps(
    program: Program, services: Services, clock: FakeClock
) -> None:
    session, _ = await ended(program, services)
    clock.advance(60)
    await upkeep.sum_up_ended(services)
    assert await kept(services) == 2

    async def rows() -> int:
        async with services.database.sessions() as db:
            record = await quality_record.read(db, session_id=session)
        return len(record.samples) + len(record.events)

    clock.advance(services.config.quality_days * 86_400 - 120)
    await upkeep.forget_quality(services)
    assert await rows() == 2
    clock.advance(120)
    await upkeep.forget_quality(services)
    assert (await rows(), await kept(services)) == (0, 2)
    clock.advance((services.config.trends_days - services.config.quality_days + 1) * 86_400)
    await upkeep.forget_quality(services)
    assert await kept(services) == 0


async def test_a_session_that_cannot_be_summed_up_keeps_no_other_from_it(
    program: Program, services: Services, clock: FakeClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken, _ = await ended(program, services)
    await ended(program, services)
    clock.advance(60)
    sum_up = summaries.sum_up

    async def fail(db: AsyncSession, *, session_id: SessionId, now: object) -> None:
        if session_id == broken:
            raise RuntimeError("a mistake")
        await sum_up(db, session_id=session_id, now=services.now())

    monkeypatch.setattr(summaries, "sum_up", fail)
    await upkeep.sum_up_ended(services)
    assert await kept(services) == 2
    monkeypatch.undo()
    await upkeep.sum_up_ended(services)
    assert await kept(services) == 4, "it is tried again"


async def test_keys_are_backed_up_each_night_and_thrown_away_when_nothing_hangs_on_them(
    services: Services, clock: FakeClock, tmp_path: Path
) -> None:
    backups = tmp_path / "backups"
    services.config = dataclasses.replace(services.config, keys_backup=backups)
    await upkeep.keep_keys(services)
    assert keybackup.backups(backups) == []
    await services.vault.create("r_1")
    await services.vault.create("r_2")
    for _ in range(24 * 9):
        await upkeep.keep_keys(services)
        clock.advance(3_600)
    made = [backup.at for backup in keybackup.backups(backups)]
    assert len(made) == 8
    assert clock.now() - made[0] < timedelta(days=7)
    for recording in ("r_1", "r_2"):
        await services.vault.destroy(recording, now=clock.now())
    clock.advance(30 * 86_400)
    await upkeep.keep_keys(services)
    assert keybackup.backups(backups)[0].at == clock.now()
    await services.vault.create("r_3")
    clock.advance(3_600)
    await upkeep.keep_keys(services)
    keys = services.config.keys_at.directory
    assert keys is not None
    assert len(list(keys.glob("*.txt"))) == 1
