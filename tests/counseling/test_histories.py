from __future__ import annotations

from datetime import timedelta

import pytest

from accounts import grants, people
from accounts.grants import Grant
from accounts.people import Person
from accounts.roles import Permission, Role
from core.db import Database
from core.errors import Forbidden
from counseling import histories, talks, walkins
from counseling.entry import Medium
from counseling.talks import Talk
from counseling.triage import Triage
from counseling.walkin_states import Alone
from tests.counseling.conftest import Desk
from tests.fakes import FakeClock


async def talked(desk: Desk, client: Person, counselor: Person, *, topic: str | None) -> Talk:
    """A talk that goes on; from a walk-in about a topic, or without one."""
    now = desk.clock.now()
    async with desk.database.sessions.begin() as db:
        walkin = topic and await walkins.ask(
            db,
            desk.audit,
            client=client,
            language="id",
            topic=topic,
            medium=Medium.CHAT,
            alone=Alone.YES,
            triage=Triage(),
            now=now,
        )
        return await talks.begin(
            db,
            desk.audit,
            client=client.id,
            counselor=counselor.id,
            medium=Medium.CHAT,
            walkin=walkin.id if walkin else None,
            reasons=(),
            now=now,
        )


async def over(desk: Desk, talk: Talk) -> None:
    """It ends, and an hour goes by."""
    async with desk.database.sessions.begin() as db:
        await talks.end(db, desk.audit, talk=talk.id, now=desk.clock.now())
    desk.clock.advance(3600)


async def granted(desk: Desk, counselor: Person, client: Person) -> Grant:
    async with desk.database.sessions.begin() as db:
        return await grants.give(
            db,
            desk.audit,
            person=counselor,
            permission=Permission.SERVE,
            subject=client.id,
            purpose="history",
            now=desk.clock.now(),
        )


async def test_only_the_counselor_who_talks_with_a_client_sees_what_they_ticked(
    database: Database, clock: FakeClock, desk: Desk
) -> None:
    first, second = [await desk.make(Role.COUNSELOR, name=name) for name in ("Ratna", "Bima")]
    async with database.sessions.begin() as db:
        client = await people.create_client(db, name="Embun", language="id", adult=True, now=clock.now())
    began = clock.now()
    await over(desk, await talked(desk, client, first, topic="family"))
    await over(desk, await talked(desk, client, first, topic=None))
    talk = await talked(desk, client, second, topic="stress")
    async with database.sessions() as db:
        assert await histories.has_others(db, talk=talk)
    his, hers = await granted(desk, second, client), await granted(desk, first, client)
    async with database.sessions.begin() as db:
        with pytest.raises(Forbidden):
            await histories.shared(db, his, talk=talk, now=clock.now())
        talk = await talks.share_history(db, desk.audit, talk=talk.id, shares=True, now=clock.now())
        seen = await histories.shared(db, his, talk=talk, now=clock.now())
        assert [(one.begun_at, one.topic) for one in seen] == [
            (began + timedelta(hours=1), None),
            (began, "family"),
        ]
        with pytest.raises(Forbidden):
            await histories.shared(db, hers, talk=talk, now=clock.now())
    async with database.sessions.begin() as db:
        talk = await talks.end(db, desk.audit, talk=talk.id, now=clock.now())
        with pytest.raises(Forbidden):
            await histories.shared(db, his, talk=talk, now=clock.now())
        listed = await talks.of_counselor(db, counselor=first.id, since=began - timedelta(hours=1))
        assert [one.begun_at for one in listed] == [began + timedelta(hours=1), began]


async def test_who_talked_with_one_counselor_only_has_nothing_to_share(
    database: Database, clock: FakeClock, desk: Desk
) -> None:
    counselor = await desk.make(Role.COUNSELOR)
    async with database.sessions.begin() as db:
        client = await people.create_client(db, name="Embun", language="id", adult=True, now=clock.now())
    await over(desk, await talked(desk, client, counselor, topic="family"))
    talk = await talked(desk, client, counselor, topic="family")
    async with database.sessions() as db:
        assert not await histories.has_others(db, talk=talk)
