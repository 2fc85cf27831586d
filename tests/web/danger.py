"""A service with somebody in danger, and people who may answer, for the tests of the urgent path."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import product

from accounts.people import Person
from accounts.roles import Role
from core.ids import UserId
from counseling import alarms, desks, roster, walkins
from counseling.alarms import Alarm
from counseling.entry import Medium
from counseling.roster import DAYS, HOURS
from counseling.triage import Answers, triage
from counseling.walkin_states import Alone, Walkin
from tests.fakes import FakeClock
from tests.web.conftest import Client
from tests.web.counselors import verified
from tests.web.people import make
from web import escalation
from web.escalation import CALLS, Call
from web.services import SERVICES, Services


@dataclass
class Danger:
    """Short ways to what the urgent path is made of."""

    client: Client
    clock: FakeClock

    @property
    def services(self) -> Services:
        return self.client.app[SERVICES]

    async def at_desk(self, name: str = "Ratna Puspita", **practice: object) -> Person:
        """A counselor who fits and takes people now."""
        person = await verified(self.client, name, **practice)
        await self.opens_desk(person)
        return person

    async def opens_desk(self, person: Person) -> None:
        """Open somebody's desk, or show that they still sit there."""
        async with self.services.database.sessions.begin() as db:
            await desks.open_desk(db, self.services.audit, counselor=person.id, now=self.clock.now())

    async def on_duty(self, person: Person | None, deputy: Person | None = None) -> None:
        """Put them on duty in each hour of the week."""
        admin = await make(self.client, Role.ADMIN, name="Dewi")
        async with self.services.database.sessions.begin() as db:
            await roster.set_hours(
                db,
                self.services.audit,
                slots=list(product(DAYS, HOURS)),
                person=person,
                deputy=deputy,
                actor=admin,
                now=self.clock.now(),
            )

    async def walks_in(self, person: Person, *, alone: Alone = Alone.YES) -> Walkin:
        """Somebody says that they are in danger, and the alarm is raised."""
        async with self.services.database.sessions.begin() as db:
            walkin = await walkins.ask(
                db,
                self.services.audit,
                client=person,
                language="id",
                topic="study",
                medium=Medium.CHAT,
                alone=alone,
                triage=triage(Answers(danger=True)),
                now=self.clock.now(),
            )
            await escalation.raise_alarm(self.services, db, walkin)
        return walkin

    async def passes(self, seconds: int, *, seen: Walkin | None = None, sits: Person | None = None) -> None:
        """Let time pass as the job does, a second at a time where it matters."""
        for _ in range(seconds // 10):
            self.clock.advance(10)
            if seen is not None:
                async with self.services.database.sessions.begin() as db:
                    await walkins.seen(db, walkin=seen.id, now=self.clock.now())
            if sits is not None:
                await self.opens_desk(sits)
            await self.look()

    async def look(self) -> tuple[Call, ...]:
        """Have the job look once."""
        await escalation.look(self.services, self.client.app[CALLS])
        return self.client.app[CALLS].now

    async def alarm(self, walkin: Walkin) -> Alarm:
        """The alarm as it is now."""
        async with self.services.database.sessions() as db:
            found = await alarms.alarm_of(db, walkin=walkin.id)
        assert found is not None
        return found

    async def story(self, walkin: Walkin) -> list[tuple[str, UserId | None]]:
        """What was done for a walk-in, in the order of steps of one turn."""
        done = (await self.alarm(walkin)).course.done
        return sorted((step.kind.value, step.person) for step in done if step.turn == 0)


def hour(day: int, clock_hour: int) -> datetime:
    """A moment of the week of Monday, 2 March 2026, in UTC."""
    return datetime(2026, 3, 2 + day, clock_hour, 5, tzinfo=UTC)
