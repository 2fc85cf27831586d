"""A service's register without pages: an audit, people, entries that are whole."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

import pytest

from accounts import people, texts
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Role
from accounts.texts import Kind, Version
from core.db import Database
from core.ids import UserId
from counseling import decisions, register, supervision
from counseling.credentials import Credentials, read_credentials
from counseling.entry import Entry, Licence, Practice
from counseling.proofs import Proofs
from counseling.supervision import Supervision
from counseling.uploads import Clean
from counseling.verification import Event
from tests.fakes import FakeClock

MASTER = bytes(range(32))
TODAY = date(2026, 3, 2)
LICENCE = Licence(
    kind="psychologist",
    licence_number="STR-12-345",
    issuing_body="HIMPSI",
    licence_region="Jawa Tengah",
    valid_until=date(2027, 3, 2),
    degree="magister",
    background_checked_on=date(2026, 1, 15),
    shown_name="Ratna Puspita",
    title="M.Psi., Psikolog",
)
PRACTICE = Practice(
    about="Saya mendengarkan.", languages=("id", "jv"), topics=("study",), media=("video", "chat"), capacity=3
)
PDF = Clean("application/pdf", b"%PDF-1.7 clean")


@dataclass
class Desk:
    """What a register is made of, and short ways to fill it."""

    database: Database
    clock: FakeClock
    folder: Path
    audit: Audit = field(default_factory=lambda: Audit(MASTER))
    credentials: Credentials = field(default_factory=read_credentials)
    proofs: Proofs = field(init=False)

    def __post_init__(self) -> None:
        self.proofs = Proofs(self.folder, self.audit)

    async def make(self, *roles: Role, name: str = "Ratna") -> Person:
        """A staff member with these roles."""
        async with self.database.sessions.begin() as db:
            return await people.create_staff(db, name=name, language="id", roles=roles, now=self.clock.now())

    async def fill(self, user: UserId) -> None:
        """All that an entry needs to be handed in."""
        async with self.database.sessions.begin() as db:
            await register.change_licence(db, self.audit, user=user, licence=LICENCE, now=self.clock.now())
            await register.change_practice(db, self.audit, user=user, practice=PRACTICE, now=self.clock.now())
            for kind in ("licence", "degree", "background"):
                await self.proofs.add(db, user=user, kind=kind, file=PDF, now=self.clock.now())

    async def hand_in(self, user: UserId) -> Entry:
        """Hand an entry in."""
        async with self.database.sessions.begin() as db:
            return await register.hand_in(
                db, self.audit, self.credentials, user=user, today=TODAY, now=self.clock.now()
            )

    async def decide(
        self, person: Person, user: UserId, event: Event = Event.VERIFY, *, saw: str | None = None
    ) -> Entry:
        """Decide about an entry, as it is now unless ``saw`` says otherwise."""
        async with self.database.sessions.begin() as db:
            looked = await decisions.seen(db, user=user) if saw is None else saw
            return await decisions.decide(
                db,
                self.audit,
                person=person,
                user=user,
                event=event,
                saw=looked,
                on=TODAY,
                note="STR seen.",
                now=self.clock.now(),
            )

    async def verified(self) -> UserId:
        """A counselor who was verified."""
        ratna, admin = await self.make(Role.COUNSELOR), await self.make(Role.ADMIN, name="Adi")
        await self.fill(ratna.id)
        await self.hand_in(ratna.id)
        await self.decide(admin, ratna.id)
        return ratna.id

    async def assign(
        self,
        persons: tuple[Person, Person, Person],
        from_day: date = TODAY,
        until_day: date | None = None,
    ) -> Supervision:
        """Have an admin assign a supervisor to a counselor, in this order."""
        admin, supervisor, counselor = persons
        async with self.database.sessions.begin() as db:
            return await supervision.assign(
                db,
                self.audit,
                person=admin,
                supervisor=supervisor,
                counselor=counselor,
                from_day=from_day,
                until_day=until_day,
                now=self.clock.now(),
            )

    async def three(self) -> tuple[Person, Person, Person]:
        """An admin, a supervisor, a counselor."""
        return (
            await self.make(Role.ADMIN),
            await self.make(Role.SUPERVISOR),
            await self.make(Role.COUNSELOR),
        )

    async def put_texts(self) -> Version:
        """Put the texts that teduh comes with; gives the code of ethics."""
        async with self.database.sessions.begin() as db:
            await texts.put_first(db, now=self.clock.now())
            return await texts.current(db, kind=Kind.ETHICS)


@pytest.fixture
def desk(database: Database, clock: FakeClock, tmp_path_factory: pytest.TempPathFactory) -> Desk:
    """A register with nobody in it, once on each database."""
    return Desk(database, clock, tmp_path_factory.mktemp("data"))
