"""What a thousand waiting WebSockets cost the server at rest.

    python -m bench.waiting [--sockets 1000] [--seconds 60]

The server runs in a process of its own, with its jobs each second and a line in which everybody waits whose
socket is open. At rest is: nobody comes, goes or is offered anything; only signs of life pass. The idle
server's cost, with the same people in the line and no socket, is told beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp

from accounts import logins, people
from accounts.audit import Audit
from accounts.logins import Stage
from bench.process import cpu_s, many_files
from bench.report import Figure, publish
from core.clock import SystemClock
from core.db import Database
from core.keyfile import master_key
from counseling import walkins
from counseling.entry import Medium
from counseling.triage import Triage
from counseling.walkin_states import Alone
from tests.e2e.server import Server, free_port
from web.gate import cookie_name

TARGET = 0.05
IDLE_S = 20.0


async def fill(database: Database, audit: Audit, count: int) -> list[str]:
    """Have so many clients wait; gives the tokens of their logins."""
    clock, tokens = SystemClock(), list[str]()
    for number in range(count):
        async with database.sessions.begin() as db:
            client = await people.create_client(
                db, name=f"E{number}", language="id", adult=True, now=clock.now()
            )
            tokens.append(logins.new_token())
            await logins.open_login(
                db,
                person=client,
                token=tokens[-1],
                stage=Stage.FULL,
                device="Chrome, Android",
                own_phone=False,
                now=clock.now(),
            )
            await walkins.ask(
                db,
                audit,
                client=client,
                language="id",
                topic="study",
                medium=Medium.CHAT,
                alone=Alone.YES,
                triage=Triage(),
                now=clock.now(),
            )
    return tokens


@dataclass(slots=True)
class Told:
    """How many messages came, and whether each socket has had its first."""

    count: int = 0
    wanted: int = 0
    all_there: asyncio.Event = field(default_factory=asyncio.Event)

    def add(self) -> None:
        """Count one message."""
        self.count += 1
        if self.count >= self.wanted:
            self.all_there.set()


async def listen(session: aiohttp.ClientSession, url: str, token: str, told: Told) -> None:
    """Hold one socket, and count what is told."""
    cookie = {"Cookie": f"{cookie_name(secure=False)}={token}"}
    async with session.ws_connect(f"{url}/api/v1/line", headers=cookie) as socket:
        async for _ in socket:
            told.add()


async def spent(pid: int, seconds: float) -> float:
    """Say which share of a core a process uses."""
    before, began = cpu_s(pid), time.perf_counter()
    await asyncio.sleep(seconds)
    return (cpu_s(pid) - before) / (time.perf_counter() - began)


async def settled(pid: int) -> None:
    """Wait until a process rests: what it did before is not counted."""
    while await spent(pid, 3.0) > TARGET * 4:
        pass


async def measure(options: argparse.Namespace) -> list[Figure]:
    """Fill a service, serve it, open all sockets, and measure at rest and at a change."""
    many_files()
    told = Told(wanted=options.sockets)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        settings = {"TEDUH_LOG_LEVEL": "WARNING"}
        server = Server(
            folder / "data", http_port=free_port(), media_addresses=("127.0.0.1",), extra=settings
        )
        await asyncio.to_thread(server.start)
        try:
            database = Database(f"sqlite:///{server.data_dir / 'teduh.db'}")
            tokens = await fill(database, Audit(master_key(server.data_dir)), options.sockets)
            assert server.process is not None
            pid = server.process.pid
            await settled(pid)
            idle = await spent(pid, IDLE_S)
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(connector=connector) as session:
                holding = [asyncio.create_task(listen(session, server.url, token, told)) for token in tokens]
                await told.all_there.wait()
                await settled(pid)
                before = told.count
                rest = await spent(pid, options.seconds)
                resting = told.count - before
                lost = sum(task.done() for task in holding)
                for task in holding:
                    task.cancel()
                await asyncio.gather(*holding, return_exceptions=True)
            await database.close()
        finally:
            await asyncio.to_thread(server.stop)
    return [
        Figure(
            f"{options.sockets} waiting WebSockets at rest, {options.seconds:.0f} s",
            f"{rest:.1%} of a core ({idle:.1%} without a socket; {resting} messages, {lost} lost)",
            f"{TARGET:.0%}",
            rest <= TARGET and not lost,
        )
    ]


def main() -> int:
    """Run; the exit status is 1 when it costs too much."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--sockets", type=int, default=1_000)
    parser.add_argument("--seconds", type=float, default=60.0)
    found = asyncio.run(measure(parser.parse_args()))
    publish("Waiting", found)
    return 1 if any(one.met is False for one in found) else 0


if __name__ == "__main__":
    sys.exit(main())
