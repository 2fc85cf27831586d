"""A client and a counselor of the service who are about to talk, made in the database."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from playwright.async_api import BrowserContext

from accounts import logins, people
from accounts.logins import Stage as LoginStage
from accounts.people import Person
from core.ids import ParticipantId
from counseling import drops, preparation, recording_answers, talks, walkins
from counseling.drops import Drop
from counseling.entry import Medium
from counseling.preparation import Contact, OnDrop
from counseling.triage import Risk, Triage
from counseling.walkin_states import Alone
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording, Role
from tests.browser.counselors import audit_of, counselor, database_of
from tests.e2e.server import Server

NUMBER = "0811 222 333"


@dataclass(frozen=True, slots=True)
class Meeting:
    """A talk with its session: whose it is, and where each of the two goes in."""

    talk: str
    client: Person
    counselor: Person
    client_room: str
    counselor_room: str


async def make_meeting(
    server: Server,
    *,
    medium: Medium = Medium.VOICE,
    risk: Risk = Risk.WATCH,
    on_drop: OnDrop = OnDrop.NOTHING,
    alone: Alone = Alone.YES,
    name: str = "Ratna Puspita",
    refuses_recording: bool = False,
) -> Meeting:
    """Let a client walk in, prepare, and be taken by a counselor.

    Nothing is recorded; where the client has refused it beforehand, the room is as if it might be.
    """
    audit, now = audit_of(server), datetime.now(UTC)
    ratna = await counselor(server, name=name)
    async with database_of(server) as db:
        embun = await people.create_client(db, name="Embun Pagi", language="id", adult=True, now=now)
        walkin = await walkins.ask(
            db,
            audit,
            client=embun,
            language="id",
            topic="study",
            medium=medium,
            alone=alone,
            triage=Triage(risk),
            now=now,
        )
        occasion = await preparation.occasion_of(db, client=embun.id)
        assert occasion is not None
        await preparation.keep_contact(db, audit, occasion=occasion, contact=Contact(number=NUMBER), now=now)
        await preparation.keep_on_drop(db, audit, occasion=occasion, on_drop=on_drop, now=now)
        if refuses_recording:
            await recording_answers.keep(db, audit, occasion=occasion, client=embun, answer=False, now=now)
        talk = await talks.begin(
            db,
            audit,
            walkin=walkin.id,
            client=embun.id,
            counselor=ratna.id,
            medium=medium,
            reasons=(),
            now=now,
        )
        made = await directory.create(
            db,
            mode=Mode(medium.value),
            recording=Recording.ASK if refuses_recording else Recording.OFF,
            participants=[
                NewParticipant(Role.COUNSELOR, name, ratna.id),
                NewParticipant(Role.CLIENT, embun.name, embun.id),
            ],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=now,
        )
        await talks.set_session(db, talk=talk.id, session=made.session.id)
    rooms = {place.role: _room(place.id) for place in made.session.participants}
    return Meeting(talk.id, embun, ratna, rooms[Role.CLIENT], rooms[Role.COUNSELOR])


def _room(place: ParticipantId) -> str:
    return f"/room/{place}"


async def log_in(
    context: BrowserContext, server: Server, origin: str, person: Person, *, own_phone: bool = False
) -> None:
    """Log a person in with this browser, at the address at which it reaches the server."""
    token = logins.new_token()
    async with database_of(server) as db:
        await logins.open_login(
            db,
            person=person,
            token=token,
            stage=LoginStage.FULL,
            device="Chromium",
            own_phone=own_phone,
            now=datetime.now(UTC),
        )
    await context.add_cookies([{"name": "teduh_login", "value": token, "url": origin, "httpOnly": True}])


async def last_drop(server: Server, meeting: Meeting) -> Drop | None:
    """The last drop that was written down of a talk."""
    async with database_of(server) as db:
        return await drops.last_of_talk(db, talk=meeting.talk)
