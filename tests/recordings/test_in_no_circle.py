"""Two at one row, of whom one is writing to the audit: both finish, for both take the audit first."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from accounts import people
from accounts.audit import Audit
from accounts.erasure import Erasure
from accounts.grants import Grant
from accounts.roles import Role
from accounts.tombstones import Tombstones
from core.agefile import Identity
from core.db import Database
from recordings import exports, reviews
from recordings.exports import Event, State
from recordings.reviews import Recording
from tests.fakes import FakeClock
from tests.recordings.staged import People, make_people, make_recording
from tests.recordings.test_playback import MASTER

OVERLAP_S = 0.2
"""Long enough that the other has come to the row that this one has."""


class Slow(Audit):
    """Says when it is asked to write, and waits a little."""

    def __init__(self) -> None:
        super().__init__(MASTER)
        self.at_work = asyncio.Event()

    async def append(self, db: Any, **row: Any) -> int:  # noqa: ANN401  # as the audit has it
        self.at_work.set()
        await asyncio.sleep(OVERLAP_S)
        return await super().append(db, **row)


@dataclass
class Opened:
    """A recording that a supervisor opened; ``other`` is the database of another process."""

    database: Database
    other: Database
    staff: People
    recording: Recording
    grant: Grant


@pytest.fixture
async def opened(database: Database, database_url: str, clock: FakeClock) -> AsyncIterator[Opened]:
    other, now = Database(database_url), clock.now()
    async with database.sessions.begin() as db:
        staff = await make_people(db, now=now)
        number = await make_recording(db, client=staff.client, counselor=staff.counselor, now=now)
        recording = await reviews.find(db, recording=number)
        grant = await reviews.open_up(
            db,
            Audit(MASTER),
            person=staff.supervisor,
            recording=recording,
            purpose="training",
            hours=1,
            now=now,
        )
    yield Opened(database, other, staff, recording, grant)
    await other.close()


async def test_whoever_plays_a_recording_for_the_first_time_while_they_are_erased(
    opened: Opened, clock: FakeClock, tmp_path: Path
) -> None:
    slow, now, viewer = Slow(), clock.now(), opened.staff.supervisor.id
    async with opened.database.sessions.begin() as db:
        await people.leave(db, user=viewer, at=now)

    async def play() -> None:
        async with opened.database.sessions.begin() as db:
            await reviews.played(db, slow, opened.grant, recording=opened.recording, now=now)

    playing = asyncio.ensure_future(play())
    await slow.at_work.wait()
    erasure = Erasure(Audit(MASTER), Tombstones(tmp_path / "tombstones", MASTER))
    async with opened.other.sessions.begin() as db:
        assert await erasure.carry_out(db, user=viewer, now=now)
    await playing


async def test_whoever_fetches_an_export_while_its_time_is_over(opened: Opened, clock: FakeClock) -> None:
    audit, slow, now, recording = Audit(MASTER), Slow(), clock.now(), opened.recording
    async with opened.database.sessions.begin() as db:
        admin = await people.create_staff(db, name="dewi", language="id", roles=[Role.ADMIN], now=now)
        number = await exports.ask(
            db,
            audit,
            opened.grant,
            recording=recording,
            recipient=str(Identity.generate().recipient),
            whom="Dr. Wati",
            purpose="training",
            now=now,
        )
        asked = await exports.find(db, audit, export=number, recording=recording)
        await exports.decide(
            db, audit, export=asked, recording=recording, person=admin, approves=True, now=now
        )
        for event in (Event.BEGIN, Event.FINISH):
            await exports.move(db, audit, export=number, recording=recording, event=event, now=now)

    async def fetch() -> None:
        async with opened.database.sessions.begin() as db:
            found = await exports.find(db, slow, export=number, recording=recording)
            await exports.fetched(
                db, slow, export=found, recording=recording, person=opened.staff.supervisor, now=now
            )

    fetching = asyncio.ensure_future(fetch())
    await slow.at_work.wait()
    async with opened.other.sessions.begin() as db:
        await audit.hold(db)
        await exports.move(db, audit, export=number, recording=recording, event=Event.EXPIRE, now=now)
    await fetching
    async with opened.database.sessions() as db:
        assert (await exports.find(db, audit, export=number, recording=recording)).state is State.GONE
