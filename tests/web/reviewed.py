"""A recording that may be reviewed, for the tests of pages: sealed with its own key, stored, released."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from accounts import consents, texts
from accounts.people import Person
from accounts.roles import Role
from accounts.texts import Kind
from core.agefile import encrypt
from core.config import Config
from core.ids import new_id
from counseling import supervision
from recordings import reviews
from recordings.states import Side
from recordings.store import object_name, stored_in
from recordings.store_local import LocalStore
from recordings.vault import Vault
from signaling.directory import Role as Sits
from signaling.directory import SessionRecord
from tests.recordings.staged import make_recording
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make
from tests.web.sessions import bad_quarter, make_session, place_of
from web.services import SERVICES, Services

SAME_PAGE = {"Sec-Fetch-Site": "same-origin"}


@dataclass
class Reviewed:
    """Everybody who could want a recording, and where it is."""

    client: Client
    embun: Person
    ratna: Person
    sari: Person
    stranger: Person
    dewi: Person
    session: SessionRecord
    id: str
    plain: dict[Side, bytes] = field(default_factory=dict)

    @property
    def services(self) -> Services:
        return self.client.app[SERVICES]

    @property
    def page(self) -> str:
        return f"/supervisor/recordings/{self.id}"

    @property
    def own_page(self) -> str:
        return f"/counselor/reviews/{self.id}"

    def media(self, side: str = "client") -> str:
        return f"/api/v1/recordings/{self.id}/{side}"

    async def as_(self, person: Person) -> None:
        """Log somebody in, and nobody else; in English."""
        await log_out(self.client)
        await log_in(self.client, person)
        self.client.session.cookie_jar.update_cookies({"teduh_lang": "en"})

    async def open(self, person: Person | None = None, hours: int = 1) -> None:
        """Give the supervisor a grant."""
        services = self.services
        async with services.database.sessions.begin() as db:
            await reviews.open_up(
                db,
                services.audit,
                person=person or self.sari,
                recording=await reviews.find(db, recording=self.id),
                purpose="to talk about the beginning",
                hours=hours,
                now=services.now(),
            )

    async def play(
        self, side: str = "client", headers: dict[str, str] | None = None
    ) -> tuple[int, bytes, dict[str, str]]:
        """Ask for media as a player does."""
        async with self.client.get(self.media(side), headers=SAME_PAGE | (headers or {})) as answer:
            return answer.status, await answer.read(), dict(answer.headers)


async def consent_to_supervision(client: Client, person: Person) -> None:
    """Have a client consent to the current text."""
    services = client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        text = await texts.current(db, kind=Kind.SUPERVISION)
        await consents.give(
            db,
            services.audit,
            person=person,
            kind=Kind.SUPERVISION,
            version=text.number,
            locale="id",
            page="/me/consents",
            now=services.now(),
        )


async def seal_and_store(
    config: Config, vault: Vault, recording: str, plain: dict[Side, bytes]
) -> dict[Side, int]:
    """Put what was recorded into the store, sealed to a new key of the recording; gives the sizes there."""
    recipient = await vault.create(recording)
    place = stored_in(config.recordings_url, config.data_dir)
    assert isinstance(place, Path)
    made, sizes = config.data_dir / "made.tmp", dict[Side, int]()
    for side, content in plain.items():
        made.write_bytes(encrypt(content, [recipient]))
        await LocalStore(place).put(object_name(recording, side), made)
        sizes[side] = made.stat().st_size
        made.unlink()
    return sizes


async def reviewed(
    client: Client, *, media: dict[Side, bytes] | None = None, duration_ms: int = 60_000
) -> Reviewed:
    """Make a recording that the supervisor may open, with these files as its sides."""
    services = client.app[SERVICES]
    embun = await make(client, name="Embun")
    dewi = await make(client, Role.ADMIN, name="dewi")
    ratna = await make(client, Role.COUNSELOR, name="ratna")
    sari, stranger = [await make(client, Role.SUPERVISOR, name=name) for name in ("sari", "bayu")]
    await consent_to_supervision(client, embun)
    plain = media or {side: os.urandom(400_000) for side in Side}
    recording, now = new_id("r"), services.now()
    sizes = await seal_and_store(services.config, services.vault, recording, plain)
    async with services.database.sessions.begin() as db:
        session = await make_session(db, client=embun, counselor=ratna, now=now - timedelta(days=5))
        await bad_quarter(db, session, began_at=now - timedelta(days=4, minutes=6))
        await make_recording(
            db,
            client=embun,
            counselor=ratna,
            now=now,
            session=session.id,
            places=(place_of(session, Sits.CLIENT), place_of(session, Sits.COUNSELOR)),
            duration_ms=duration_ms,
            sealed_bytes=sizes,
            recording=recording,
        )
        await supervision.assign(
            db,
            services.audit,
            person=dewi,
            supervisor=sari,
            counselor=ratna,
            from_day=now.date() - timedelta(days=1),
            until_day=None,
            now=now,
        )
        await reviews.release(db, services.audit, recording=recording, person=ratna, now=now)
    return Reviewed(client, embun, ratna, sari, stranger, dewi, session, recording, plain)
