"""What an hour of two people costs in the database, with its indexes; and what pruning and summing up take.

    python -m bench.keeping [--sessions 40] [--only sqlite]

Hours go by beside each other, twenty at a time, each with a row for each side every ten seconds and 120
events of a bad line. The size is that of the whole database, before and after. In the second hour both sides
flood the server with events, ten a second.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from bench.report import Figure, percentile, publish
from core.db import Database
from core.ids import SessionId
from media.codecs import Mode
from migrations.run import upgrade
from signaling import directory, records, summaries
from signaling.directory import NewParticipant, Recording, Role, SessionRecord
from signaling.event_bounds import EventBounds
from signaling.records import EventRecord, QualitySample, Record, StateRecord
from tests.postgres import running_cluster

LIMIT_KB = 200.0
TICKS = 360
AT_ONCE = 20
FLOOD_EACH_TICK = 100
BEGAN_AT = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
BEHIND = timedelta(minutes=2)

# What one bad quarter of a minute leaves behind; an hour has twelve of them on each side.
STORY: tuple[tuple[str, dict[str, object]], ...] = (
    ("grade", {"from": "good", "to": "poor", "kind": "rate", "direction": "up"}),
    ("picture", {"step": "small", "by": "line"}),
    ("interrupted", {"gap_ms": 1_234, "kind": "cut", "direction": "both"}),
    ("resumed", {"gap_ms": 4_321, "kind": "cut", "direction": "both"}),
    ("path_changed", {"transport": "udp", "ip_version": 4, "first": False}),
)
BAD_TICKS = range(20, TICKS, 30)


def sample(session: SessionRecord, place: int, tick: int, chance: random.Random) -> QualitySample:
    """A row with every column filled with numbers as they come."""
    return QualitySample(
        participant_id=session.participants[place].id,
        at=BEGAN_AT + timedelta(seconds=10 * tick, microseconds=chance.randrange(500_000)),
        grade=chance.choice(("good", "fair", "poor")),
        mos=chance.uniform(1.0, 4.4),
        rtt_ms=chance.uniform(20, 900),
        loss_up_pct=chance.uniform(0, 15),
        loss_down_pct=chance.uniform(0, 15),
        jitter_ms=chance.uniform(0, 80),
        buffer_ms=chance.uniform(20, 300),
        concealed_pct=chance.uniform(0, 10),
        silent_ms=chance.randrange(400),
        ws_rtt_ms=chance.uniform(20, 900),
        available_kbps=chance.uniform(50, 2_500),
        bytes_up=1_000_000 + 250_000 * tick,
        bytes_down=1_000_000 + 260_000 * tick,
        freezes=chance.randrange(3),
        fps=chance.uniform(5, 30),
        height=chance.choice((180, 360, 720)),
        network="cellular",
        transport="udp",
        ip_version=4,
    )


def events(session: SessionRecord, tick: int, bounds: EventBounds, *, flood: bool) -> Iterator[EventRecord]:
    """What happened in ten seconds, as far as it is kept."""
    at = BEGAN_AT + timedelta(seconds=10 * tick)
    for place in session.participants:
        told = [STORY[number % len(STORY)] for number in range(FLOOD_EACH_TICK)] if flood else []
        if not flood and tick in BAD_TICKS:
            told = list(STORY)
        for number, (kind, detail) in enumerate(told):
            apart = timedelta(seconds=10 * number / len(told))
            kept = bounds.admit(EventRecord(session.id, place.id, kind, detail, at + apart))
            if kept is not None:
                yield kept


async def hour(database: Database, chance: random.Random, *, flood: bool) -> tuple[int, int]:
    """Let an hour go by for twenty sessions; gives how many samples and events it left."""
    bounds = EventBounds()
    async with database.sessions.begin() as db:
        made = [await make(db_session=db) for _ in range(AT_ONCE)]
    samples = happened = 0
    for tick in range(TICKS):
        batch: list[Record] = []
        for session in made:
            batch += [sample(session, place, tick, chance) for place in (0, 1)]
            samples += 2
            new = list(events(session, tick, bounds, flood=flood))
            happened += len(new)
            batch += new
        async with database.sessions.begin() as db:
            await records.write(db, batch)
    ended_at = BEGAN_AT + timedelta(hours=1)
    async with database.sessions.begin() as db:
        for session in made:
            await records.write(
                db,
                [
                    StateRecord(session.id, "active", began_at=BEGAN_AT),
                    records.ended(session.id, reason="ended", now=ended_at),
                ],
            )
    return samples, happened


async def make(db_session: AsyncSession) -> SessionRecord:
    """Make a session as a program does."""
    created = await directory.create(
        db_session,
        mode=Mode.VIDEO,
        recording=Recording.OFF,
        participants=[NewParticipant(role, "Embun Pagi") for role in Role],
        owner=None,
        starts_at=None,
        max_minutes=60,
        now=BEGAN_AT,
    )
    return created.session


async def size_bytes(database: Database) -> int:
    """How large the database is: tables, indexes and all."""
    async with database.engine.connect() as connection:
        if database.engine.url.get_backend_name() == "sqlite":
            await connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
            pages = (await connection.execute(text("PRAGMA page_count"))).scalar_one()
            return int(pages * (await connection.execute(text("PRAGMA page_size"))).scalar_one())
        await connection.execute(text("CHECKPOINT"))
        found = await connection.execute(text("SELECT pg_database_size(current_database())"))
        return int(found.scalar_one())


async def sum_up(database: Database) -> list[float]:
    """Sum up every session that ended; gives how long each took in ms."""
    now = BEGAN_AT + timedelta(hours=1) + BEHIND
    async with database.sessions() as db:
        ended: list[SessionId] = await summaries.pending(db, now=now, most=10_000)
    took = []
    for session in ended:
        began_s = time.perf_counter()
        async with database.sessions.begin() as db:
            await summaries.sum_up(db, session_id=session, now=now)
        took.append((time.perf_counter() - began_s) * 1000)
    return took


async def prune(database: Database) -> list[float]:
    """Prune all there is, as the job does; gives how long each time took in ms."""
    now = BEGAN_AT + timedelta(days=100)
    took = []
    while True:
        began_s = time.perf_counter()
        async with database.sessions.begin() as db:
            gone = await summaries.prune(db, before=now - timedelta(days=90), now=now)
        took.append((time.perf_counter() - began_s) * 1000)
        if not gone:
            return took


async def on(url: str, name: str, sessions: int) -> list[Figure]:
    """Measure one database."""
    database, chance = Database(url), random.Random(20260302)
    await upgrade(database)
    found = []
    for what, flood in (("with 120 events of a bad line", False), ("flooded with events", True)):
        before = await size_bytes(database)
        kept = [await hour(database, chance, flood=flood) for _ in range(max(1, sessions // AT_ONCE))]
        many = AT_ONCE * len(kept)
        kb = (await size_bytes(database) - before) / many / 1000
        samples, happened = (sum(one[part] for one in kept) / many for part in (0, 1))
        measured = f"{kb:.0f} kB ({samples:.0f} samples, {happened:.0f} events)"
        hour_of = f"{name}: an hour of two, {what}"
        found.append(Figure(hour_of, measured, f"{LIMIT_KB:.0f} kB", kb <= LIMIT_KB))
    took = await sum_up(database)
    found.append(Figure(f"{name}: a session summed up, p50 and p99", _times(took)))
    took = await prune(database)
    found.append(Figure(f"{name}: a turn of pruning, up to 10,000 rows, p50 and p99", _times(took)))
    await database.close()
    return found


def _times(took_ms: list[float]) -> str:
    return f"{percentile(took_ms, 0.5):.0f} and {percentile(took_ms, 0.99):.0f} ms ({len(took_ms)} of them)"


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    asked.add_argument("--sessions", type=int, default=40)
    asked.add_argument("--only", choices=("sqlite", "postgresql"))
    options = asked.parse_args()
    found: list[Figure] = []
    if options.only != "postgresql":
        with tempfile.TemporaryDirectory() as folder:
            found += asyncio.run(on(f"sqlite:///{folder}/bench.db", "SQLite", options.sessions))
    if options.only != "sqlite":
        with running_cluster() as server:
            found += asyncio.run(on(f"{server}/postgres", "PostgreSQL", options.sessions))
    publish("Keeping", found)


if __name__ == "__main__":
    main()
