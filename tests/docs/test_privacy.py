"""docs/privacy.md names everything that is kept, and its way to delete a session leaves nothing."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from datetime import timedelta
from pathlib import Path

import pytest

from core.db import Base, Database
from media.codecs import Mode
from migrations.run import upgrade
from signaling import chat, directory, records
from signaling.directory import NewParticipant, Recording, Role
from signaling.records import EventRecord
from tests.docs.conftest import ROOT
from tests.fakes import FakeClock
from web.app import make_app

TEXT = (ROOT / "docs" / "privacy.md").read_text()
ROWS = dict(re.findall(r"^\| `([a-z_]+)` \| (.*) \|$", TEXT, re.MULTILINE))
DELETIONS = re.findall(r"```sql\n(.*?)```", TEXT, re.DOTALL)
CHILDREN = ("participants", "session_events")
NOW = "2026-03-02 09:00:00.000000"


def test_every_table_and_every_column_is_named() -> None:
    assert callable(make_app)  # the whole program is loaded, and so are all of its tables
    assert set(ROWS) == set(Base.metadata.tables)
    for name, table in Base.metadata.tables.items():
        words = set(re.findall(r"`([a-z0-9_]+)`", ROWS[name]))
        assert {column.name for column in table.columns} <= words, name


def test_the_chat_that_memory_holds_is_as_large_as_it_says() -> None:
    assert f"{chat.MAX_LINES} lines or {chat.MAX_BYTES // 1024} KiB" in TEXT


@pytest.mark.parametrize("number", [0, 1])
async def test_deleting_as_shown_leaves_nothing_of_a_session(
    number: int, tmp_path: Path, clock: FakeClock
) -> None:
    file = tmp_path / "teduh.db"
    session = await _ended_long_ago(file, clock)
    with contextlib.closing(sqlite3.connect(file)) as db:
        assert all(_count(db, table) for table in CHILDREN)
        db.executescript(DELETIONS[number].replace("s_…", session))
        assert [_count(db, table) for table in ("sessions", *CHILDREN)] == [0, 0, 0]


async def test_the_old_sessions_that_go_are_none_that_a_recording_hangs_on(
    tmp_path: Path, clock: FakeClock
) -> None:
    """It may be held for a complaint, or be kept for longer than that: who deletes these means it."""
    file = tmp_path / "teduh.db"
    kept, destroyed, _never_recorded = [await _ended_long_ago(file, clock) for _ in range(3)]
    with contextlib.closing(sqlite3.connect(file)) as db:
        for number, (session, gone) in enumerate([(kept, None), (destroyed, NOW), (None, None)]):
            db.execute(
                "INSERT INTO recordings"
                " (id, session_id, state, started_at, expires_at, held_at, destroyed_at)"
                " VALUES (?, ?, 'stored', ?, ?, ?, ?)",
                (f"r_{number}", session, NOW, NOW, NOW, gone),
            )
        db.commit()
        db.executescript(DELETIONS[1])
        assert db.execute("SELECT id FROM sessions").fetchall() == [(kept,)]


async def _ended_long_ago(file: Path, clock: FakeClock) -> str:
    database = Database(f"sqlite:///{file}")
    await upgrade(database)
    now = clock.now() - timedelta(days=36_500)
    async with database.sessions.begin() as db:
        created = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.OFF,
            participants=[NewParticipant(role, role.value) for role in Role],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=now,
        )
        session = created.session.id
        await records.write(db, [EventRecord(session, None, "mode", {}, now)])
        await records.write(db, [records.ended(session, reason=None, now=now)])
    await database.close()
    return session


def _count(db: sqlite3.Connection, table: str) -> int:
    (count,) = db.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)
