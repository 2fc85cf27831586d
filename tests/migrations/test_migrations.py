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
from migrations.run import alembic_config, upgrade, upgrade_connection


def differences(connection: Connection) -> list[Any]:
    context = MigrationContext.configure(connection, opts={"compare_type": True})
    return list(compare_metadata(context, Base.metadata))


def tables(connection: Connection) -> set[str]:
    return set(inspect(connection).get_table_names())


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

        def down(sync: Connection) -> None:
            config = alembic_config()
            config.attributes["connection"] = sync
            command.downgrade(config, "base")

        await connection.run_sync(down)
    async with database.engine.connect() as connection:
        assert await connection.run_sync(tables) == {"alembic_version"}
    await database.close()


async def test_there_is_one_line_of_history() -> None:
    assert len(ScriptDirectory.from_config(alembic_config()).get_heads()) == 1


async def test_a_database_of_a_newer_teduh_is_left_alone(database: Database) -> None:
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ConfigError, match="does not fit this version"):
        await upgrade(database)
