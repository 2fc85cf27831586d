"""The file of tombstones: read back, mended, and refused when somebody changed it."""

from __future__ import annotations

from pathlib import Path

import pytest

from accounts.tombstones import Tombstones, tombstones_in
from core.errors import ConfigError
from core.ids import new_user_id
from tests.fakes import FakeClock

MASTER = bytes(range(32))


def test_tombstones_are_read_back_each_once(tmp_path: Path, clock: FakeClock) -> None:
    stones = tombstones_in(tmp_path, MASTER)
    assert stones.read() == []
    users = [new_user_id() for _ in range(3)]
    for user in (*users, users[0]):
        stones.add(user, clock.now())
    assert stones.read() == users


def test_a_torn_last_line_is_mended(tmp_path: Path, clock: FakeClock) -> None:
    stones, users = tombstones_in(tmp_path, MASTER), [new_user_id() for _ in range(3)]
    stones.add(users[0], clock.now())
    whole = stones.path.read_bytes()
    stones.add(users[1], clock.now())
    stones.path.write_bytes(stones.path.read_bytes()[:-20])
    assert stones.read() == users[:1]
    stones.add(users[2], clock.now())
    assert stones.read() == [users[0], users[2]]
    assert stones.path.read_bytes().startswith(whole)


def test_a_line_that_only_lost_its_end_counts(tmp_path: Path, clock: FakeClock) -> None:
    stones, users = tombstones_in(tmp_path, MASTER), [new_user_id() for _ in range(2)]
    stones.add(users[0], clock.now())
    stones.path.write_bytes(stones.path.read_bytes()[:-1])
    assert stones.read() == users[:1]
    stones.add(users[1], clock.now())
    assert stones.read() == users


def test_a_changed_line_stops_the_start(tmp_path: Path, clock: FakeClock) -> None:
    stones, users = tombstones_in(tmp_path, MASTER), [new_user_id() for _ in range(3)]
    for user in users:
        stones.add(user, clock.now())
    text = stones.path.read_text()
    for wrong in (
        text.replace(users[1], new_user_id()),
        text.replace('"mac":"', '"mac":"0'),
        "x\n" + text,
        "\n" + text,
    ):
        stones.path.write_text(wrong)
        with pytest.raises(ConfigError, match=r"Line \d of .*erasures\.jsonl"):
            stones.read()
    stones.path.write_text(text)
    with pytest.raises(ConfigError):
        Tombstones(stones.path, bytes(32)).read()
