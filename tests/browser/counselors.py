"""Counselors for browser tests: verified as the demo's is, logged in by a cookie of their own."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import logins, people
from accounts.audit import Audit
from accounts.logins import Stage
from accounts.people import Person
from accounts.roles import Role
from core.db import Database
from core.keyfile import master_key
from counseling import invented
from counseling.topics import read_marks
from tests.browser.rooms import Room
from tests.e2e.server import Server


@contextlib.asynccontextmanager
async def database_of(service: Server) -> AsyncIterator[AsyncSession]:
    """A transaction in a running server's database."""
    database = Database(f"sqlite:///{Path(service.data_dir) / 'teduh.db'}")
    try:
        async with database.sessions.begin() as db:
            yield db
    finally:
        await database.close()


def audit_of(service: Server) -> Audit:
    """A running server's audit."""
    return Audit(master_key(service.data_dir))


async def counselor(service: Server, *, name: str, language: str = "id") -> Person:
    """Make a counselor to whom clients can be sent."""
    now = datetime.now(UTC)
    async with database_of(service) as db:
        made = await people.create_staff(db, name=name, language=language, roles=[Role.COUNSELOR], now=now)
        await invented.put(db, audit_of(service), person=made, marks=read_marks(), today=now.date(), now=now)
    return made


async def enter(one: Room, service: Server, person: Person) -> None:
    """Log a person in with this browser, as their password and second factor would."""
    token = logins.new_token()
    async with database_of(service) as db:
        await logins.open_login(
            db,
            person=person,
            token=token,
            stage=Stage.FULL,
            device="Chromium",
            own_phone=False,
            now=datetime.now(UTC),
        )
    await one.page.context.clear_cookies()
    await one.page.context.add_cookies(
        [{"name": "teduh_login", "value": token, "url": service.public_url, "httpOnly": True}]
    )
