"""What may be asked in a talk: by what its counselor knows too, and nothing that the client answered."""

from __future__ import annotations

import pytest
from sqlalchemy import update

from accounts import consents, people
from accounts.people import Person
from accounts.roles import Role
from accounts.texts import Kind
from core.ids import SessionId, new_id
from counseling import talks
from counseling.entry import Medium
from counseling.way_tables import WalkinRow
from recordings.guard import KeysLost
from signaling.directory import Recording
from signaling.studio import Asking
from tests.recordings.staged import make_recording
from tests.web.conftest import Client, FakeCalls
from tests.web.people import make, send
from tests.web.test_preparation import waiting
from web import opening
from web.recording import LiveStudio
from web.services import SERVICES

PAGE = "/talk/ready"


async def answer(client: Client, said: str) -> None:
    fields = {"recording": said, "version": "1", "locale": "id"}
    assert (await send(client, f"{PAGE}/recording", fields, page=PAGE))[0] == 303


async def open_talk(client: Client, me: Person, walkin: str) -> SessionId:
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
    assert session.recording is Recording.ASK, "whatever was answered"
    return session.id


async def asked(client: Client, session: SessionId) -> Asking | None:
    services = client.app[SERVICES]
    studio = LiveStudio(services.config, services.audit, services.vault, services.database)
    async with services.database.sessions() as db:
        return await studio.asking(db, session)


@pytest.mark.parametrize("said", ["yes", "no", "later"])
async def test_the_counselor_may_ask_whatever_the_client_answered(client: Client, said: str) -> None:
    me, walkin = await waiting(client)
    await answer(client, said)
    async with client.app[SERVICES].database.sessions() as db:
        assert await consents.has(db, user=me.id, kind=Kind.RECORDING) is (said == "yes")
    found = await asked(client, await open_talk(client, me, walkin))
    assert found is not None
    assert (found.version, found.heard, found.prepared is not None) == ("1", said != "no", said == "yes")


async def test_what_was_withdrawn_as_a_whole_is_not_asked_about_and_shows_nowhere(client: Client) -> None:
    me, walkin = await waiting(client)
    await answer(client, "yes")
    session = await open_talk(client, me, walkin)
    page = "/me/consents"
    assert (await send(client, f"{page}/recording/withdraw", {}, page=page))[0] == 303
    found = await asked(client, session)
    assert found is not None
    assert (found.heard, found.prepared) == (False, None)


async def test_an_answer_that_changes_while_they_talk_holds_at_once(client: Client) -> None:
    me, walkin = await waiting(client)
    await answer(client, "yes")
    session = await open_talk(client, me, walkin)
    calls = client.app[SERVICES].calls
    assert isinstance(calls, FakeCalls)
    calls.rechecked.clear()
    await answer(client, "no")
    assert calls.rechecked == [me.id]
    found = await asked(client, session)
    assert found is not None
    assert (found.heard, found.prepared) == (False, None)


@pytest.mark.parametrize("found_out", ["minor", "alone", "risk"])
async def test_nobody_is_asked_who_is_found_to_be_at_risk_not_alone_or_under_18(
    client: Client, found_out: str
) -> None:
    me, walkin = await waiting(client)
    await answer(client, "yes")
    session = await open_talk(client, me, walkin)
    async with client.app[SERVICES].database.sessions.begin() as db:
        if found_out == "minor":
            await people.say_age(db, user=me.id, adult=False)
        else:
            changed = {"alone": {"alone": "no"}, "risk": {"risk": "watch"}}[found_out]
            await db.execute(update(WalkinRow).values(changed))
    assert await asked(client, session) is None


async def test_a_danger_said_in_the_talk_is_taken_into_what_records(client: Client) -> None:
    me, walkin = await waiting(client)
    await open_talk(client, me, walkin)
    calls = client.app[SERVICES].calls
    assert isinstance(calls, FakeCalls)
    for page, path, fields in (
        ("/talk/urgent", "/talk/urgent", {}),
        ("/talk/intake/safety", "/talk/intake/safety", {"choice": "not_safe"}),
    ):
        calls.rechecked.clear()
        assert (await send(client, path, fields, page=page))[0] == 303
        assert calls.rechecked == [me.id]


async def test_no_new_keys_are_made_where_the_file_of_keys_goes_away_while_the_server_runs(
    client: Client,
) -> None:
    """As a disk that is unlocked by hand may: what was recorded before would count as lost from then on."""
    services = client.app[SERVICES]
    studio = LiveStudio(services.config, services.audit, services.vault, services.database)
    async with services.database.sessions.begin() as db:
        old = await make_recording(db, client=None, counselor=None, now=services.now())
    await services.vault.create(old)
    keys, away = services.vault.path, services.vault.path.with_name("away.db")
    keys.rename(away)
    with pytest.raises(KeysLost):
        await studio.key(new_id("r"))
    assert not keys.exists()
    away.rename(keys)
    assert await studio.key(new_id("r"))
    assert await services.vault.has(old)
    await studio.close()
