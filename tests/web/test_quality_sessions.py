"""The list of sessions that lead to reports: whose they are, and in which order."""

from __future__ import annotations

import re
from datetime import timedelta

from accounts import people
from accounts.roles import Role
from core.ids import SessionId
from tests.fakes import FakeClock
from tests.web.browsing import get
from tests.web.conftest import Client
from tests.web.people import log_in, log_out, make
from tests.web.sessions import bad_quarter, make_session, sum_up_all
from web.services import SERVICES


async def listed(client: Client, path: str = "/quality/sessions") -> list[str]:
    page = await get(client, path)
    assert page.status == 200
    return re.findall(r"/quality/sessions/(s_[a-z0-9]+)", page.text)


async def test_one_sees_one_s_own_and_an_admin_all_the_newest_first(client: Client, clock: FakeClock) -> None:
    services = client.app[SERVICES]
    embun, dewi = await make(client, name="Embun"), await make(client, Role.ADMIN, name="dewi")
    both = [await make(client, Role.COUNSELOR, name=name) for name in ("ratna", "bima")]
    made: list[SessionId] = []
    for number in range(3):
        async with services.database.sessions.begin() as db:
            session = await make_session(db, client=embun, counselor=both[number % 2], now=clock.now())
            await bad_quarter(db, session, began_at=clock.now())
        made.append(session.id)
        clock.advance(3_600)
    async with services.database.sessions.begin() as db:
        await sum_up_all(db, now=clock.now())
    for person, found in ((both[0], [made[2], made[0]]), (both[1], [made[1]]), (dewi, made[::-1])):
        await log_out(client)
        await log_in(client, person)
        assert await listed(client) == found, person.name
    text = (await get(client, "/quality/sessions")).text
    assert "Embun" not in text
    assert "ratna" in text
    for wrong in ("0", "x", "-1", "999", "٣"):
        assert await listed(client, f"/quality/sessions?page={wrong}") in (made[::-1], [])
    await log_in(client, both[0])
    assert ", paling lama 7,6 detik" in (text := (await get(client, "/quality/sessions")).text)
    assert "Embun" in text
    async with services.database.sessions.begin() as db:
        await people.leave(db, user=embun.id, at=clock.now() + timedelta(hours=72))
    assert await listed(client) == []


async def test_many_are_paged_to_their_end(client: Client, clock: FakeClock) -> None:
    services, ratna = client.app[SERVICES], await make(client, Role.COUNSELOR, name="ratna")
    embun = await make(client)
    made = []
    async with services.database.sessions.begin() as db:
        for number in range(27):
            session = await make_session(db, client=embun, counselor=ratna, now=clock.now())
            await bad_quarter(db, session, began_at=clock.now() + timedelta(seconds=number))
            made.append(session.id)
    clock.advance(3_600)
    async with services.database.sessions.begin() as db:
        await sum_up_all(db, now=clock.now())
    await log_in(client, ratna)
    assert [*await listed(client), *await listed(client, "/quality/sessions?page=2")] == made[::-1]


async def test_a_client_who_asked_to_be_erased_hid_the_way_to_all_older_sessions(
    client: Client, clock: FakeClock
) -> None:
    services, ratna = client.app[SERVICES], await make(client, Role.COUNSELOR, name="ratna")
    embun, leaving = await make(client), await make(client)
    async with services.database.sessions.begin() as db:
        for number in range(28):
            whose = leaving if number == 26 else embun
            session = await make_session(db, client=whose, counselor=ratna, now=clock.now())
            await bad_quarter(db, session, began_at=clock.now() + timedelta(seconds=number))
    clock.advance(3_600)
    async with services.database.sessions.begin() as db:
        await sum_up_all(db, now=clock.now())
        await people.leave(db, user=leaving.id, at=clock.now() + timedelta(hours=72))
    await log_in(client, ratna)
    assert "?page=2" in (await get(client, "/quality/sessions")).text
    assert len(await listed(client)) == 25
    assert len(await listed(client, "/quality/sessions?page=2")) == 2


async def test_there_is_nothing_yet(client: Client) -> None:
    await log_in(client, await make(client, Role.SUPERVISOR))
    assert "Belum ada sesi yang selesai." in (await get(client, "/quality/sessions")).text
