"""A campus behind one address: thousands come back with their recovery codes at the same time.

    python -m bench.campus [--people 5000] [--at-once 200] [--database URL]

Each has a browser of their own and a code of their own; every third mistypes it once. Nobody may be refused.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import aiohttp

from accounts import people, recovery
from accounts.codes import Codes
from accounts.passwords import Passwords
from accounts.recovery import Code
from bench.forms import FilledForm, opened
from bench.report import Figure, percentile, publish
from core.db import Database
from core.keyfile import master_key
from migrations.run import upgrade
from tests.e2e.server import Server
from web.forms import new_once

SECRET = "0" * recovery.SECRET_CHARS
WRONG = "1" * recovery.SECRET_CHARS


async def settle(server: Server, url: str, count: int) -> None:
    """Make so many clients; their codes differ in the look-up part."""
    master = master_key(server.data_dir)
    database, passwords, codes = Database(url), Passwords(master), Codes(master)
    await upgrade(database)
    hashed = await passwords.hash(SECRET)
    now = datetime.now(UTC)
    async with database.sessions.begin() as db:
        for number in range(count):
            client = await people.create_client(db, name="Embun", language="id", adult=True, now=now)
            code = Code(f"{number:0{recovery.LOOKUP_CHARS}}", SECRET)
            await recovery.keep(db, codes, user=client.id, code=code, secret_hash=hashed, now=now)
    passwords.close()
    await database.close()


async def come(form: FilledForm, number: int, gate: asyncio.Semaphore, seen: Counter[int]) -> float:
    """Come back; gives how long the right code took in ms."""
    lookup = f"{number:0{recovery.LOOKUP_CHARS}}"
    async with gate:
        if number % 3 == 0:
            seen[(await form.send(code=lookup + WRONG, phone="shared", once=new_once()))[0]] += 1
        status, took_ms = await form.send(code=lookup + SECRET, phone="shared", once=new_once())
        seen[status] += 1
        return took_ms


async def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--people", type=int, default=5000)
    asked.add_argument("--at-once", type=int, default=200)
    asked.add_argument("--database", default="", help="SQLite in a directory of its own unless given")
    options = asked.parse_args()
    seen = Counter[int]()
    with tempfile.TemporaryDirectory() as folder:
        server = Server(Path(folder) / "var", extra={"TEDUH_LOG_LEVEL": "WARNING"})
        server.data_dir.mkdir()
        url = options.database or f"sqlite:///{server.data_dir / 'teduh.db'}"
        server.extra["TEDUH_DATABASE_URL"] = url
        await settle(server, url, options.people)
        server.start()
        try:
            connector = aiohttp.TCPConnector(limit=0)
            async with aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=600),
            ) as http:
                form = await opened(http, f"{server.url}/enter")
                gate, began_s = asyncio.Semaphore(options.at_once), time.perf_counter()
                taken = await asyncio.gather(
                    *(come(form, number, gate, seen) for number in range(options.people))
                )
                whole_s = time.perf_counter() - began_s
        finally:
            server.stop()
    refused = options.people - seen[303]
    publish(
        "Campus",
        [
            Figure(
                f"{options.people} clients behind one address come back, {options.at_once} at once, "
                f"{url.partition(':')[0]}: refused",
                f"{refused} (in {whole_s:.0f} s; answers {dict(sorted(seen.items()))})",
                "0",
                refused == 0,
            ),
            Figure(
                "one of them, p50 and p99",
                f"{percentile(taken, 0.5) / 1000:.1f} and {percentile(taken, 0.99) / 1000:.1f} s",
            ),
        ],
    )


if __name__ == "__main__":
    asyncio.run(main())
