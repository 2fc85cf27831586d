"""The commands ``teduh serve`` and ``demo``."""

from __future__ import annotations

import argparse
import json
from typing import Any

from core.clock import SystemClock
from core.config import Config
from web.commands.stores import Stores, say
from web.demo import make_demo
from web.serve import serve


def add(commands: Any) -> None:  # noqa: ANN401  # argparse names no public type for it
    """Add the commands."""
    one = commands.add_parser("serve", help="run the server")
    one.add_argument("--demo", action="store_true", help="make a demo session and print both links")
    one.set_defaults(command=_serve)

    one = commands.add_parser("demo", help="make another demo session and print both links")
    one.add_argument("--json", action="store_true", help="print JSON")
    one.set_defaults(command=_demo)


async def _serve(config: Config, asked: argparse.Namespace) -> None:
    await serve(config, demo=asked.demo, say=say)


async def _demo(config: Config, asked: argparse.Namespace) -> None:
    async with Stores(config) as stores:
        links = await make_demo(stores.database, config, now=SystemClock().now())
    if asked.json:
        say(json.dumps(links))
        return
    for role, link in links.items():
        say(f"{role.value:<10} {link}")
