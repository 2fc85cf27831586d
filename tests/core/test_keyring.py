"""The keyring decides: a warrant that holds, so many an hour, written down first, bound to its recording."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core.errors import TooMany
from core.filekeys import FileKeys
from core.keylog import REFUSED, KeyLog, LogUnwritable
from core.keyring import KeyBroken, KeyringHere
from core.warrants import Checker, Purpose, Warrant, WarrantRefused, Warrants
from tests.fakes import FakeClock

SECRET = b"AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0"
WARRANTS = Warrants(bytes(32))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(datetime(2026, 11, 3, 9, 0, tzinfo=UTC))


@pytest.fixture
def keyring(tmp_path: Path, clock: FakeClock) -> KeyringHere:
    return KeyringHere(
        FileKeys(tmp_path / "keys", clock),
        checker=Checker(WARRANTS.public),
        log=KeyLog(tmp_path / "log", hourly=2),
        clock=clock,
    )


def warrant(clock: FakeClock, recording_id: str = "r_1") -> Warrant:
    return WARRANTS.issue(recording_id=recording_id, viewer="u_1", purpose=Purpose.REVIEW, now=clock.now())


def outcomes(tmp_path: Path, name: str = "log") -> list[str]:
    return [json.loads(line)["outcome"] for line in (tmp_path / name).read_text().splitlines()]


async def test_a_secret_comes_back_for_a_warrant(
    keyring: KeyringHere, clock: FakeClock, tmp_path: Path
) -> None:
    wrapped = await keyring.wrap(SECRET, about="r_1")
    assert SECRET not in wrapped.sealed
    assert await keyring.unwrap(wrapped, warrant(clock)) == SECRET
    assert outcomes(tmp_path) == ["opened"]


async def test_a_refused_warrant_opens_nothing_and_is_written_down(
    keyring: KeyringHere, clock: FakeClock, tmp_path: Path
) -> None:
    wrapped = await keyring.wrap(SECRET, about="r_1")
    good = warrant(clock)
    for bad in (warrant(clock, "r_2"), dataclasses.replace(good, viewer="u_9")):
        with pytest.raises(WarrantRefused):
            await keyring.unwrap(wrapped, bad)
    clock.advance(15 * 60)
    with pytest.raises(WarrantRefused):
        await keyring.unwrap(wrapped, good)
    assert outcomes(tmp_path, REFUSED) == ["other_recording", "forged", "expired"]
    assert not (tmp_path / "log").exists()


async def test_a_wrapping_put_in_the_place_of_another_does_not_open(
    keyring: KeyringHere, clock: FakeClock, tmp_path: Path
) -> None:
    """Who can write to the database and may open one recording cannot open another with that."""
    coveted = await keyring.wrap(SECRET, about="r_2")
    swapped = dataclasses.replace(coveted, about="r_1")
    with pytest.raises(KeyBroken):
        await keyring.unwrap(swapped, warrant(clock))
    with pytest.raises(KeyBroken):
        await keyring.rewrap(swapped)
    assert not (tmp_path / "log").exists()


async def test_so_many_an_hour_and_no_more(keyring: KeyringHere, clock: FakeClock) -> None:
    wrapped = await keyring.wrap(SECRET, about="r_1")
    await keyring.unwrap(wrapped, warrant(clock))
    await keyring.unwrap(wrapped, warrant(clock))
    with pytest.raises(TooMany):
        await keyring.unwrap(wrapped, warrant(clock))
    clock.advance(timedelta(hours=1).total_seconds())
    await keyring.unwrap(wrapped, warrant(clock))


async def test_without_a_log_nothing_is_given_out(clock: FakeClock, tmp_path: Path) -> None:
    keyring = KeyringHere(
        FileKeys(tmp_path / "keys", clock),
        checker=Checker(WARRANTS.public),
        log=KeyLog(tmp_path / "nowhere" / "log"),
        clock=clock,
    )
    wrapped = await keyring.wrap(SECRET, about="r_1")
    with pytest.raises(LogUnwritable):
        await keyring.unwrap(wrapped, warrant(clock))


async def test_rewrapping_moves_to_the_newest_key(keyring: KeyringHere, clock: FakeClock) -> None:
    old = await keyring.wrap(SECRET, about="r_1")
    newest = await keyring.renew()
    moved = await keyring.rewrap(old)
    assert (moved.key_id, moved.about) == (newest, "r_1")
    await keyring.drop(old.key_id)
    assert await keyring.held() == {newest}
    assert await keyring.unwrap(moved, warrant(clock)) == SECRET


async def test_a_secret_is_one_line(keyring: KeyringHere) -> None:
    with pytest.raises(ValueError, match="one line"):
        await keyring.wrap(b"a\nb", about="r_1")
    with pytest.raises(ValueError, match="one line"):
        await keyring.wrap(SECRET, about="r_1\nAGE-SECRET-KEY-1")


async def test_an_unwrapped_key_is_a_key_file_of_age(keyring: KeyringHere, tmp_path: Path) -> None:
    wrapped = await keyring.wrap(SECRET, about="r_1")
    (month,) = (tmp_path / "keys").iterdir()
    file = await asyncio.to_thread(run, ["age", "-d", "-i", month], wrapped.sealed)
    assert file == b"# r_1\n" + SECRET + b"\n"
    assert (await asyncio.to_thread(run, ["age-keygen", "-y"], file)).startswith(b"age1")


def run(command: list[str | Path], stdin: bytes) -> bytes:
    return subprocess.run(command, input=stdin, capture_output=True, check=True).stdout
