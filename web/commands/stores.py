"""What a command that ends by itself works with: the database, up to date, and the master key."""

from __future__ import annotations

import dataclasses
from typing import Self

from accounts.tokens import Tokens
from core.config import Config
from core.db import Database
from core.keyfile import make_data_dir, master_key
from migrations.run import upgrade


@dataclasses.dataclass(slots=True)
class Stores:
    """``async with Stores(config) as stores``: the database is open, and closed at the end."""

    config: Config
    database: Database = dataclasses.field(init=False)
    master: bytes = dataclasses.field(init=False)
    tokens: Tokens = dataclasses.field(init=False)

    async def __aenter__(self) -> Self:
        make_data_dir(self.config.data_dir)
        self.master = self.config.master_key or master_key(self.config.data_dir)
        self.tokens = Tokens(self.master)
        self.database = Database(self.config.database_url)
        await upgrade(self.database)
        return self

    async def __aexit__(self, *_error: object) -> None:
        await self.database.close()


def say(text: str) -> None:
    """Print a line: a command speaks."""
    print(text, flush=True)  # noqa: T201  # a command speaks
