from __future__ import annotations

from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect, text

from core.db import Base, Database
from core.errors import ConfigError
from core.ids import SessionId
from migrations import run
from migrations.run import alembic_config, newest, upgrade, upgrade_connection
from signaling import quality_record

SAMPLE_OF_BEFORE = """
INSERT INTO sessions (id, mode, recording, state, created_at, places_until)
VALUES ('s_1', 'voice', 'off', 'ended', '2026-03-02 09:00:00', '2026-03-03 09:00:00');
INSERT INTO participants (id, session_id, position, role, name, state, changed_at, code_hash)
VALUES ('p_1', 's_1', 0, 'client', 'Sekar', 'left', '2026-03-02 09:00:00', 'hash');
INSERT INTO quality_samples
    (session_id, participant_id, at, rtt_ms, loss_up_pct, bytes_up, bytes_down, transport, ip_version)
VALUES ('s_1', 'p_1', '2026-03-02 09:00:10', 20.54, 3.25, 7, 8, 'udp', 4)
"""


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


def downgrade_to(connection: Connection, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = connection
    command.downgrade(config, revision)


async def test_the_migrations_make_just_the_tables_that_the_code_names(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_an_empty_database_is_brought_up_to_date(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    await upgrade(database)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await database.close()


async def test_running_them_again_changes_nothing(database: Database) -> None:
    await upgrade(database)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_every_step_goes_up_and_down(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    script = ScriptDirectory.from_config(alembic_config())
    steps = [step.revision for step in reversed(list(script.walk_revisions()))]
    for step in steps:
        async with database.engine.begin() as connection:
            await connection.run_sync(upgrade_connection, step)
    async with database.engine.begin() as connection:
        await connection.run_sync(downgrade_to, "base")
    async with database.engine.connect() as connection:
        assert await connection.run_sync(tables) == {"alembic_version"}
    await database.close()


async def test_samples_of_before_are_kept_in_tenths(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(upgrade_connection, "0016")
        for statement in SAMPLE_OF_BEFORE.split(";"):
            await connection.execute(text(statement))
    await upgrade(database)
    async with database.sessions() as db:
        (sample,) = (await quality_record.read(db, session_id=SessionId("s_1"))).samples
    assert (sample.rtt_ms, sample.loss_down_pct, sample.bytes_up, sample.transport) == (20.5, None, 7, "udp")
    async with database.engine.begin() as connection:
        await connection.run_sync(downgrade_to, "0016")
        found = await connection.execute(text("SELECT session_id, rtt_ms, bytes_down FROM quality_samples"))
        assert found.all() == [("s_1", 20.5, 8)]
    await database.close()


async def test_there_is_one_line_of_history_and_its_last_file_is_its_end() -> None:
    assert ScriptDirectory.from_config(alembic_config()).get_heads() == [newest()]


async def test_no_step_is_loaded_where_none_is_to_be_taken(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with database.engine.begin() as connection:
        await connection.run_sync(downgrade_to, "-1")
    await upgrade(database)
    monkeypatch.setattr(run, "alembic_config", pytest.fail)
    await upgrade(database)


async def test_a_database_of_a_newer_teduh_is_left_alone(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="does not fit this version"):
        await upgrade(database)
