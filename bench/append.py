"""Many who write to the audit at once: how long one of them waits.

    python -m bench.append [--writers 12] [--rows 100] [--only sqlite]

Each writer appends row after row, each in a transaction of its own with a row of another table before it, as
the pages do it.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from datetime import UTC, datetime

from accounts import notices, people
from accounts.audit import Audit
from accounts.people import Person
from bench.report import Figure, percentile, publish
from core.db import Database
from migrations.run import upgrade
from tests.postgres import running_cluster

MASTER = bytes(range(32))
LIMIT_MS = 250.0


async def write(database: Database, audit: Audit, person: Person, rows: int) -> list[float]:
    """Append so many rows, one after another; gives how long each took in ms."""
    taken = []
    for _ in range(rows):
        began_s, now = time.perf_counter(), datetime.now(UTC)
        async with database.sessions.begin() as db:
            await notices.post(db, user=person.id, kind="login_new", places={"device": "x"}, now=now)
            await audit.append(db, tag="login:open", actor=person.id, subject=person.id, now=now)
        taken.append((time.perf_counter() - began_s) * 1000)
    return taken


async def on(url: str, name: str, writers: int, rows: int) -> list[Figure]:
    """Let them write to one database."""
    database, audit = Database(url), Audit(MASTER)
    await upgrade(database)
    some = []
    async with database.sessions.begin() as db:
        for _ in range(writers):
            client = await people.create_client(
                db, name="Embun", language="id", adult=True, now=datetime.now(UTC)
            )
            await audit.append(db, tag="account:make", actor=None, subject=client.id, now=datetime.now(UTC))
            some.append(client)
    began_s = time.perf_counter()
    taken = await asyncio.gather(*(write(database, audit, person, rows) for person in some))
    whole_s = time.perf_counter() - began_s
    await database.close()
    every = [one for own in taken for one in own]
    p50, p99, rate = percentile(every, 0.5), percentile(every, 0.99), len(every) / whole_s
    return [
        Figure(
            f"{name}: a transaction with a row of the audit, {writers} writers at once, p99",
            f"{p99:.0f} ms (p50 {p50:.0f} ms, longest {max(every):.0f} ms, {rate:.0f} a second)",
            f"{LIMIT_MS:.0f} ms",
            p99 <= LIMIT_MS,
        )
    ]


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--writers", type=int, default=12)
    asked.add_argument("--rows", type=int, default=100)
    asked.add_argument("--only", choices=("sqlite", "postgresql"))
    options = asked.parse_args()
    found: list[Figure] = []
    if options.only != "postgresql":
        with tempfile.TemporaryDirectory() as folder:
            url = f"sqlite:///{folder}/bench.db"
            found += asyncio.run(on(url, "SQLite", options.writers, options.rows))
    if options.only != "sqlite":
        with running_cluster() as server:
            url = f"{server}/postgres"
            found += asyncio.run(on(url, "PostgreSQL", options.writers, options.rows))
    publish("Append", found)


if __name__ == "__main__":
    main()
