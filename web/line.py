"""The line as people see it: what a client and a counselor are told, the bell, and the jobs behind it.

Pages and sockets (``web/line_socket.py``) say the same by the same functions. ``BELL`` is rung after a commit
that changed the line; who listens looks again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from aiohttp import web as http
from sqlalchemy.ext.asyncio import AsyncSession

from accounts import people
from accounts.people import Person
from core.ids import UserId
from counseling import crowd, line, talks, turns, walkins
from counseling.crowd import InLine
from counseling.entry import Medium
from counseling.lineup import Mode, Rules
from counseling.talks import Talk
from counseling.triage import Risk, Suitability
from counseling.turns import TURN, Assigned, Turned
from counseling.waits import Range
from counseling.walkin_states import State, Walkin
from web import opening
from web.drops import DROPS
from web.escalation import CALLS
from web.jobs import every
from web.register import REGISTER
from web.services import SERVICES, Services

EVERY_S: Final = 1.0
FINISHED_EVERY_S: Final = 2.0
HOUR_S: Final = 3600.0

NONE: Final = "none"
HELD: Final = "held"
URGENT: Final = "urgent"


class Bell:
    """Wakes those who listen for changes of the line."""

    def __init__(self, *listeners: Callable[[], None]) -> None:
        self.listeners = set(listeners)

    def ring(self) -> None:
        """Say that something has changed; after the commit."""
        for listener in tuple(self.listeners):
            listener()


BELL: Final = http.AppKey("bell", Bell)
RULES: Final = http.AppKey("line_rules", Rules)


@dataclass(frozen=True, slots=True)
class ClientNews:
    """What a client is told. ``wait`` None: nobody can say; ``go`` is the room to go to, when it is time.

    ``state`` is a walk-in's (`waiting`, `offered`, `talking`), `urgent` while somebody in danger waits,
    `held` after a quick exit, `none` for who is not in the line.
    """

    state: str = NONE
    wait: Range | None = None
    go: str | None = None

    def as_json(self) -> Mapping[str, object]:
        """Write it as the socket sends it."""
        wait = None if self.wait is None else {"from_s": self.wait.from_s, "to_s": self.wait.to_s}
        return {"type": "line", "state": self.state, "wait": wait, "go": self.go}


@dataclass(frozen=True, slots=True)
class Offer:
    """Whom a counselor is offered: what they may know before a talk, and no more."""

    walkin: str
    name: str
    topic: str
    medium: Medium
    risk: Risk
    suitability: Suitability
    asked_at: datetime
    until: datetime

    def as_json(self) -> Mapping[str, object]:
        """Write it as the socket sends it; times in milliseconds since 1970, as browsers count."""
        return {
            "walkin": self.walkin,
            "name": self.name,
            "topic": self.topic,
            "medium": self.medium.value,
            "risk": self.risk.value,
            "suitability": self.suitability.value,
            "asked_ms": int(self.asked_at.timestamp() * 1000),
            "until_ms": int(self.until.timestamp() * 1000),
        }


@dataclass(frozen=True, slots=True)
class CounselorNews:
    """What a counselor is told: whom they are offered, how many wait, the room to go to, alarms, drops."""

    offer: Offer | None = None
    waiting: int = 0
    go: str | None = None
    alarms: int = 0
    drops: int = 0

    def as_json(self) -> Mapping[str, object]:
        """Write it as the socket sends it."""
        return {
            "type": "line",
            "offer": None if self.offer is None else self.offer.as_json(),
            "waiting": self.waiting,
            "go": self.go,
            "alarms": self.alarms,
            "drops": self.drops,
        }


async def client_news(services: Services, db: AsyncSession, *, client: UserId) -> ClientNews:
    """Say where a client stands now."""
    talk = await talks.open_of_client(db, client=client)
    found = None if talk else (await crowd.standing(db, client=client)).get(client)
    return await client_of(services, db, client, found, talk)


async def client_of(
    services: Services, db: AsyncSession, client: UserId, stands: InLine | None, talk: Talk | None
) -> ClientNews:
    """Say it of a client whose place in the line, or talk, was read already."""
    if talk is not None:
        return ClientNews(State.TALKING.value, go=await opening.place_path(db, talk, client))
    if stands is None:
        return ClientNews()
    if stands.held:
        return ClientNews(HELD)
    if stands.urgent:
        return ClientNews(URGENT)
    there = await services.crowd.read(db, now=services.now(), now_s=services.clock.monotonic())
    return ClientNews(stands.state.value, there.wait(client, stands.wish))


async def counselor_news(request: http.Request, db: AsyncSession, *, counselor: UserId) -> CounselorNews:
    """Say what a counselor's desk shows now."""
    now = request.app[SERVICES].now()
    person = await people.get(db, user=counselor)
    offer = await line.offer_to(db, counselor=counselor, now=now)
    talk = await talks.open_of_counselor(db, counselor=counselor)
    names = await people.find_all(db, users=[offer.client]) if offer else []
    return await counselor_of(request, db, person, offer_of(offer, names), talk)


async def counselor_of(
    request: http.Request, db: AsyncSession, person: Person, offer: Offer | None, talk: Talk | None
) -> CounselorNews:
    """Say it of a counselor whose offer and talk were read already."""
    services = request.app[SERVICES]
    there = await services.crowd.read(db, now=services.now(), now_s=services.clock.monotonic())
    go = None if talk is None else await opening.place_path(db, talk, person.id)
    drops = len(request.app[DROPS].of(person.id))
    return CounselorNews(offer, there.waiting, go, request.app[CALLS].count(person), drops)


def offer_of(walkin: Walkin | None, persons: Sequence[Person]) -> Offer | None:
    """Say of a walk-in what a counselor may know before a talk; None once the client is gone for others."""
    if walkin is None or walkin.offered_at is None:
        return None
    name = next((one.name for one in persons if one.id == walkin.client and not one.is_leaving), None)
    if name is None:
        return None
    return Offer(
        walkin.id,
        name,
        walkin.topic,
        walkin.medium,
        walkin.triage.risk,
        walkin.triage.suitability,
        walkin.asked_at,
        walkin.offered_at + TURN,
    )


async def turn(services: Services, rules: Rules) -> list[Turned]:
    """Do what is due in the line; who is assigned gets a session in the same step."""
    async with services.database.sessions.begin() as db:
        turned = await turns.turn(db, services.audit, rules, now=services.now())
        for event in turned:
            if isinstance(event, Assigned):
                await opening.open_talk(services, db, event.talk)
    return turned


def setup(app: http.Application) -> None:
    """Add the bell and the jobs, before the application starts."""
    services, ours = app[SERVICES], app[REGISTER]
    bell = app[BELL] = Bell(services.crowd.forget)
    rules = app[RULES] = Rules(ours.credentials, ours.zone, Mode(services.config.matching))

    async def take_turns(services: Services) -> None:
        if await turn(services, rules):
            bell.ring()

    async def end_finished_talks(services: Services) -> None:
        if await opening.end_finished(services):
            bell.ring()

    async def forget_old_walkins(services: Services) -> None:
        async with services.database.sessions.begin() as db:
            await walkins.prune(db, now=services.now())

    app[DROPS].listeners.add(bell.ring)
    every(app, EVERY_S, take_turns)
    every(app, FINISHED_EVERY_S, end_finished_talks)
    every(app, HOUR_S, forget_old_walkins)
