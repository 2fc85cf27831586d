"""The demo: invented people of each role, and a session of two of them.

Only where nobody else can come: on loopback all of them, on a LAN no admin and no session. Their
passwords differ from one installation to the next and are printed in the terminal.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import login_names, people, recovery
from accounts.codes import shown
from accounts.people import Person
from accounts.recovery import Code
from accounts.roles import Role
from core.addresses import Reach, reach_of
from core.config import Config
from core.db import Database
from core.errors import ConfigError
from core.ids import UserId
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording
from signaling.directory import Role as PlaceRole
from web.services import Services

NAMES = {PlaceRole.CLIENT: "Sekar", PlaceRole.COUNSELOR: "Bima"}
STAFF: Final = {"bima": Role.COUNSELOR, "ratih": Role.SUPERVISOR, "wayan": Role.OFFICER, "dewi": Role.ADMIN}
PASSWORD_CHARS: Final = 12


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One of them. A client comes in with ``secret`` alone, the recovery code; staff with both."""

    role: Role
    name: str
    login: str
    secret: str


async def make_people(services: Services) -> list[DemoPerson]:
    """Make the demo people unless they are there. Nobody on a server that the public can reach."""
    reach = reach_of(services.config.public_host)
    if reach is Reach.PUBLIC:
        return []
    made = [await _client(services)]
    for login, role in STAFF.items():
        if role is not Role.ADMIN or services.config.loopback_only:
            made.append(await _staff(services, login, role))
    return made


async def find(services: Services, db: AsyncSession, *, login: str) -> Person | None:
    """Find one of them: staff by login name, the client as ``sekar``."""
    if login == "sekar":
        found = await recovery.find(db, services.codes, code=_code(services))
        return None if found is None else await people.find(db, user=found.user)
    if login not in STAFF:
        return None
    name = await login_names.find(db, login=login)
    return None if name is None else await people.find(db, user=name.user)


def _code(services: Services) -> Code:
    return recovery.new_code(services.codes, user=UserId("demo"), once="demo")


async def _client(services: Services) -> DemoPerson:
    code, name = _code(services), NAMES[PlaceRole.CLIENT]
    told = DemoPerson(Role.CLIENT, name, "sekar", shown(code.lookup + code.secret))
    async with services.database.sessions() as db:
        if await find(services, db, login="sekar") is not None:
            return told
    hashed = await services.passwords.hash(code.secret)
    now = services.now()
    async with services.database.sessions.begin() as db:
        person = await people.create_client(db, name=name, language="id", adult=True, now=now)
        await recovery.keep(db, services.codes, user=person.id, code=code, secret_hash=hashed, now=now)
    return told


async def _staff(services: Services, login: str, role: Role) -> DemoPerson:
    password = shown(services.codes.make("demo password", login, PASSWORD_CHARS)).lower()
    told = DemoPerson(role, login.capitalize(), login, password)
    async with services.database.sessions() as db:
        if await find(services, db, login=login) is not None:
            return told
    hashed = await services.passwords.hash(password)
    now = services.now()
    async with services.database.sessions.begin() as db:
        person = await people.create_staff(db, name=told.name, language="id", roles=[role], now=now)
        await login_names.keep(db, user=person.id, login=login, hashed=hashed, now=now)
    return told


async def make_demo(
    database: Database,
    config: Config,
    *,
    now: datetime,
    users: dict[PlaceRole, UserId] | None = None,
) -> dict[PlaceRole, str]:
    """Make a demo session and give both links. Raises ``ConfigError`` unless bound to loopback."""
    if not config.loopback_only:
        raise ConfigError(
            "Demo data is made only where nobody else can reach it: TEDUH_HTTP_HOST and TEDUH_PUBLIC_URL "
            "must both be localhost."
        )
    whose = users or {}
    async with database.sessions.begin() as db:
        created = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.OFF,
            participants=[
                NewParticipant(role, name, whose.get(role)) for role, name in NAMES.items()
            ],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=now,
        )
    return {
        place.role: f"{config.public_url}/join#{created.codes[place.id]}"
        for place in created.session.participants
    }
