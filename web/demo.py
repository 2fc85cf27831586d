"""The demo: a session of two invented people, to be opened in two windows of one browser."""

from __future__ import annotations

from datetime import datetime

from core.config import Config
from core.db import Database
from core.errors import ConfigError
from media.codecs import Mode
from signaling import directory
from signaling.directory import NewParticipant, Recording, Role

NAMES = {Role.CLIENT: "Sekar", Role.COUNSELOR: "Bima"}


async def make_demo(database: Database, config: Config, *, now: datetime) -> dict[Role, str]:
    """Make a demo session and give both links. Raises ``ConfigError`` unless bound to loopback."""
    if not config.loopback_only:
        raise ConfigError(
            "Demo data is made only where nobody else can reach it: TEDUH_HTTP_HOST and TEDUH_PUBLIC_URL "
            "must both be localhost."
        )
    async with database.sessions.begin() as db:
        created = await directory.create(
            db,
            mode=Mode.VIDEO,
            recording=Recording.OFF,
            participants=[NewParticipant(role, name) for role, name in NAMES.items()],
            owner=None,
            starts_at=None,
            max_minutes=None,
            now=now,
        )
    return {
        place.role: f"{config.public_url}/join#{created.codes[place.id]}"
        for place in created.session.participants
    }
