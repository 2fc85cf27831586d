"""The database: one engine, on SQLite or PostgreSQL, and the base of all tables.

Functions that touch tables take ``db: AsyncSession`` first and the rest by keyword; the caller
commits: ``async with database.sessions.begin() as db: ...``.

SQLite has one writer at a time. Those of one process wait in a line, the first come first (``WriteLine``);
left to themselves they would ask again and again, and who is unlucky waits for seconds while others pass.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, DateTime, Dialect, Integer, MetaData, SmallInteger, event, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import URL, make_url
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.types import TypeDecorator, TypeEngine
from sqlalchemy.util import await_only

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "pk": "pk_%(table_name)s",
}

# For writers of other processes: on a busy machine the journal of many calls may hold the lock for seconds.
BUSY_TIMEOUT_MS = 20_000

# What Python's sqlite3 begins a transaction for (its documentation, "legacy transaction control").
WRITING: Final = ("INSERT", "UPDATE", "DELETE", "REPLACE")


class Base(DeclarativeBase):
    """The base of every table; constraints get their names from one convention."""

    metadata = MetaData(naming_convention=NAMING)


class UtcDateTime(TypeDecorator[datetime]):
    """An aware UTC time. SQLite keeps no zone, so it is put back on the way out."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Refuse naive times: they are a bug of the caller."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a time without a zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Give an aware time on both databases."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Fixed(TypeDecorator[float]):
    """A number kept as whole tenths or hundredths, in a fraction of the bytes that a float takes.

    ``Fixed(10)`` keeps tenths in four bytes of PostgreSQL, with ``small`` in two. What is too large for them
    is kept as the largest that is not.
    """

    impl = Integer
    cache_ok = True

    def __init__(self, parts: int, *, small: bool = False) -> None:
        super().__init__()
        self.parts = parts
        self.small = small

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Take the type of the column."""
        return dialect.type_descriptor(SmallInteger() if self.small else Integer())

    def process_bind_param(self, value: float | None, dialect: Dialect) -> int | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Round to a whole number of parts."""
        if value is None:
            return None
        most = 2 ** (15 if self.small else 31) - 1
        return max(-most, min(round(value * self.parts), most))

    def process_result_value(self, value: int | None, dialect: Dialect) -> float | None:  # noqa: ARG002  # SQLAlchemy's signature
        """Give the number itself."""
        return None if value is None else value / self.parts


def async_url(url: str) -> URL:
    """Read a database URL and choose its asynchronous driver. Raises ``ValueError`` for others."""
    parsed = make_url(url)
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        return parsed.set(drivername="sqlite+aiosqlite")
    if backend in {"postgresql", "postgres"}:
        return parsed.set(drivername="postgresql+asyncpg")
    raise ValueError(f"the database {backend} is not supported")


def _on_connect(connection: Any, _record: object) -> None:  # noqa: ANN401  # the driver's own type
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    cursor.execute("PRAGMA synchronous=NORMAL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
    cursor.close()


class WriteLine:
    """The line of those who write to one SQLite file from one process.

    A connection enters before its first change and leaves when it goes back to its pool, which it does
    with each commit, rollback and error. Who stood in line for ``BUSY_TIMEOUT_MS`` goes on without: then
    somebody waits for themselves, and SQLite says so.
    """

    def __init__(self, engine: AsyncEngine) -> None:
        self._turn = asyncio.Lock()
        event.listen(engine.sync_engine, "before_cursor_execute", self._before)
        event.listen(engine.sync_engine, "checkin", self._back)

    def _before(self, connection: Connection, _cursor: object, statement: str, *_: object) -> None:
        kept = connection.connection.record_info
        if kept is None or "writes" in kept or not statement.lstrip().upper().startswith(WRITING):
            return
        if await_only(self._enter()):
            kept["writes"] = True

    async def _enter(self) -> bool:
        try:
            async with asyncio.timeout(BUSY_TIMEOUT_MS / 1000):
                return await self._turn.acquire()
        except TimeoutError:
            return False

    def _back(self, _connection: object, record: ConnectionPoolEntry) -> None:
        kept = record.record_info
        if kept is not None and kept.pop("writes", False):
            self._turn.release()


def insert_into(db: AsyncSession, table: type[Base]) -> postgresql.Insert | sqlite.Insert:
    """Begin an INSERT that may go on with ``on_conflict_do_update``, in the dialect of this database."""
    if db.get_bind().dialect.name == "postgresql":
        return postgresql.insert(table)
    return sqlite.insert(table)


class Database:
    """An engine and its sessions. ``close`` ends all connections and may be called twice."""

    def __init__(self, url: str) -> None:
        target = async_url(url)
        self.engine: AsyncEngine = create_async_engine(
            target, pool_pre_ping=target.get_backend_name() != "sqlite"
        )
        if target.get_backend_name() == "sqlite":
            event.listen(self.engine.sync_engine, "connect", _on_connect)
            WriteLine(self.engine)
        self.sessions: async_sessionmaker[AsyncSession] = async_sessionmaker(
            self.engine, expire_on_commit=False
        )

    def touch(self) -> None:
        """Make the file of a SQLite database unless it is there; raises ``OSError`` when it cannot be.

        To be called before the first connection: aiosqlite's thread would speak of the failure too,
        after the loop has gone.
        """
        url = self.engine.url
        if url.get_backend_name() == "sqlite" and url.database not in {None, "", ":memory:"}:
            with Path(str(url.database)).open("ab"):
                pass

    async def check(self) -> None:
        """Raise unless the database answers."""
        async with self.engine.connect() as connection:
            await connection.execute(text("SELECT 1"))

    async def close(self) -> None:
        """End all connections."""
        await self.engine.dispose()
