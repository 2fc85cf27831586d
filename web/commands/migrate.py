"""The command ``teduh migrate``."""

from __future__ import annotations

import argparse
from typing import Any

from core.config import Config
from web.commands.stores import Stores, say


def add(commands: Any) -> None:  # noqa: ANN401  # argparse names no public type for it
    """Add the command."""
    one = commands.add_parser("migrate", help="bring the database up to date; serve does it too")
    one.set_defaults(command=_migrate)


async def _migrate(config: Config, _asked: argparse.Namespace) -> None:
    async with Stores(config):
        say("The database is up to date.")
