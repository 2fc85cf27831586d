"""The processes a bench needs: the whole ``teduh serve``, a bare forwarder, a load generator."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from tests.e2e.server import Server

Json = dict[str, Any]


@contextlib.contextmanager
def server(**extra: str) -> Iterator[Server]:
    """Run ``teduh serve`` on loopback with its defaults but for ``extra``, and stop it."""
    with tempfile.TemporaryDirectory(prefix="teduh-bench-") as folder:
        settings = {"TEDUH_LOG_LEVEL": "INFO", "TEDUH_API_REQUESTS_PER_S": "1000"} | extra
        made = Server(Path(folder) / "data", media_addresses=("127.0.0.1",), extra=settings)
        made.start()
        try:
            yield made
        finally:
            made.stop()


@contextlib.contextmanager
def forwarder(*, blocking: bool = False) -> Iterator[tuple[int, int]]:
    """Run the bare forwarder; gives its process id and its port."""
    words = [sys.executable, "-m", "bench.bare", *(["--blocking"] if blocking else [])]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        if process.stdout is None:
            raise RuntimeError("no output")
        try:
            yield process.pid, int(process.stdout.readline())
        finally:
            process.terminate()


def pid_of(made: Server) -> int:
    """Return the process id of a running server."""
    if made.process is None:
        raise RuntimeError("the server does not run")
    return made.process.pid


def places(made: Server, sessions: int, *, mode: str = "video") -> list[list[str]]:
    """Make sessions by the API; each is [url, token, token]."""

    async def create() -> list[list[str]]:
        rows = []
        async with aiohttp.ClientSession() as http:
            for _ in range(sessions):
                one = await made.create_session(http, mode=mode)
                rows.append([made.url, one.client.token, one.counselor.token])
        return rows

    return asyncio.run(create())


@dataclass
class Generator:
    """A running generator: ``joined`` is what it said when all had met."""

    process: subprocess.Popen[str]
    joined: Json

    def go(self) -> None:
        """Begin to send."""
        self._write("\n")

    def report(self) -> Json:
        """Wait for the end and return the report."""
        return _read(self.process)

    def _write(self, text: str) -> None:
        if self.process.stdin is None:
            raise RuntimeError("no input")
        self.process.stdin.write(text)
        self.process.stdin.flush()


@contextlib.contextmanager
def generator(*words: str, rows: list[list[str]] | None = None) -> Iterator[Generator]:
    """Start a generator and wait until it has joined."""
    with tempfile.TemporaryDirectory(prefix="teduh-bench-") as folder:
        command = [sys.executable, "-m", "bench.generator"]
        if rows is not None:
            file = Path(folder) / "places.json"
            file.touch(mode=0o600)
            file.write_text(json.dumps(rows))
            command.append(str(file))
        with subprocess.Popen(
            [*command, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        ) as process:
            try:
                yield Generator(process, _read(process))
                process.wait(30)
            finally:
                if process.poll() is None:
                    process.kill()


def _read(process: subprocess.Popen[str]) -> Json:
    if process.stdout is None:
        raise RuntimeError("no output")
    line = process.stdout.readline()
    if not line:
        raise RuntimeError("the generator ended without a report; see its error output above")
    read: Json = json.loads(line)
    return read
