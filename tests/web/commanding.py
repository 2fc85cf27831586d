"""A command in this process, where its exit status and its start are not the point: it takes no second."""

from __future__ import annotations

import asyncio
import io
import sys
from contextlib import redirect_stdout
from unittest.mock import patch

from core.config import Config
from web import main


def command(config: Config, *words: str, typed: str = "") -> str:
    """Run it; gives what it says. What it raises is raised."""
    asked = main._parser(words).parse_args(words)
    said = io.StringIO()
    with redirect_stdout(said), patch.object(sys, "stdin", io.StringIO(typed)):
        asyncio.run(asked.command(config, asked))
    return said.getvalue()
