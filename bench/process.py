"""What the kernel knows of a process and a port, and child processes that speak JSON lines."""

from __future__ import annotations

import asyncio
import contextlib
import json
import resource
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Iterable, Sequence
from pathlib import Path
from typing import Any

LINE_BYTES = 1 << 24
_CPUCLOCK_SCHED = 2


def cpu_s(pid: int) -> float:
    """CPU seconds, user and system, that all threads of a process have used, to the nanosecond.

    The process clock of clock_getcpuclockid(3), whose number Linux makes of the pid; /proc/PID/stat
    has the same sum in steps of 10 ms.
    """
    return time.clock_gettime((~pid << 3) | _CPUCLOCK_SCHED)


def pss_kb(pid: int) -> int:
    """Proportional set size of a process in kB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1])
    raise LookupError("smaps_rollup has no Pss")


def udp_drops(ports: Iterable[int]) -> int:
    """Datagrams that the kernel dropped at sockets bound to these local ports (/proc/net/udp)."""
    wanted = {f"{port:04X}" for port in ports}
    dropped = 0
    for name in ("udp", "udp6"):
        for line in Path(f"/proc/net/{name}").read_text(encoding="ascii").splitlines()[1:]:
            fields = line.split()
            if fields[1].rpartition(":")[2] in wanted:
                dropped += int(fields[-1])
    return dropped


def many_files() -> None:
    """Allow this process and its children as many open files as the machine lets them have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Child:
    """A process of this package that answers each line with a line."""

    def __init__(self, process: Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    async def ask(self, **message: object) -> dict[str, Any]:
        """Send a line, unless there is nothing to say, and wait for the answer. Raises EOFError."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        if message:
            self._process.stdin.write(json.dumps(message).encode() + b"\n")
            await self._process.stdin.drain()
        line = await self._process.stdout.readline()
        if not line:
            raise EOFError("a load process ended")
        answer: dict[str, Any] = json.loads(line)
        return answer


@contextlib.asynccontextmanager
async def child(module: str, *, files: Sequence[int] = ()) -> AsyncIterator[Child]:
    """Start ``python -m module`` with these open files; ended when the block ends."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", module, pass_fds=tuple(files), stdin=PIPE, stdout=PIPE, limit=LINE_BYTES
    )
    try:
        yield Child(process)
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
