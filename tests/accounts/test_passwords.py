"""Argon2id at OWASP's size with a pepper; at most two at once, in threads that step back."""

from __future__ import annotations

import asyncio
import os
import resource
import threading
from collections.abc import Iterator

import pytest

from accounts import passwords as module
from accounts.passwords import Cost, Passwords, what_is_wrong
from accounts.turns import Asker

CHEAP = Cost(memory_kib=64, passes=1)


@pytest.fixture
def passwords() -> Iterator[Passwords]:
    made = Passwords(bytes(32), cost=CHEAP)
    yield made
    made.close()


async def test_the_right_one_fits_and_no_other(passwords: Passwords) -> None:
    kept = await passwords.hash("kopi susu hangat")
    assert await passwords.fits("kopi susu hangat", kept)
    assert not await passwords.fits("kopi susu dingin", kept)
    assert not await passwords.fits("kopi susu hangat", None)
    assert not await passwords.fits("kopi susu hangat", "no hash at all")


async def test_two_forms_of_one_letter_are_one_password(passwords: Passwords) -> None:
    assert await passwords.fits("caf\u00e9 di sudut", await passwords.hash("cafe\u0301 di sudut"))


async def test_without_the_pepper_a_hash_fits_nothing(passwords: Passwords) -> None:
    kept = await passwords.hash("kopi susu hangat")
    other = Passwords(bytes(31) + b"1", cost=CHEAP)
    assert not await other.fits("kopi susu hangat", kept)
    other.close()


async def test_the_cost_is_what_owasp_asks_for() -> None:
    dear = Passwords(bytes(32))
    kept = await dear.hash("kopi susu hangat")
    assert kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert not dear.is_old(kept)
    dear.close()


async def test_a_hash_of_another_cost_is_to_be_made_anew(passwords: Passwords) -> None:
    dearer = Passwords(bytes(32), cost=Cost(memory_kib=128, passes=1))
    kept = await passwords.hash("kopi susu hangat")
    assert dearer.is_old(kept)
    assert await dearer.fits("kopi susu hangat", kept)
    dearer.close()


async def test_the_threads_are_two_and_step_back(passwords: Passwords) -> None:
    await asyncio.gather(*(passwords.hash("kopi susu hangat") for _ in range(20)))
    ours = [one for one in threading.enumerate() if one.name.startswith("argon2")]
    assert 1 <= len(ours) <= 2
    for one in ours:
        assert one.native_id is not None
        assert os.getpriority(os.PRIO_PROCESS, one.native_id) == module.LOWEST_PRIORITY
    assert os.getpriority(os.PRIO_PROCESS, 0) < module.LOWEST_PRIORITY


async def test_fifty_at_once_need_the_memory_of_two() -> None:
    dear = Passwords(bytes(32))
    await dear.hash("warm up")
    before_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    await asyncio.gather(
        *(dear.hash(f"kopi susu {number}", asker=Asker(str(number))) for number in range(50))
    )
    grown_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before_kib
    assert grown_kib < 100 * 1024
    dear.close()


@pytest.mark.parametrize(
    ("password", "wrong"),
    [
        ("kopi susu hangat di teras", None),
        ("rahasia", "short"),
        ("😀" * 9, "short"),
        ("x" * 201, "long"),
        ("password123", "common"),
        ("PassWord123", "common"),
        ("aaaaaaaaaaaa", "common"),
        ("abababababab", "common"),
        ("1234567890", "common"),
        ("9876543210", "common"),
        ("hijklmnopqrst", "common"),
        ("bismillah123", "common"),
        ("sri.wahyuni1", "name"),
        ("Sri.Wahyuni2026", "name"),
        ("sri.wahyuni menanam padi di bukit", None),
    ],
)
def test_what_will_not_do_is_said(password: str, wrong: str | None) -> None:
    assert what_is_wrong(password, names=("sri.wahyuni", "Sri Wahyuni")) == wrong
