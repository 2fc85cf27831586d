"""A worker that is killed, as by ``kill -9``, before or after it calls one function for the n-th time."""

from __future__ import annotations

import asyncio
import pickle
import signal
import sys
from pathlib import Path

from core.config import Config

ROOT = Path(__file__).parent.parent.parent

PROGRAM = """
import asyncio, functools, importlib, os, signal, sys
from web import worker

where, name = sys.argv[1].split(":")
when, number = sys.argv[2], int(sys.argv[3])
owner = importlib.import_module(where)
*way, last = name.split(".")
for part in way:
    owner = getattr(owner, part)
real = getattr(owner, last)
calls = 0

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def counted():
    global calls
    calls += 1
    return calls == number

@functools.wraps(real)
def plain(*args, **named):
    mine = counted()
    if mine and when == "before":
        die()
    given = real(*args, **named)
    if mine:
        die()
    return given

@functools.wraps(real)
async def waiting(*args, **named):
    mine = counted()
    if mine and when == "before":
        die()
    given = await real(*args, **named)
    if mine:
        die()
    return given

setattr(owner, last, waiting if asyncio.iscoroutinefunction(real) else plain)
worker.main()
"""


async def work_and_die(config: Config, function: str, when: str, number: int = 1) -> None:
    """Work in a process that dies there; ``function`` is ``module:name``. Fails if it does not die."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        PROGRAM,
        function,
        when,
        str(number),
        stdin=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    _, told = await process.communicate(pickle.dumps(config))
    assert process.returncode == -signal.SIGKILL, told.decode()
