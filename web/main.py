"""The command ``teduh``: each of its commands stands in a file of ``web/commands``."""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Callable, Coroutine, Sequence
from importlib import import_module
from typing import Any, Final

from core.config import Config, config_from_here
from core.dumps import forbid_dumps
from core.errors import ConfigError, TeduhError
from core.logs import setup_logging

Command = Callable[[Config, argparse.Namespace], Coroutine[Any, Any, None]]

COMMANDS: Final = {
    "serve": "running",
    "demo": "running",
    "migrate": "migrate",
    "api-key": "keys",
    "admin": "admin",
    "audit": "audit",
    "consent": "consent",
    "doctor": "doctor",
    "incident": "incident",
    "recordings": "recordings",
    "keys": "keyring",
    "keyd": "keyring",
    "escrow": "escrow",
}
"""Which file of ``web/commands`` has which command."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives the exit status. A wrong setting is one sentence and status 2."""
    words = sys.argv[1:] if arguments is None else arguments
    asked = _parser(words).parse_args(words)
    command: Command = asked.command
    forbid_dumps()
    try:
        config = config_from_here()
        setup_logging(config.log_level)
        asyncio.run(command(config, asked))
    except ConfigError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command speaks
        return 2
    except TeduhError as error:
        print(error, file=sys.stderr)  # noqa: T201  # a command speaks
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser(words: Sequence[str]) -> argparse.ArgumentParser:
    """Make the parser; only the file of the command asked for is loaded: the server takes a second."""
    parser = argparse.ArgumentParser(
        prog="teduh",
        description="Online counseling on a server of one's own. Settings are TEDUH_* variables or .env.",
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    file = COMMANDS.get(words[0]) if words else None
    for name in dict.fromkeys(COMMANDS.values()) if file is None else (file,):
        import_module(f"web.commands.{name}").add(commands)
    return parser


if __name__ == "__main__":
    sys.exit(main())
