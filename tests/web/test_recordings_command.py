"""``teduh recordings``: what there is, whether it holds, what is lost, proofs of destruction."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from sqlalchemy import select

from core import keylog
from core.config import Config
from core.db import Database
from recordings import ending, leap, verifying
from recordings.leap import Seen
from recordings.retention import Why
from recordings.sides import log_path
from recordings.states import Side
from recordings.store import object_name
from recordings.tables import RecordingRow
from recordings.vault import BACKUPS_KEPT
from recordings.workshop import Workshop
from tests.fakes import FakeClock
from tests.recordings.ended import MASTER, end_one, workshop
from web.main import main


class Done(NamedTuple):
    """Exit status, output and errors of a command."""

    status: int
    out: str
    err: str


@dataclass
class Server:
    """A folder in which a server has been. Its commands run in this process: starting one takes a second."""

    folder: Path
    capture: pytest.CaptureFixture[str]

    def run(self, *words: str) -> Done:
        """Run ``teduh recordings``."""
        return self.teduh("recordings", *words)

    def teduh(self, *words: str) -> Done:
        self.capture.readouterr()
        status = main(words)
        told = self.capture.readouterr()
        return Done(status, told.out, told.err)

    def json(self, *words: str) -> Any:  # noqa: ANN401  # JSON
        done = self.run(*words, "--json")
        assert done.status == 0, done.err
        return json.loads(done.out)


@pytest.fixture
def server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Server]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TEDUH_DATA_DIR", str(tmp_path / "var"))
    monkeypatch.setenv("TEDUH_MASTER_KEY", base64.b64encode(MASTER).decode())
    monkeypatch.setenv("TEDUH_LOG_LEVEL", "ERROR")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    made = Server(tmp_path, capsys)
    assert made.run("list") == (0, "There is no recording.\n", "")
    yield made
    root.handlers[:] = handlers
    root.setLevel(level)


def recorded(
    server: Server,
    *,
    then: Callable[[Workshop], Coroutine[None, None, None]] | None = None,
    now: datetime | None = None,
) -> str:
    """Record something there; gives its id."""

    async def do() -> str:
        config = Config(data_dir=server.folder / "var", master_key=MASTER)
        database = Database(config.database_url)
        try:
            async with workshop(config, database, FakeClock(now or datetime.now(UTC))) as shop:
                made = await end_one(shop)
                if then is not None:
                    await then(shop)
                return made.id
        finally:
            await database.close()

    return asyncio.run(do())


def test_from_the_end_to_the_proof(server: Server) -> None:
    made = recorded(server)
    before = server.json("list")
    assert [(one["id"], one["state"], one["side_state"]) for one in before] == [(made, "ended", "log")] * 2
    done = server.run("work")
    assert done.out == "1 stored\nNothing else is due.\n", done.err
    [one, _] = server.json("list")
    assert (one["state"], one["side"], one["side_state"], one["problem"]) == (
        "stored",
        "client",
        "stored",
        None,
    )
    assert server.run("verify").out == "All 2 sides hold.\n"
    assert server.json("orphans") == []
    assert server.json("proofs") == []


def test_what_is_broken_or_lost_is_named_and_ends_with_status_1(server: Server) -> None:
    made, other = recorded(server), recorded(server)
    assert server.run("work").status == 0
    stored = server.folder / "var" / "recordings" / "stored"
    (stored / object_name(made, Side.CLIENT)).unlink()
    done = server.run("verify")
    assert done.out == f"BROKEN  {made}  client     the file is gone\n"
    assert (done.status, done.err) == (1, "1 of 4 sides do not hold.\n")
    assert server.run("verify", other).status == 0
    done = server.run("orphans", "--json")
    assert json.loads(done.out) == [{"lacks": "media", "name": object_name(made, Side.CLIENT)}]
    assert done.status == 1
    found = json.loads(server.teduh("doctor", "--json", "--offline").out)
    assert "1 stored files that rows tell of are gone or changed: teduh recordings orphans names them." in [
        one["text"] for one in found if one["about"] == "recordings" and one["level"] == "wrong"
    ]


def test_more_than_the_keyring_opens_in_an_hour(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(2):
        recorded(server)
    assert server.run("work").status == 0
    monkeypatch.setattr(keylog, "HOURLY_WORK", 1)
    done = server.run("verify")
    assert (done.status, done.out) == (1, "")
    assert done.err == (
        "2 of 4 sides hold. 2 were read and compared, and not opened: the keyring opens only so many keys in "
        "an hour. teduh recordings verify --wait goes on until all are.\n"
    )
    looked_at = [one["looked_at"] for one in json.loads(server.run("verify", "--json").out)]
    assert looked_at == ["bytes"] * 4, "the key of this hour was used"
    monkeypatch.setattr(keylog, "WITHIN", timedelta(seconds=1))
    monkeypatch.setattr(verifying, "WAIT_S", 1.0)
    done = server.run("verify", "--wait")
    assert (done.status, done.err) == (0, "")
    *waits, last = done.out.splitlines()
    assert waits[0].endswith(" of 4 sides are still to be opened: the next key comes in 1 min.")
    assert last == "All 4 sides hold."


def test_a_key_without_a_recording_is_named_and_destroyed(server: Server) -> None:
    async def stray(shop: Workshop) -> None:
        await shop.vault.create("r_stray")

    made = recorded(server, then=stray, now=datetime.now(UTC) - timedelta(hours=2))
    done = server.run("orphans")
    assert done.out.startswith("r_stray  has a key, and the database knows no such recording")
    assert (done.status, done.err) == (1, "1 things have lost their other half.\n")
    assert server.run("drop-key", made).err == (
        "The database knows this recording: its key goes when it is destroyed.\n"
    )
    assert server.run("drop-key", "r_stray").status == 0
    assert server.run("orphans").out == "Everything has its other half.\n"


def test_one_that_was_put_right_is_tried_again(server: Server) -> None:
    made = recorded(server)
    log = log_path(server.folder / "var" / "recordings", made, Side.CLIENT)
    content = log.read_bytes()
    log.write_bytes(content[:-50])
    assert server.run("work").out.startswith("1 broken\n")
    said = server.run("list").out
    assert "cut at 4, 1 tries" in said
    log.write_bytes(content)
    assert server.run("retry", made).status == 0
    assert server.run("work").out.startswith("1 stored\n")
    done = server.run("retry", made)
    assert done.status == 1
    assert server.run("retry", "r_nobody").err == ("There is no such recording.\n")


def test_a_clock_that_leapt_is_told_and_somebody_says_that_it_is_right(server: Server) -> None:
    recorded(server)
    spool = server.folder / "var" / "recordings"
    now = datetime.now(UTC)
    leap.keep(spool, Seen(now - timedelta(days=100)), now=now)

    def wrong() -> list[str]:
        found = json.loads(server.teduh("doctor", "--json", "--offline").out)
        return [one["text"] for one in found if one["text"].startswith("The clock was ")]

    [said] = wrong()
    assert said.startswith(f"The clock was {now - timedelta(days=100):%Y-%m-%d %H:%M} UTC, and at the next")
    assert "teduh recordings clock-right" in said
    done = server.run("clock-right")
    assert (done.status, done.out[:16]) == (0, f"It is {datetime.now(UTC):%Y-%m-%d}")
    assert wrong() == []


def test_a_proof_says_what_is_gone_and_until_when_it_could_come_back(server: Server) -> None:
    async def withdraw(shop: Workshop) -> None:
        async with shop.database.sessions.begin() as db:
            for one in await db.scalars(select(RecordingRow.id)):
                await ending.begin(db, shop.audit, recording=one, why=Why.WITHDRAWN, now=shop.clock.now())

    made = recorded(server, then=withdraw)
    said = server.run("proofs").out
    assert said.startswith(f"{made}  withdrawn        asked for at ")
    assert server.run("work").out.startswith("1 destroyed\n")
    said = server.run("proofs").out
    until = datetime.now(UTC) + BACKUPS_KEPT
    assert ", 2 files deleted by " in said
    assert said.endswith(f"; the last backup copy of its key expires on {until:%Y-%m-%d}\n")
    assert server.run("list").out == "There is no recording.\n"
    assert made in server.run("list", "--all").out
    [proof] = server.json("proofs")
    assert (proof["id"], proof["why"], proof["files"], proof["problem"]) == (made, "withdrawn", 2, None)
