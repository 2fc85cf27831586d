"""What somebody could do to the audit who has the database, or the database and the master key."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from accounts import chain
from accounts.audit import Audit
from core.clock import SystemClock
from core.db import Database
from core.ids import UserId

FENCES = {
    "sqlite": (
        "DROP TRIGGER IF EXISTS audit_rows_no_update",
        "DROP TRIGGER IF EXISTS audit_rows_no_delete",
        "DROP TRIGGER IF EXISTS audit_head_no_delete",
        "DROP TRIGGER IF EXISTS audit_head_grows",
    ),
    "postgresql": (
        "DROP TRIGGER IF EXISTS audit_rows_fence ON audit_rows",
        "DROP TRIGGER IF EXISTS audit_rows_truncate ON audit_rows",
        "DROP TRIGGER IF EXISTS audit_head_fence ON audit_head",
        "DROP TRIGGER IF EXISTS audit_head_truncate ON audit_head",
        "DROP TRIGGER IF EXISTS audit_head_grows ON audit_head",
    ),
}


async def fences_down(connection: AsyncConnection) -> None:
    """Take the triggers away, as the owner of a database can."""
    for statement in FENCES[connection.dialect.name]:
        await connection.execute(text(statement))


async def do(database: Database, *statements: str, **values: object) -> None:
    """Run statements as somebody with the database."""
    async with database.engine.begin() as connection:
        await fences_down(connection)
        for statement in statements:
            await connection.execute(text(statement), values)


async def rows(connection: AsyncConnection, since: int = 1) -> list[Row[Any]]:
    found = await connection.execute(
        text("SELECT * FROM audit_rows WHERE seq >= :since ORDER BY seq"), {"since": since}
    )
    return list(found)


def when(value: object) -> datetime:
    """A time as either driver gives it to a statement of text."""
    if isinstance(value, datetime):
        return value
    return datetime.fromisoformat(f"{value}+00:00")


async def rehash(database: Database, since: int) -> None:
    """Compute the hashes of all rows anew from ``since`` on, and the head: that takes no key at all."""
    async with database.engine.begin() as connection:
        await fences_down(connection)
        head = chain.GENESIS
        for row in await rows(connection):
            fields = chain.encode_fields(
                row.seq,
                when(row.at),
                tag=row.tag,
                actor=row.actor,
                subject=row.subject,
                object_id=row.object_id,
            )
            head = chain.link(head, fields, bytes(row.commitment))
            if row.seq >= since:
                await connection.execute(
                    text("UPDATE audit_rows SET hash = :hash WHERE seq = :seq"),
                    {"hash": head, "seq": row.seq},
                )
        await connection.execute(text("UPDATE audit_head SET hash = :hash"), {"hash": head})


async def cut(database: Database, since: int, *, head_too: bool) -> None:
    """Take the rows from ``since`` on away."""
    await do(database, "DELETE FROM audit_rows WHERE seq >= :since", since=since)
    if head_too:
        async with database.engine.begin() as connection:
            last = (await rows(connection))[-1]
            await connection.execute(
                text("UPDATE audit_head SET count = :count, hash = :hash"),
                {"count": last.seq, "hash": last.hash},
            )


async def write_anew(database: Database, audit: Audit, since: int, *, without: int) -> None:
    """Rebuild the end of the chain with the master key, leaving one row out, so that all of it fits."""
    async with database.engine.begin() as connection:
        await fences_down(connection)
        kept = [row for row in await rows(connection, since) if row.seq != without]
    async with database.sessions() as db:
        details = {row.seq: (await audit._reopen(db, {row.seq}, row.subject))[0].detail for row in kept}
    await cut(database, since, head_too=True)
    async with database.sessions.begin() as db:
        for row in kept:
            await audit.append(
                db,
                tag=row.tag,
                actor=row.actor,
                subject=row.subject,
                object_id=row.object_id,
                detail=details[row.seq],
                now=when(row.at),
            )


async def go_on(database: Database, audit: Audit, *subjects: UserId | None) -> None:
    """Add rows as the service does."""
    async with database.sessions.begin() as db:
        for subject in subjects:
            await audit.append(
                db, tag="a:b", actor=None, subject=subject, detail={"n": 1}, now=SystemClock().now()
            )
