"""What is written down before a key is given out, and how many may be in an hour."""

from __future__ import annotations

import dataclasses
import json
import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from core import keylog
from core.errors import TooMany
from core.keylog import KeyLog, LogUnwritable
from core.warrants import SYSTEM, Purpose, Warrant, Warrants

NOW = datetime(2026, 11, 3, 9, 0, tzinfo=UTC)
WARRANTS = Warrants(bytes(32))


def warrant(recording_id: str = "r_1", purpose: Purpose = Purpose.REVIEW) -> Warrant:
    viewer = SYSTEM if purpose.is_work else "u_1"
    return WARRANTS.issue(recording_id=recording_id, viewer=viewer, purpose=purpose, now=NOW)


def lines(path: Path) -> list[dict[str, str]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def refusals(path: Path) -> list[dict[str, str]]:
    return lines(path.with_name(keylog.REFUSED))


def test_each_opening_and_each_refusal_is_a_line(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = KeyLog(path)
    log.opened(warrant(), now=NOW)
    log.refused(warrant("r_2"), why="expired", now=NOW)
    assert lines(path) == [
        {
            "at": "2026-11-03T09:00:00Z",
            "outcome": "opened",
            "recording": "r_1",
            "viewer": "u_1",
            "purpose": "review",
            "expires_at": "2026-11-03T09:15:00Z",
        }
    ]
    assert refusals(path) == [
        {
            "at": "2026-11-03T09:00:00Z",
            "outcome": "expired",
            "recording": "r_2",
            "viewer": "u_1",
            "purpose": "review",
            "expires_at": "2026-11-03T09:15:00Z",
        }
    ]
    assert path.stat().st_mode & 0o777 == 0o600


def test_no_more_than_so_many_are_opened_within_an_hour(tmp_path: Path) -> None:
    log = KeyLog(tmp_path / "log", hourly=3)
    for minute in (0, 10, 20):
        log.opened(warrant(), now=NOW + timedelta(minutes=minute))
    with pytest.raises(TooMany) as refused:
        log.opened(warrant(), now=NOW + timedelta(minutes=30))
    assert refused.value.retry_after_s == 30 * 60
    log.opened(warrant(), now=NOW + timedelta(minutes=60))
    with pytest.raises(TooMany):
        log.opened(warrant(), now=NOW + timedelta(minutes=60))
    assert [line["outcome"] for line in refusals(tmp_path / "log")] == ["too_many", "too_many"]


def test_another_process_is_no_way_around_the_limit(tmp_path: Path) -> None:
    KeyLog(tmp_path / "log", hourly=1).opened(warrant(), now=NOW)
    with pytest.raises(TooMany):
        KeyLog(tmp_path / "log", hourly=1).opened(warrant("r_2"), now=NOW)


def test_who_asks_at_the_same_moment_gets_no_more(tmp_path: Path) -> None:
    def ask(_number: int) -> bool:
        try:
            KeyLog(tmp_path / "log", hourly=3).opened(warrant(), now=NOW)
        except TooMany:
            return False
        return True

    with ThreadPoolExecutor(12) as pool:
        assert sum(pool.map(ask, range(12))) == 3
    assert (len(lines(tmp_path / "log")), len(refusals(tmp_path / "log"))) == (3, 9)


def test_what_the_server_does_by_itself_does_not_count_against_people(tmp_path: Path) -> None:
    log = KeyLog(tmp_path / "log", hourly=1)
    for _ in range(5):
        log.opened(warrant(purpose=Purpose.FINALIZE), now=NOW)
    log.opened(warrant(), now=NOW)
    log.opened(warrant(purpose=Purpose.VERIFY), now=NOW)


def test_each_kind_of_work_has_a_limit_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keylog, "HOURLY_WORK", 2)
    log = KeyLog(tmp_path / "log")
    for _ in range(2):
        log.opened(warrant(purpose=Purpose.VERIFY), now=NOW)
    with pytest.raises(TooMany):
        log.opened(warrant(purpose=Purpose.VERIFY), now=NOW)
    log.opened(warrant(purpose=Purpose.FINALIZE), now=NOW)  # verifying all holds up no finishing


def test_refusals_neither_hide_openings_nor_keep_anybody_from_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever can reach the keyring floods it with warrants of their own making."""
    monkeypatch.setattr(keylog, "TAIL_BYTES", 2_000)
    log = KeyLog(tmp_path / "log", hourly=2)
    forged = dataclasses.replace(warrant(), viewer="u" * 60_000, signature=bytes(64))
    log.opened(warrant(), now=NOW)
    for _ in range(20):
        log.refused(forged, why="forged", now=NOW)
    log.opened(warrant(), now=NOW)
    with pytest.raises(TooMany):
        log.opened(warrant(), now=NOW)
    assert {line["viewer"] for line in refusals(tmp_path / "log")} == {"u" * keylog.WORD_CHARS, "u_1"}


def test_refusals_do_not_fill_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keylog, "REFUSED_BYTES", 1_000)
    log = KeyLog(tmp_path / "log")
    for _ in range(20):
        log.refused(warrant(), why="forged", now=NOW)
    assert 1_000 <= (tmp_path / keylog.REFUSED).stat().st_size < 1_500
    log.opened(warrant(), now=NOW)


def test_more_openings_than_can_be_counted_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keylog, "TAIL_BYTES", 400)
    log = KeyLog(tmp_path / "log")
    for _ in range(3):
        log.opened(warrant(), now=NOW)
    with pytest.raises(TooMany):
        log.opened(warrant(), now=NOW)
    log.opened(warrant(), now=NOW + timedelta(hours=1))


def test_openings_of_a_time_to_come_lock_nobody_out(tmp_path: Path) -> None:
    """The clock was ten years ahead for a while, and is right again."""
    log = KeyLog(tmp_path / "log", hourly=2)
    for _ in range(2):
        log.opened(warrant(), now=NOW + timedelta(days=3_650))
    for _ in range(2):
        log.opened(warrant(), now=NOW)
    with pytest.raises(TooMany) as refused:
        log.opened(warrant(), now=NOW)
    assert refused.value.retry_after_s == 3_600


def test_a_torn_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "log"
    log = KeyLog(path, hourly=1)
    log.opened(warrant(), now=NOW)
    path.write_bytes(b'{"at":"2026-11' + b"\n" + path.read_bytes())
    with pytest.raises(TooMany):
        log.opened(warrant(), now=NOW)


def test_nothing_is_opened_that_cannot_be_written_down(tmp_path: Path) -> None:
    log = KeyLog(tmp_path / "not there" / "log")
    with pytest.raises(LogUnwritable):
        log.opened(warrant(), now=NOW)
    with pytest.raises(LogUnwritable):
        log.refused(warrant(), why="forged", now=NOW)


def test_a_disk_that_takes_half_a_line_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The key was given out, the torn line was lost, and the one after it with it."""
    path = tmp_path / "log"
    log = KeyLog(path)
    log.opened(warrant(), now=NOW)
    with monkeypatch.context() as full:
        write = os.write
        full.setattr("core.keylog.os.write", lambda file, text: write(file, text[:40]))
        with pytest.raises(LogUnwritable):
            log.opened(warrant("r_2"), now=NOW)
    log.opened(warrant("r_3"), now=NOW)
    assert [line["recording"] for line in lines(path)] == ["r_1", "r_3"]
