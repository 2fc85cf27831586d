"""Codes of an authenticator app count once, in their step or beside it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

import pyotp
import pytest

from accounts import people, totp
from accounts.codes import Codes
from accounts.roles import Role
from accounts.totp import Totps
from core.db import Database
from core.ids import UserId
from core.sealing import SealBroken

NOW = datetime(2026, 3, 2, 9, 0, 10, tzinfo=UTC)
STEP = timedelta(seconds=30)
TOTPS = Totps(bytes(32))
# RFC 6238, appendix B: the secret of SHA-1, and its codes cut to six digits.
RFC_SECRET = "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"


@pytest.mark.parametrize(
    ("at_s", "code"),
    [(59, "287082"), (1111111109, "081804"), (1234567890, "005924"), (20000000000, "353130")],
)
def test_the_codes_are_those_of_the_rfc(at_s: int, code: str) -> None:
    at = datetime.fromtimestamp(at_s, UTC)
    assert totp.step_of(RFC_SECRET, code, at) == at_s // 30
    assert totp.step_of(RFC_SECRET, f"{code[:3]} {code[3:]}", at + STEP) == at_s // 30
    assert totp.step_of(RFC_SECRET, code, at + 2 * STEP) is None


@pytest.mark.parametrize("typed", ["", "12345", "1234567", "abcdef", "\u0661\u0662\u0663\u0664\u0665\u0666"])
def test_what_is_no_code_is_none(typed: str) -> None:
    assert totp.step_of(RFC_SECRET, typed, NOW) is None


def test_one_form_offers_one_secret_of_160_bits() -> None:
    codes = Codes(bytes(32))
    secret = totp.new_secret(codes, user=UserId("u_1"), once="a")
    assert secret == totp.new_secret(codes, user=UserId("u_1"), once="a")
    assert secret != totp.new_secret(codes, user=UserId("u_2"), once="a")
    assert len(secret) == 32
    assert "secret=" + secret in totp.uri_of(secret, login="sri")


async def staff(database: Database) -> UserId:
    async with database.sessions.begin() as db:
        made = await people.create_staff(db, name="Sri", language="id", roles=[Role.COUNSELOR], now=NOW)
        assert await TOTPS.keep(db, user=made.id, secret=RFC_SECRET, code=code_at(NOW - STEP), now=NOW)
    return made.id


def code_at(at: datetime) -> str:
    return str(pyotp.TOTP(RFC_SECRET).at(at))


async def use(database: Database, user: UserId, code: str, now: datetime = NOW) -> bool:
    async with database.sessions.begin() as db:
        return await TOTPS.check(db, user=user, code=code, now=now)


async def test_a_code_counts_once_and_older_ones_no_more(database: Database) -> None:
    user = await staff(database)
    assert not await use(database, user, code_at(NOW - STEP))
    assert await use(database, user, code_at(NOW))
    assert not await use(database, user, code_at(NOW))
    assert await use(database, user, code_at(NOW + STEP))
    assert not await use(database, user, code_at(NOW), NOW + STEP)


async def test_of_two_at_once_one_counts(database: Database) -> None:
    user = await staff(database)
    assert sorted(await asyncio.gather(*(use(database, user, code_at(NOW)) for _ in range(4)))) == [
        False,
        False,
        False,
        True,
    ]


async def test_a_secret_is_kept_only_with_a_code_of_it_and_forgotten_when_removed(database: Database) -> None:
    user = await staff(database)
    async with database.sessions.begin() as db:
        assert not await TOTPS.keep(db, user=user, secret="A" * 32, code=code_at(NOW), now=NOW)
        assert await totp.since(db, user=user) == NOW
        await totp.remove(db, user=user)
        assert await totp.since(db, user=user) is None
    assert not await use(database, user, code_at(NOW))


async def test_with_another_master_key_nothing_opens(database: Database) -> None:
    user = await staff(database)
    async with database.sessions.begin() as db:
        with pytest.raises(SealBroken):
            await Totps(bytes(31) + b"1").check(db, user=user, code=code_at(NOW), now=NOW)
