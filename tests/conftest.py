"""Fixtures for every test: a clock, and a database that is SQLite once and PostgreSQL once."""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest

from core.db import Database
from migrations.run import upgrade
from tests.fakes import FakeClock
from tests.postgres import running_cluster

_numbers = itertools.count(1)


@pytest.fixture
def clock() -> FakeClock:
    """A clock that stands still until told to move."""
    return FakeClock()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The URL of a running PostgreSQL, without a database's name. Never skipped."""
    with running_cluster() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
async def empty_database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database without tables, once on each of the two."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'test.db'}"
    server: str = request.getfixturevalue("postgres")
    name = f"test_{next(_numbers)}"
    connection = await asyncpg.connect(f"{server}/postgres")
    try:
        await connection.execute(f"CREATE DATABASE {name}")
    finally:
        await connection.close()
    return f"{server}/{name}"


@pytest.fixture
async def database(empty_database_url: str) -> AsyncIterator[Database]:
    """A database that is up to date, once on each of the two."""
    made = Database(empty_database_url)
    await upgrade(made)
    yield made
    await made.close()
