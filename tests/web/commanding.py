"""A command in this process, where its exit status and its start are not the point: it takes no second."""

from __future__ import annotations

import asyncio
import io
import json
import logging
import os
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from unittest.mock import patch

from core.config import Config
from tests.web.process import environment
from web import main


def command(config: Config, *words: str, typed: str = "") -> str:
    """Run it; gives what it says. What it raises is raised."""
    asked = main._parser(words).parse_args(words)
    said = io.StringIO()
    with redirect_stdout(said), patch.object(sys, "stdin", io.StringIO(typed)):
        asyncio.run(asked.command(config, asked))
    return said.getvalue()


def run(folder: Path, *arguments: str, **settings: str) -> CompletedProcess[str]:
    """Run a whole command line as ``process.run`` does: its settings, its status, what it says and where."""
    said, complained = io.StringIO(), io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    with (
        patch.dict(os.environ, environment(folder, **settings), clear=True),
        patch.object(main, "forbid_dumps"),
        chdir(folder),
        redirect_stdout(said),
        redirect_stderr(complained),
    ):
        try:
            status = main.main(arguments)
        finally:
            root.handlers[:] = handlers
            root.setLevel(level)
    return CompletedProcess(arguments, status, said.getvalue(), complained.getvalue())


def run_json(folder: Path, *arguments: str, **settings: str) -> Any:  # noqa: ANN401  # JSON
    """Run a command that must succeed, and read the JSON that it prints."""
    done = run(folder, *arguments, "--json", **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)
