"""Fixtures for every test: a clock, and a database that is SQLite once and PostgreSQL once."""

from __future__ import annotations

import asyncio
import gc
import io
import itertools
import logging
import shutil
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from core.db import Database
from core.logs import setup_logging
from migrations.run import upgrade
from tests.fakes import FakeClock
from tests.postgres import running_cluster

BOTH = ("sqlite", "postgresql")
ON_BOTH = {
    "test_api.py",
    "test_api_auth.py",
    "test_openapi.py",
    "test_place.py",
    "test_line.py",
    "test_line_socket.py",
    "test_ordering.py",
}
"""Of tests/web these always run on both databases; each other page's test on one of the two, see below."""
_numbers = itertools.count(1)
_used: list[str] = []
"""PostgreSQL databases that a test is done with: emptying one takes 2 ms, making one 60 to 130.

They are emptied when they are wanted again, for an application of the test may still be closing.
"""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Let whoever has time run pages on both databases too."""
    parser.addoption("--both", action="store_true", help="run the tests of pages on SQLite and on PostgreSQL")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Run half of the tests of pages on SQLite, the other half on PostgreSQL, always the same ones.

    What pages do with a database is tested on both below ``web``; a whole run must stay under half an hour.
    """
    if config.getoption("--both"):
        return
    out = [item for item in items if _runs_on_the_other(item)]
    config.hook.pytest_deselected(items=out)
    left_out = set(out)
    items[:] = [item for item in items if item not in left_out]


def pytest_collection_finish() -> None:
    """Tell the collector of garbage that the modules and the tests themselves stay to the end.

    It would look at all of them again and again: half a million objects.
    """
    gc.collect()
    gc.freeze()


def _runs_on_the_other(item: pytest.Item) -> bool:
    spec = getattr(item, "callspec", None)
    on = None if spec is None else spec.params.get("database_url")
    if on not in BOTH or item.path.parent.name != "web" or item.path.name in ON_BOTH:
        return False
    return zlib.crc32(item.nodeid.replace(on, "").encode()) % 2 != BOTH.index(on)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until told to move."""
    return FakeClock()


@pytest.fixture
def debug_log() -> Iterator[io.StringIO]:
    """All that a program with ``TEDUH_LOG_LEVEL=DEBUG`` would write."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    stream = io.StringIO()
    setup_logging("DEBUG", stream)
    yield stream
    root.handlers[:] = handlers
    root.setLevel(level)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a running PostgreSQL, without a database's name. Never skipped."""
    with running_cluster() as url:
        yield url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file that is up to date, to be copied."""
    path = tmp_path_factory.mktemp("sqlite") / "migrated.db"
    asyncio.run(migrate(f"sqlite:///{path}"))
    return path


@pytest.fixture(scope="session")
def migrated_postgres(postgres: str) -> str:
    """The name of a PostgreSQL database that is up to date, to be copied.

    What the steps put into it stands in the schema ``steps`` too, for ``empty``.
    """
    asyncio.run(query(postgres, "CREATE DATABASE migrated"))
    asyncio.run(migrate(f"{postgres}/migrated"))
    asyncio.run(query(postgres, KEEP_STEPS, "migrated"))
    return "migrated"


async def migrate(url: str) -> None:
    """Bring a database up to date."""
    database = Database(url)
    await upgrade(database)
    await database.close()


KEEP_STEPS = """
CREATE SCHEMA fences;
CREATE VIEW fences.present AS SELECT count(*) FROM pg_trigger WHERE NOT tgisinternal;
CREATE TABLE fences.whole AS TABLE fences.present;
CREATE SCHEMA steps;
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('CREATE TABLE steps.%1$I AS TABLE public.%1$I', one.tablename);
    END LOOP;
END $$
"""
FENCED = "SELECT present.count = whole.count FROM fences.present, fences.whole"
EMPTY = """
SET session_replication_role = replica;
DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT tablename FROM pg_tables WHERE schemaname = 'steps' LOOP
        EXECUTE format('DELETE FROM public.%I', one.tablename);
        EXECUTE format('INSERT INTO public.%1$I TABLE steps.%1$I', one.tablename);
    END LOOP;
    FOR one IN SELECT sequencename FROM pg_sequences WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER SEQUENCE public.%I RESTART', one.sequencename);
    END LOOP;
END $$
"""


async def query(server: str, statement: str, database: str = "postgres") -> None:
    """Run one statement on a PostgreSQL server."""
    connection = await asyncpg.connect(f"{server}/{database}")
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def empty(server: str, database: str) -> bool:
    """Take out what a test put into a database, past every trigger.

    False when it is still in use, or when the test took a trigger away.
    """
    connection = await asyncpg.connect(f"{server}/{database}")
    try:
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = $1 AND pid <> pg_backend_pid()"
        if await connection.fetchval(others, database):
            return False
        if not await connection.fetchval(FENCED):
            return False
        await connection.execute(EMPTY)
    finally:
        await connection.close()
    return True


@pytest.fixture(params=BOTH)
async def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, once on each of the two."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    server: str = request.getfixturevalue("postgres")
    name = f"test_{next(_numbers)}"
    await query(server, f"CREATE DATABASE {name}")
    return f"{server}/{name}"


@pytest.fixture(params=BOTH)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The URL of a database that is up to date and empty, once on each of the two."""
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("migrated_sqlite"), tmp_path / "test.db")
        yield f"sqlite:///{tmp_path / 'test.db'}"
        return
    server: str = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("migrated_postgres")
    name = next((one for one in _used if asyncio.run(empty(server, one))), None)
    if name is None:
        name = f"test_{next(_numbers)}"
        asyncio.run(query(server, f"CREATE DATABASE {name} TEMPLATE {template}"))
    else:
        _used.remove(name)
    yield f"{server}/{name}"
    _used.append(name)


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A database that is up to date, once on each of the two."""
    made = Database(database_url)
    yield made
    await made.close()
