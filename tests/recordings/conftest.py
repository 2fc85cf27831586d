"""A workshop with a database of its own, once on each of the two, and a recording that is stored."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from core.config import Config
from core.db import Database
from recordings.working import work
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.ended import MASTER, Ended, end_one, workshop


@pytest.fixture
def config(tmp_path: Path, database_url: str) -> Config:
    return Config(data_dir=tmp_path / "data", database_url=database_url, master_key=MASTER)


@pytest.fixture
async def shop(config: Config, database: Database, clock: FakeClock) -> AsyncIterator[Workshop]:
    async with workshop(config, database, clock) as made:
        yield made


@pytest.fixture
async def kept(shop: Workshop) -> Ended:
    """One that is stored."""
    made = await end_one(shop)
    await work(shop)
    return made
