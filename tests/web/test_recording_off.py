"""A service that records nothing (`TEDUH_RECORDING=0`): no page, no room and no program asks."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_aiohttp.plugin import AiohttpClient
from sqlalchemy import update

from accounts.roles import Role
from counseling import talks
from counseling.entry import Medium
from signaling.directory import Recording
from signaling.tables import SessionRow
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client, FakeEngine, Program, make_config, wanted
from tests.web.people import make, send
from tests.web.test_preparation import kept, waiting
from web import opening
from web.app import make_app
from web.recording import LiveStudio
from web.services import SERVICES

PAGE = "/talk/ready"


@pytest.fixture
async def client(
    aiohttp_client: AiohttpClient, tmp_path: Path, database_url: str, clock: FakeClock
) -> Client:
    config = make_config(tmp_path, database_url, recording=False)
    return await aiohttp_client(make_app(config, clock=clock, make_engine=FakeEngine))


async def test_the_client_is_not_asked_before_a_session(client: Client) -> None:
    me, _ = await waiting(client)
    assert "part-recording" not in (await get(client, PAGE)).text
    fields = {"recording": "yes", "version": "1", "locale": "id"}
    assert (await send(client, f"{PAGE}/recording", fields, page=PAGE))[0] == 303
    assert await kept(client, me) is None
    assert 'id="recording"' not in (await get(client, "/me/consents")).text


async def test_nobody_is_asked_in_the_room_nor_in_one_that_was_made_before(client: Client) -> None:
    me, walkin = await waiting(client)
    ratna, services = await make(client, Role.COUNSELOR, name="ratna"), client.app[SERVICES]
    async with services.database.sessions.begin() as db:
        talk = await talks.begin(
            db,
            services.audit,
            client=me.id,
            counselor=ratna.id,
            medium=Medium.VIDEO,
            walkin=walkin,
            reasons=[],
            now=services.now(),
        )
        session = await opening.open_talk(services, db, talk)
    assert session.recording is Recording.OFF
    async with services.database.sessions.begin() as db:
        await db.execute(update(SessionRow).values(recording=Recording.ASK.value))
    studio = LiveStudio(services.config, services.audit, services.vault, services.database)
    async with services.database.sessions() as db:
        assert await studio.asking(db, session.id) is None


async def test_a_program_that_wants_to_ask_is_told(program: Program) -> None:
    status, told = await program.ask("POST", "/api/v1/sessions", wanted(recording="ask"))
    assert (status, [one["pointer"] for one in told["errors"]]) == (422, ["/recording"])
    await program.create(recording="off")
