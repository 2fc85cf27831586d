from __future__ import annotations

from datetime import timedelta

from accounts import logins, people
from accounts.logins import OWN_IDLE, SHARED_IDLE, Stage
from accounts.roles import Role
from core.db import Database
from tests.fakes import FakeClock


async def test_how_long_a_login_lasts_follows_from_whose_phone_it_turns_out_to_be(
    database: Database, clock: FakeClock
) -> None:
    token = logins.new_token()
    async with database.sessions.begin() as db:
        person = await people.create_client(db, name="Embun", language="id", adult=True, now=clock.now())
        other = await people.create_client(db, name="Fajar", language="id", adult=True, now=clock.now())
        login = await logins.open_login(
            db,
            person=person,
            token=token,
            stage=Stage.FULL,
            device="x",
            own_phone=False,
            now=clock.now(),
        )
        await logins.claim(db, person=other, login=login.id, own_phone=True, now=clock.now())
    still = clock.now() + SHARED_IDLE + timedelta(minutes=1)
    async with database.sessions.begin() as db:
        assert await logins.find(db, token=token, now=still) is None, "nobody claims another's login"
        await logins.claim(db, person=person, login=login.id, own_phone=True, now=clock.now())
        found = await logins.find(db, token=token, now=clock.now() + OWN_IDLE - timedelta(minutes=1))
        assert found is not None
        assert found[1].own_phone
        await logins.claim(db, person=person, login=login.id, own_phone=False, now=clock.now())
        assert await logins.find(db, token=token, now=still) is None


async def test_staff_have_no_phone_of_their_own_here(database: Database, clock: FakeClock) -> None:
    token = logins.new_token()
    async with database.sessions.begin() as db:
        person = await people.create_staff(
            db, name="Bima", language="id", roles=[Role.COUNSELOR], now=clock.now()
        )
        login = await logins.open_login(
            db, person=person, token=token, stage=Stage.FULL, device="x", own_phone=False, now=clock.now()
        )
        await logins.claim(db, person=person, login=login.id, own_phone=True, now=clock.now())
        assert await logins.find(db, token=token, now=clock.now() + timedelta(hours=2)) is None
