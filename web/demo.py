"""The demo: invented people of each role, and a session of two of them.

Only where nobody else can come: on loopback all of them, on a LAN no admin and no session. Their
passwords differ from one installation to the next and are printed in the terminal. Data of a demo
that is served later where others come, or without the demo, has their accounts closed (``settle``).
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncSession

from accounts import closing, login_names, people, recovery
from accounts.codes import Codes, shown
from accounts.passwords import Passwords
from accounts.people import Person
from accounts.recovery import Code
from accounts.roles import Role
from core.addresses import Reach, reach_of
from core.config import Config
from core.db import Database
from core.errors import ConfigError
from core.ids import UserId
from counseling import invented, line, register
from counseling.topics import read_marks
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording
from signaling.directory import Role as PlaceRole
from web.services import Services

NAMES = {PlaceRole.CLIENT: "Sekar", PlaceRole.COUNSELOR: "Bima"}
STAFF: Final = {"bima": Role.COUNSELOR, "ratih": Role.SUPERVISOR, "wayan": Role.OFFICER, "dewi": Role.ADMIN}
CLIENT: Final = "sekar"
PASSWORD_CHARS: Final = 12
ID_CHARS: Final = 20

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class DemoPerson:
    """One of them. A client comes in with ``secret`` alone, the recovery code; staff with both."""

    role: Role
    name: str
    login: str
    secret: str


async def settle(services: Services, *, demo: bool) -> None:
    """Close whom a demo made and who may not come to this server as it starts now. Before it serves."""
    closed = 0
    async with services.database.sessions.begin() as db:
        await services.audit.hold(db)
        for person in await there(db, services.codes, services.passwords):
            if person.disabled_at is None and not (demo and _may_come(services.config, person.roles)):
                await closing.close(db, user=person.id, now=services.now())
                await _leave_the_line(services, db, person)
                await services.audit.append(
                    db, tag="demo:close", actor=None, subject=person.id, now=services.now()
                )
                closed += 1
    if closed:
        logger.info("demo.closed", extra={"count": closed})


async def _leave_the_line(services: Services, db: AsyncSession, person: Person) -> None:
    """Leave nothing in the line, nor in the register, of somebody who is an invention."""
    await line.depart(db, services.audit, user=person.id, now=services.now())
    await register.erase(db, user=person.id, now=services.now())


async def make_people(services: Services) -> list[DemoPerson]:
    """Make the demo people unless they are there; gives those who may come to this server."""
    if reach_of(services.config.public_host) is Reach.PUBLIC:
        return []
    made = [await _client(services)]
    for login, role in STAFF.items():
        if _may_come(services.config, [role]):
            made.append(await _staff(services, login, role))
    return [one for one in made if one is not None]


async def _fill_in(services: Services, db: AsyncSession, person: Person) -> None:
    """Let clients be sent to the invented counselor."""
    if Role.COUNSELOR in person.roles:
        now = services.now()
        today = now.astimezone(ZoneInfo(services.config.time_zone)).date()
        await invented.put(db, services.audit, person=person, marks=read_marks(), today=today, now=now)


async def find(services: Services, db: AsyncSession, *, login: str) -> Person | None:
    """Find one of them: staff by login name, the client as ``sekar``."""
    if login == CLIENT:
        return await _find_client(db, services.codes)
    return await _find_staff(db, services.codes, services.passwords, login) if login in STAFF else None


async def there(db: AsyncSession, codes: Codes, passwords: Passwords) -> list[Person]:
    """List all whom the demo made and who are there, open or closed."""
    found = [await _find_client(db, codes)]
    found += [await _find_staff(db, codes, passwords, login) for login in STAFF]
    return [person for person in found if person is not None]


def _may_come(config: Config, roles: Collection[Role]) -> bool:
    """Whether one of them with these roles may come while the demo runs: their passwords are printed."""
    if config.loopback_only:
        return True
    return reach_of(config.public_host) is not Reach.PUBLIC and Role.ADMIN not in roles


async def _find_client(db: AsyncSession, codes: Codes) -> Person | None:
    found = await recovery.find(db, codes, code=_code(codes))
    return None if found is None else await people.find(db, user=found.user)


async def _find_staff(db: AsyncSession, codes: Codes, passwords: Passwords, login: str) -> Person | None:
    """Find one by the id that only the demo gives, whatever else was changed.

    Those of older demos have another id; they are known by the password that was printed.
    """
    person = await people.find(db, user=_id(codes, login))
    if person is not None:
        return person
    named = await login_names.find(db, login=login)
    if named is None or not await passwords.fits(_password(codes, login), named.hash):
        return None
    return await people.find(db, user=named.user)


def _id(codes: Codes, login: str) -> UserId:
    return UserId(f"u_{codes.make('demo person', login, ID_CHARS)}")


def _password(codes: Codes, login: str) -> str:
    return shown(codes.make("demo password", login, PASSWORD_CHARS)).lower()


def _code(codes: Codes) -> Code:
    return recovery.new_code(codes, user=UserId("demo"), once="demo")


async def _client(services: Services) -> DemoPerson | None:
    code, name = _code(services.codes), NAMES[PlaceRole.CLIENT]
    told = DemoPerson(Role.CLIENT, name, CLIENT, shown(code.lookup + code.secret))
    async with services.database.sessions.begin() as db:
        if (person := await find(services, db, login=CLIENT)) is not None:
            return told if await _opened(services, db, person) else None
    hashed = await services.passwords.hash(code.secret)
    now = services.now()
    async with services.database.sessions.begin() as db:
        person = await people.create_client(db, name=name, language="id", adult=True, now=now)
        await recovery.keep(db, services.codes, user=person.id, code=code, secret_hash=hashed, now=now)
    return told


async def _staff(services: Services, login: str, role: Role) -> DemoPerson | None:
    password, codes = _password(services.codes, login), services.codes
    told = DemoPerson(role, login.capitalize(), login, password)
    async with services.database.sessions.begin() as db:
        await services.audit.hold(db)
        if (person := await find(services, db, login=login)) is not None:
            if not await _opened(services, db, person):
                return None
            await _fill_in(services, db, person)
            return told
        if await login_names.find(db, login=login) is not None:
            return None  # somebody who is no invention
    hashed = await services.passwords.hash(password)
    now = services.now()
    async with services.database.sessions.begin() as db:
        await services.audit.hold(db)
        person = await people.create_staff(
            db, name=told.name, language="id", roles=[role], now=now, user=_id(codes, login)
        )
        await login_names.keep(db, user=person.id, login=login, hashed=hashed, now=now)
        await _fill_in(services, db, person)
    return told


async def _opened(services: Services, db: AsyncSession, person: Person) -> bool:
    """Open the account again that another start closed, where it may be; says whether it may."""
    if not _may_come(services.config, person.roles):
        return False
    await people.disable(db, user=person.id, at=None)
    return True


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
            recording=Recording.ASK if config.recording else Recording.OFF,
            participants=[NewParticipant(role, name, whose.get(role)) for role, name in NAMES.items()],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=now,
        )
    return {
        place.role: f"{config.public_url}/join#{created.codes[place.id]}"
        for place in created.session.participants
    }
