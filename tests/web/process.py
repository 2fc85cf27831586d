"""The real command as a process, for tests of its own life."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PYTHON = (sys.executable, "-W", "error")
COMMAND = (*PYTHON, "-m", "web.main")
ROOT = Path(__file__).parent.parent.parent
SERVES_WITHIN_S = 20.0


def environment(folder: Path, **settings: str) -> dict[str, str]:
    """Free ports and a data directory of one's own; nothing of TEDUH_* is inherited."""
    plain = {name: value for name, value in os.environ.items() if not name.startswith("TEDUH_")}
    ours = {"HTTP_PORT": "0", "MEDIA_PORT": "0", "DATA_DIR": str(folder / "var")} | settings
    return plain | {"PYTHONPATH": str(ROOT)} | {f"TEDUH_{name}": value for name, value in ours.items()}


def run(folder: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, in a directory without a .env."""
    return subprocess.run(
        [*COMMAND, *arguments],
        cwd=folder,
        env=environment(folder, **settings),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def run_json(folder: Path, *arguments: str, **settings: str) -> Any:  # noqa: ANN401  # JSON
    """Run a command that must succeed, and read the JSON that it prints."""
    done = run(folder, *arguments, "--json", **settings)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@dataclass
class Serving:
    """A running ``teduh serve`` and what it has said so far."""

    process: subprocess.Popen[str]
    said: list[str]

    @property
    def url(self) -> str:
        """Where it says that it serves."""
        return self.said[0].removeprefix("teduh serves at ").strip()

    def hear(self, lines: int) -> None:
        """Wait for more lines."""
        assert self.process.stdout is not None
        self.said += [self.process.stdout.readline() for _ in range(lines)]

    def stop(self) -> tuple[int, float]:
        """SIGTERM; gives the exit status and how long it took in seconds."""
        began_s = time.monotonic()
        self.process.terminate()
        return self.process.wait(30), time.monotonic() - began_s


@contextmanager
def serving(folder: Path, *arguments: str, program: str = "", **settings: str) -> Iterator[Serving]:
    """Run ``teduh serve``, or a program that does so in its own way, until the block ends."""
    command = [*PYTHON, "-c", program] if program else [*COMMAND, "serve", *arguments]
    with (folder / "serve.log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=environment(folder, **settings),
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    try:
        one = Serving(process, [])
        one.hear(1)
        assert one.said[0], (folder / "serve.log").read_text()[-3000:]
        yield one
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()
