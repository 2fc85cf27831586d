"""Names to log in with are one whatever their case."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from accounts import login_names, people
from accounts.login_names import Taken
from accounts.roles import Role
from core.db import Database
from core.errors import NotFound
from core.ids import UserId

NOW = datetime(2026, 3, 2, 9, tzinfo=UTC)


async def staff(database: Database, login: str) -> UserId:
    async with database.sessions.begin() as db:
        made = await people.create_staff(db, name="Sri", language="id", roles=[Role.ADMIN], now=NOW)
        await login_names.keep(db, user=made.id, login=login, hashed="hash", now=NOW)
    return made.id


async def test_a_name_is_taken_in_any_case(database: Database) -> None:
    user = await staff(database, "Sri.Wahyuni")
    with pytest.raises(Taken):
        await staff(database, "sri.wahyuni")
    async with database.sessions() as db:
        found = await login_names.find(db, login=" SRI.WAHYUNI ")
        assert found is not None
        assert (found.user, found.login) == (user, "Sri.Wahyuni")
        assert await login_names.find(db, login="sri") is None
        with pytest.raises(NotFound):
            await login_names.of(db, user=UserId("u_none"))


async def test_a_password_can_be_changed(database: Database) -> None:
    user = await staff(database, "sri")
    async with database.sessions.begin() as db:
        await login_names.change(db, user=user, hashed="other", now=NOW)
        assert (await login_names.of(db, user=user)).hash == "other"


@pytest.mark.parametrize(
    ("login", "fits"),
    [
        ("sri", True),
        ("Sri.Wahyuni-2", True),
        ("sri@kampus.ac.id", True),
        ("ab", False),
        ("a" * 41, False),
        (".sri", False),
        ("sri wahyuni", False),
        ("śri", False),
        ("sri\n", True),
        ("s\x00ri", False),
    ],
)
def test_names_are_plain(login: str, fits: bool) -> None:
    assert login_names.is_fit(login) is fits
