"""Brings a database up to date. ``teduh serve`` does it at its start, ``teduh migrate`` by hand."""

from __future__ import annotations

from pathlib import Path

from alembic import command
from alembic.config import Config as AlembicConfig
from alembic.util.exc import CommandError
from asyncpg import PostgresError
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from core.db import Database
from core.errors import ConfigError

LOCK = 0x7465647568  # "teduh": one process migrates a PostgreSQL database at a time


def alembic_config() -> AlembicConfig:
    """Point Alembic at this package; there is no ini file."""
    config = AlembicConfig()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade_connection(connection: Connection, revision: str = "head") -> None:
    """Bring the database behind an open connection up to ``revision``."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = alembic_config()
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


async def upgrade(database: Database) -> None:
    """Bring a database up to date. Raises ``ConfigError`` for one that is not there or is newer than this."""
    try:
        database.touch()
        async with database.engine.begin() as connection:
            await connection.run_sync(upgrade_connection)
    except CommandError as error:
        raise ConfigError(f"The database does not fit this version of teduh: {error}") from None
    except (OSError, DBAPIError, PostgresError) as error:
        # Its text may quote the URL with the password.
        raise ConfigError(
            "The database of TEDUH_DATABASE_URL cannot be opened or brought up to date "
            f"({type(error).__name__})."
        ) from None
