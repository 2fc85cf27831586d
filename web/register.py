"""What the pages of the register share: kinds of credential, proofs, the service's day."""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from aiohttp import web as http

from counseling import ethics, expiry, supervision
from counseling.credentials import Credentials, Names, read_credentials
from counseling.entry import Medium
from counseling.proofs import Proofs
from counseling.topics import Marks, read_marks
from web.jobs import every
from web.services import SERVICES, Services

logger = logging.getLogger(__name__)

HOUR_S: Final = 3600.0


@dataclass(slots=True)
class Register:
    """The data and the doers behind the register's pages."""

    credentials: Credentials
    marks: Marks
    proofs: Proofs
    zone: ZoneInfo

    def today(self, now: datetime) -> date:
        """Say which day it is in the service's time zone."""
        return now.astimezone(self.zone).date()

    def words(self, names: Names | None, language: str, otherwise: str = "") -> str:
        """Choose the words in a language; ``otherwise`` for what the data does not have any more."""
        return otherwise if names is None else names[language]

    def kind(self, key: str, language: str) -> str:
        """Name a kind of credential."""
        kind = self.credentials.kind(key)
        return self.words(None if kind is None else kind.name, language, key)

    def degree(self, key: str, language: str) -> str:
        """Name a degree."""
        return self.words(self.credentials.degrees.get(key), language, key)

    def proof_kind(self, key: str, language: str) -> str:
        """Name a kind of proof."""
        return self.words(self.credentials.proof_kinds.get(key), language, key)

    def topics(self, keys: Iterable[str], language: str) -> list[str]:
        """Name topics, without those that are no more."""
        return [self.marks.topics[key][language] for key in keys if key in self.marks.topics]

    def languages(self, keys: Iterable[str], language: str) -> list[str]:
        """Name languages, without those that are no more."""
        return [self.marks.languages[key][language] for key in keys if key in self.marks.languages]


REGISTER: Final = http.AppKey("register", Register)
MEDIA: Final = tuple(medium.value for medium in Medium)


def setup(app: http.Application) -> None:
    """Read the data, add erasers and jobs. Raises ``ConfigError`` for a file that does not fit."""
    services = app[SERVICES]
    made = Register(
        credentials=read_credentials(services.config.credentials),
        marks=read_marks(),
        proofs=Proofs(services.config.data_dir, services.audit),
        zone=ZoneInfo(services.config.time_zone),
    )
    app[REGISTER] = made
    for eraser in (made.proofs.erase, ethics.erase, supervision.erase):
        services.erasure.register(eraser)

    async def warn_of_ends(services: Services) -> None:
        now = services.now()
        async with services.database.sessions.begin() as db:
            sent = await expiry.warn(db, today=made.today(now), now=now)
        if sent:
            logger.info("register.warned", extra={"count": sent})

    async def sweep_proofs(services: Services) -> None:
        async with services.database.sessions() as db:
            swept = await made.proofs.sweep(db, now=services.now())
        if swept:
            logger.info("register.swept", extra={"count": swept})

    every(app, HOUR_S, warn_of_ends)
    every(app, HOUR_S, sweep_proofs)
