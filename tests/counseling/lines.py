"""A line without pages: counselors who may be matched today, clients, and short ways to what they do."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from accounts import people
from accounts.audit import Audit
from accounts.people import Person
from accounts.roles import Role
from core.clock import Clock
from core.db import Database
from core.ids import UserId
from counseling import desks, line, rows, turns, walkins
from counseling.credentials import read_credentials
from counseling.entry import Medium, Practice
from counseling.lineup import Mode, Rules
from counseling.register_tables import CounselorRow, EthicsSignatureRow
from counseling.talks import Talk
from counseling.triage import Risk, Triage
from counseling.turns import Turned
from counseling.verification import State
from counseling.walkin_states import Alone, Walkin
from tests.counseling.conftest import LICENCE, MASTER

URGENT = Triage(Risk.URGENT, reasons=("danger_said",))
TAKES_ALL = Practice(
    about="Saya mendengarkan.",
    languages=("id", "en"),
    topics=("study", "grief"),
    media=("video", "voice", "chat"),
    minors=True,
    capacity=5,
)


@dataclass
class Line:
    """One service's line on one database."""

    database: Database
    clock: Clock
    mode: Mode = Mode.ACCEPT
    audit: Audit = field(default_factory=lambda: Audit(MASTER))

    @property
    def rules(self) -> Rules:
        """What this service goes by."""
        return Rules(read_credentials(), ZoneInfo("Asia/Jakarta"), self.mode)

    async def counselor(self, name: str = "Ratna", *, desk: bool = True, **practice: Any) -> Person:
        """A verified counselor, at an open desk unless said otherwise."""
        now = self.clock.now()
        async with self.database.sessions.begin() as db:
            person = await people.create_staff(db, name=name, language="id", roles=[Role.COUNSELOR], now=now)
            row = CounselorRow(
                user_id=person.id,
                state=State.VERIFIED.value,
                submitted_at=now,
                created_at=now,
                changed_at=now,
                warned_days=None,
                hours=[],
                away_from=None,
                away_until=None,
            )
            licence = {key: practice.pop(key) for key in ("kind", "licence_region") if key in practice}
            rows.put_licence(row, dataclasses.replace(LICENCE, **licence))
            rows.put_practice(row, dataclasses.replace(TAKES_ALL, **practice))
            db.add(row)
            db.add(
                EthicsSignatureRow(
                    user_id=person.id, version=1, digest="0" * 64, language="id", signed_at=now
                )
            )
        if desk:
            await self.open(person)
        return person

    async def client(self, name: str = "Embun", *, adult: bool = True) -> Person:
        """A client."""
        async with self.database.sessions.begin() as db:
            return await people.create_client(db, name=name, language="id", adult=adult, now=self.clock.now())

    async def open(self, counselor: Person) -> None:
        """Open a desk, or show a sign of life at it."""
        async with self.database.sessions.begin() as db:
            await desks.open_desk(db, self.audit, counselor=counselor.id, now=self.clock.now())

    async def ask(
        self,
        client: Person | None = None,
        *,
        triage: Triage | None = None,
        medium: Medium = Medium.VIDEO,
        alone: Alone = Alone.YES,
        topic: str = "study",
        language: str = "id",
        region: str | None = None,
        prefers: UserId | None = None,
    ) -> Walkin:
        """Have a client, somebody new unless given, ask to talk now."""
        asker = client or await self.client()
        async with self.database.sessions.begin() as db:
            return await walkins.ask(
                db,
                self.audit,
                client=asker,
                language=language,
                topic=topic,
                medium=medium,
                alone=alone,
                triage=triage or Triage(),
                region=region,
                prefers=prefers,
                now=self.clock.now(),
            )

    async def look(self, walkin: Walkin) -> Walkin:
        """A walk-in as it is now."""
        async with self.database.sessions() as db:
            return await walkins.get(db, walkin=walkin.id)

    async def sign(self, *walked: Walkin) -> None:
        """Show a sign of life on the pages of these clients."""
        async with self.database.sessions.begin() as db:
            await walkins.seen_all(db, clients=[one.client for one in walked], now=self.clock.now())

    async def turn(self) -> list[Turned]:
        """Do what is due."""
        async with self.database.sessions.begin() as db:
            return await turns.turn(db, self.audit, self.rules, now=self.clock.now())

    async def accept(self, counselor: Person, walkin: Walkin, *, on_duty: bool = False) -> Talk:
        """Have a counselor take a client."""
        async with self.database.sessions.begin() as db:
            return await line.accept(
                db,
                self.audit,
                self.rules,
                counselor=counselor,
                walkin=walkin.id,
                on_duty=on_duty,
                now=self.clock.now(),
            )

    async def pass_on(self, counselor: Person, walkin: Walkin, *, recuse: bool = False) -> None:
        """Have a counselor let their turn go by."""
        async with self.database.sessions.begin() as db:
            await line.pass_on(
                db,
                self.audit,
                counselor=counselor.id,
                walkin=walkin.id,
                recuse=recuse,
                now=self.clock.now(),
            )

    async def end(self, person: Person, talk: Talk) -> Talk:
        """Have one of the two end a talk."""
        async with self.database.sessions.begin() as db:
            return await line.end_talk(db, self.audit, person=person, talk=talk.id, now=self.clock.now())
