"""``python -m web.worker``: does the work on recordings once, in a process of its own, and ends.

The server starts it when something is due (``web/finishing.py``) and hands it the settings through standard
input, so that no secret stands in its environment. It may be killed at any moment: the next one goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import pickle
import sys
from typing import Final

import accounts.tables  # noqa: F401  # as below
import signaling.tables  # noqa: F401  # SQLAlchemy must know the tables that foreign keys lead to
from core.clock import SystemClock
from core.config import Config
from core.db import Database
from core.dumps import forbid_dumps
from core.keyfile import master_key
from core.logs import setup_logging
from recordings.working import Busy, work
from recordings.workshop import Workshop

logger = logging.getLogger(__name__)

NICENESS: Final = 10
"""Calls come first."""


async def run(config: Config) -> None:
    """Do all that is due; nothing while somebody else does it."""
    database = Database(config.database_url)
    shop = Workshop.of(
        config,
        database=database,
        master=config.master_key or master_key(config.data_dir),
        clock=SystemClock(),
    )
    try:
        with contextlib.suppress(Busy):
            await work(shop)
    finally:
        await shop.store.close()
        await database.close()


def main() -> None:
    """Read the settings and work."""
    forbid_dumps()
    config = pickle.loads(sys.stdin.buffer.read())  # noqa: S301  # the pipe of the server that started us
    if not isinstance(config, Config):
        raise TypeError("these are no settings")
    os.nice(NICENESS)
    setup_logging(config.log_level)
    asyncio.run(run(config))


if __name__ == "__main__":
    main()
