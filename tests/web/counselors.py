"""Counselors for the tests of pages: verified, and to be matched from the first moment."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import texts
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Role
from accounts.texts import Kind
from counseling import ethics, register
from counseling.entry import Practice
from counseling.register_tables import CounselorRow
from tests.counseling.conftest import LICENCE
from tests.web.conftest import Client
from tests.web.people import make
from web.services import SERVICES

PRACTICE = Practice(
    about="Saya mendengarkan.",
    languages=("id", "en"),
    topics=("study", "family"),
    media=("video", "voice", "chat", "in_person"),
    capacity=5,
    reply_hours=12,
)


async def verified(client: Client, name: str = "Ratna Puspita", **practice: object) -> Person:
    """Make a counselor who may be matched today, with changes to their practice."""
    services = client.app[SERVICES]
    person = await make(client, Role.COUNSELOR, name=name.split(maxsplit=1)[0].lower())
    async with services.database.sessions.begin() as db:
        await verify(db, services.audit, person=person, name=name, now=services.now(), **practice)
    return person


async def verify(
    db: AsyncSession, audit: Audit, *, person: Person, name: str, now: datetime, **practice: object
) -> None:
    """Fill a counselor's entry, verify it, and sign the code of ethics."""
    valid_until = (now + timedelta(days=365)).date()
    licence = replace(LICENCE, shown_name=name, valid_until=valid_until)
    changed = replace(PRACTICE, **practice)  # type: ignore[arg-type]  # fields by name
    await register.change_licence(db, audit, user=person.id, licence=licence, now=now)
    await register.change_practice(db, audit, user=person.id, practice=changed, now=now)
    await db.execute(update(CounselorRow).where(CounselorRow.user_id == person.id).values(state="verified"))
    code = await texts.current(db, kind=Kind.ETHICS)
    await ethics.sign(
        db,
        audit,
        user=person.id,
        version=code.number,
        digest=code.text("id").sha256,
        language="id",
        now=now,
    )
