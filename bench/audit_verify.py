"""How long it takes to verify an audit of a million rows, and to read a page of it.

    python -m bench.audit_verify [--rows 1000000] [--clients 100000] [--only sqlite]

The rows are made by the same code that appends them (``accounts/chain.py``, sealing under each person's
key), without a transaction for each, and are inserted some thousand at a time. What is measured is the real
command, `teduh audit verify --checkpoint`, in a process of its own; then the queries behind the history of
one person and behind the admin's list, each with filters of every kind, over random persons.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import asyncpg
from sqlalchemy import insert, update

from accounts import chain
from accounts.audit import Audit, Filter
from accounts.checkpoints import Checkpoints
from accounts.trust_tables import AuditHeadRow, AuditRow, SubjectKeyRow
from bench.report import Figure, percentile, publish
from core.db import Database
from core.ids import UserId, new_user_id
from core.sealing import seal
from migrations.run import upgrade
from tests.postgres import running_cluster

MASTER = bytes(range(32))
LIMIT_S = 60.0
QUERY_LIMIT_MS = 50.0
CHUNK = 10_000
TAGS = (
    "login:open",
    "login:end",
    "consent:give",
    "proof:open",
    "grant:give",
    "email:keep",
    "register:change",
)
BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
STEP = timedelta(seconds=7)
PAGES = 400


@contextlib.contextmanager
def databases(only: str | None) -> Iterator[list[tuple[str, str]]]:
    """A URL on each of the two databases, empty."""
    with contextlib.ExitStack() as stack:
        found = []
        if only != "postgresql":
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="teduh-audit-"))
            found.append(("SQLite", f"sqlite:///{folder}/teduh.db"))
        if only != "sqlite":
            server = stack.enter_context(running_cluster())
            asyncio.run(_create(server))
            found.append(("PostgreSQL", f"{server}/audit"))
        yield found


async def _create(server: str) -> None:
    connection = await asyncpg.connect(f"{server}/postgres")
    await connection.execute("CREATE DATABASE audit")
    await connection.close()


async def build(database: Database, clients: int, rows: int) -> list[UserId]:
    """Fill an empty database; gives the clients. One row in eight concerns nobody in particular."""
    audit, dice = Audit(MASTER), random.Random(1)
    users = [new_user_id() for _ in range(clients)]
    keys = {user: os.urandom(32) for user in users}
    async with database.engine.begin() as connection:
        for start in range(0, clients, CHUNK):
            wrapped = [
                {"user_id": user, "wrapped": audit.subjects._wrap(user, keys[user])}  # noqa: SLF001  # as Subjects does
                for user in users[start : start + CHUNK]
            ]
            await connection.execute(insert(SubjectKeyRow), wrapped)
    head = chain.GENESIS
    for start in range(1, rows + 1, CHUNK):
        values = []
        for seq in range(start, min(start + CHUNK, rows + 1)):
            at, tag, actor = BEGAN + seq * STEP, dice.choice(TAGS), dice.choice(users)
            subject = None if seq % 8 == 0 else dice.choice(users)
            fields = chain.encode_fields(seq, at, tag=tag, actor=actor, subject=subject, object_id=None)
            nonce, detail = os.urandom(chain.NONCE_BYTES), chain.encode_detail({"device": "Chrome, Android"})
            key = audit.key_for(subject, keys)
            assert key is not None
            commitment = chain.commit(nonce, detail)
            sealed = seal(key, nonce + detail, about=chain.about(head, fields))
            head = chain.link(head, fields, commitment)
            values.append(
                {
                    "seq": seq,
                    "at": at,
                    "tag": tag,
                    "actor": actor,
                    "subject": subject,
                    "object_id": None,
                    "sealed": sealed,
                    "commitment": commitment,
                    "hash": head,
                }
            )
        async with database.engine.begin() as connection:
            await connection.execute(insert(AuditRow), values)
    async with database.engine.begin() as connection:
        await connection.execute(update(AuditHeadRow).values(count=rows, hash=head))
    return users


async def checkpoint(database: Database, path: Path) -> None:
    checkpoints = Checkpoints(MASTER)
    async with database.sessions() as db:
        taken = await checkpoints.take(db, now=datetime.now(UTC))
    path.write_text(taken.line() + "\n")  # noqa: ASYNC240  # a line, in a bench


def verify(url: str, folder: Path) -> tuple[float, float, dict[str, object]]:
    """Run the command; gives its seconds, its peak memory in MB and what it said."""
    environment = os.environ | {
        "TEDUH_DATABASE_URL": url,
        "TEDUH_DATA_DIR": str(folder),
        "TEDUH_MASTER_KEY": base64.b64encode(MASTER).decode(),
    }
    program = (
        "import resource, sys; from web.main import main; status = main(sys.argv[1:]);"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, file=sys.stderr); sys.exit(status)"
    )
    began = time.monotonic()
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program,
            "audit",
            "verify",
            "--json",
            "--checkpoint",
            str(folder / "checkpoint"),
        ],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    took = time.monotonic() - began
    return took, float(done.stderr.split()[-1]), json.loads(done.stdout)


async def reading(database: Database, users: list[UserId], rows: int) -> dict[str, list[float]]:
    """Milliseconds of each kind of page, over random persons, days and places in the list."""
    audit, dice = Audit(MASTER), random.Random(2)
    days = (rows * STEP).days

    def day() -> datetime:
        return BEGAN + timedelta(days=dice.randrange(days + 1))

    took: dict[str, list[float]] = {}

    async def measure(what: str, ask: Callable[[], Awaitable[object]]) -> None:
        began = time.perf_counter()
        await ask()
        took.setdefault(what, []).append(1000 * (time.perf_counter() - began))

    async with database.sessions() as db:
        for _ in range(PAGES):
            user, tag, since = dice.choice(users), dice.choice(TAGS), day()
            await measure("history of one person", lambda: audit.own(db, person=user))  # noqa: B023  # awaited here
            filters = {
                "newest rows": Filter(),
                "one tag": Filter(tag=tag),
                "one person": Filter(person=user),
                "one person, one tag, from a day": Filter(person=user, tag=tag, since=since),
                "one day": Filter(since=since, until=since + timedelta(days=1)),
                "one tag until a day": Filter(tag=tag, until=since),
            }
            for what, wanted in filters.items():
                await measure(f"list: {what}", lambda: audit.matching(db, wanted=wanted))  # noqa: B023  # awaited here
            before = dice.randrange(2, rows)
            await measure("list: an older page", lambda: audit.matching(db, wanted=Filter(), before=before))  # noqa: B023  # awaited here
            await measure("list: the tags there are", lambda: audit.tags(db))
    return took


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--clients", type=int, default=100_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    asked = parser.parse_args()
    figures: list[Figure] = []
    with databases(asked.only) as found:
        for name, url in found:
            with tempfile.TemporaryDirectory(prefix="teduh-audit-") as text:
                figures += asyncio.run(_one(name, url, Path(text), asked.rows, asked.clients))
    publish("Audit", figures)


async def _one(name: str, url: str, folder: Path, rows: int, clients: int) -> list[Figure]:
    database = Database(url)
    await upgrade(database)
    began = time.monotonic()
    users = await build(database, clients, rows)
    built = time.monotonic() - began
    await checkpoint(database, folder / "checkpoint")
    took, peak, said = await asyncio.to_thread(verify, url, folder)
    assert said["holds"], said
    assert said["rows"] == rows
    figures = [
        Figure(
            f"{name}: {rows:,} rows of {clients:,} clients verified",
            f"{took:.1f} s",
            f"{LIMIT_S:.0f} s",
            took <= LIMIT_S,
        ),
        Figure(f"{name}: peak memory of the command", f"{peak:.0f} MB"),
        Figure(f"{name}: made by the same code", f"{built:.0f} s"),
    ]
    for what, times in (await reading(database, users, rows)).items():
        p99 = percentile(times, 0.99)
        figures.append(
            Figure(
                f"{name}: {what}, p50 / p99",
                f"{percentile(times, 0.5):.1f} / {p99:.1f} ms",
                f"{QUERY_LIMIT_MS:.0f} ms",
                p99 <= QUERY_LIMIT_MS,
            )
        )
    await database.close()
    return figures


if __name__ == "__main__":
    main()
