"""Brings a database up to date. ``teduh serve`` does it at its start, ``teduh migrate`` by hand."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from asyncpg import PostgresError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.exc import DBAPIError

import migrations.tables  # noqa: F401  # all of them must be known
from core.db import Database
from core.errors import ConfigError

if TYPE_CHECKING:
    from alembic.config import Config as AlembicConfig

LOCK = 0x7465647568  # "teduh": one process migrates a PostgreSQL database at a time
STEPS: Final = Path(__file__).parent / "versions"


def newest() -> str:
    """The number of the last step, as its file is called: ``m0023_sent_bytes.py`` is 0023."""
    return max(step.name for step in STEPS.glob("m*.py"))[1:5]


def alembic_config() -> AlembicConfig:
    """Point Alembic at this package; there is no ini file."""
    from alembic.config import Config  # noqa: PLC0415  # see upgrade_connection

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config


def upgrade_connection(connection: Connection, revision: str = "head") -> None:
    """Bring the database behind an open connection up to ``revision``.

    Raises ``ConfigError`` for one that is newer than this.
    """
    # Only who has a step to take waits for it to be loaded, with all steps.
    from alembic import command  # noqa: PLC0415
    from alembic.util.exc import CommandError  # noqa: PLC0415

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    config = alembic_config()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, revision)
    except CommandError as error:
        raise ConfigError(f"The database does not fit this version of teduh: {error}") from None


def is_up_to_date(connection: Connection) -> bool:
    """Tell whether the last step was taken: most starts find it so."""
    if not inspect(connection).has_table("alembic_version"):
        return False
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalars().all() == [newest()]


async def upgrade(database: Database) -> None:
    """Bring a database up to date. Raises ``ConfigError`` for one that is not there or is newer than this."""
    try:
        database.touch()
        async with database.engine.begin() as connection:
            if not await connection.run_sync(is_up_to_date):
                await connection.run_sync(upgrade_connection)
    except (OSError, DBAPIError, PostgresError) as error:
        # Its text may quote the URL with the password.
        raise ConfigError(
            "The database of TEDUH_DATABASE_URL cannot be opened or brought up to date "
            f"({type(error).__name__})."
        ) from None
