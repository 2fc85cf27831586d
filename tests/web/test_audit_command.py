"""``teduh audit``: what an operator runs, on a database that somebody falsified."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import sqlite3
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from accounts.audit import Audit
from accounts.checkpoints import FILE, read_lines
from core.clock import SystemClock
from core.db import Database
from core.keyfile import master_key
from tests.accounts import attacks
from tests.core.test_mail import Post, serve
from tests.web import process
from tests.web.commanding import run, run_json

pytestmark = pytest.mark.usefixtures("up_to_date")


def fill(folder: Path, rows: int) -> None:
    """Append rows as the service does."""

    async def append() -> None:
        database, audit = (
            Database(f"sqlite:///{folder / 'var' / 'teduh.db'}"),
            Audit(master_key(folder / "var")),
        )
        async with database.sessions.begin() as db:
            for _ in range(rows):
                await audit.append(db, tag="a:b", actor=None, subject=None, now=SystemClock().now())
        await database.close()

    asyncio.run(append())


@contextlib.contextmanager
def falsifying(folder: Path) -> Iterator[sqlite3.Connection]:
    """The database, without its fences, as its owner can have it."""
    with contextlib.closing(sqlite3.connect(folder / "var" / "teduh.db")) as db:
        for statement in attacks.FENCES["sqlite"]:
            db.execute(statement)
        yield db
        db.commit()


def test_a_chain_that_holds_is_said_so(tmp_path: Path) -> None:
    fill(tmp_path, 3)
    done = run(tmp_path, "audit", "verify")
    assert (done.returncode, done.stdout) == (0, "The chain holds; rows: 3.\n")
    assert run_json(tmp_path, "audit", "verify")["holds"] is True


def test_a_changed_row_is_one_sentence_and_status_1(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    with falsifying(tmp_path) as db:
        db.execute("UPDATE audit_rows SET tag = 'c:d' WHERE seq = 4")
    done = run(tmp_path, "audit", "verify")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Row 4 was changed, moved or put in: it does not follow from the row before it.\n"
    done = run(tmp_path, "audit", "verify", "--json")
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["holds"], told["problem"], told["row"]) == (False, "link", 4)


def test_a_cut_end_is_known_by_a_checkpoint(tmp_path: Path) -> None:
    fill(tmp_path, 5)
    outside = tmp_path / "outside"
    outside.mkdir()
    printed = run(tmp_path, "audit", "checkpoint", AUDIT_CHECKPOINTS=str(outside)).stdout
    assert (outside / FILE).read_text() == printed
    (checkpoint,) = read_lines(printed)
    assert checkpoint.count == 5
    file = str(outside / FILE)
    done = run(tmp_path, "audit", "verify", "--checkpoint", file)
    assert done.stdout == "The chain holds; rows: 5; checkpoints that agree: 1.\n"
    with falsifying(tmp_path) as db:
        db.execute("DELETE FROM audit_rows WHERE seq > 3")
        db.execute("UPDATE audit_head SET count = 3, hash = (SELECT hash FROM audit_rows WHERE seq = 3)")
    assert run(tmp_path, "audit", "verify").returncode == 0
    done = run(tmp_path, "audit", "verify", "--checkpoint", file)
    assert done.returncode == 1
    assert done.stderr.startswith(
        f"Rows are missing from row 4 on: the checkpoint of {checkpoint.at} knew more."
    )


def test_anybody_can_check_a_checkpoint_with_the_public_key(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    told = run_json(tmp_path, "audit", "key")
    assert run(tmp_path, "audit", "key").stdout == f"{told['key']}  {told['public']}\n"
    line = json.loads(run(tmp_path, "audit", "checkpoint").stdout)
    signature = base64.b64decode(line.pop("signature"))
    assert line["key"] == told["key"]
    signed = b"teduh audit checkpoint v1\n" + json.dumps(line, separators=(",", ":")).encode()
    Ed25519PublicKey.from_public_bytes(base64.b64decode(told["public"])).verify(signature, signed)


@pytest.mark.parametrize("content", [None, "", "hello", '{"count":1}'])
def test_a_file_that_is_no_checkpoint_is_named(tmp_path: Path, content: str | None) -> None:
    file = tmp_path / "checkpoint"
    if content is not None:
        file.write_text(content)
    done = run(tmp_path, "audit", "verify", "--checkpoint", str(file))
    assert done.returncode == 2
    assert str(file) in done.stderr


def test_a_checkpoint_that_cannot_be_kept_outside_is_said_so(tmp_path: Path) -> None:
    done = run(tmp_path, "audit", "checkpoint", AUDIT_CHECKPOINTS=str(tmp_path / "nowhere"))
    assert done.returncode == 1
    assert "the directory cannot be written (No such file or directory)" in done.stderr
    done = run(tmp_path, "audit", "checkpoint", AUDIT_CHECKPOINTS="mailto:a@example.org")
    assert done.returncode == 1
    assert "there is no mail server (TEDUH_SMTP_URL)" in done.stderr


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    made = Post()
    server = await serve(made)
    yield made
    server.close()
    await server.wait_closed()


async def test_a_checkpoint_goes_to_two_people_by_mail(tmp_path: Path, post: Post) -> None:
    settings = {
        "SMTP_URL": f"smtp://127.0.0.1:{post.port}",
        "AUDIT_CHECKPOINTS": "mailto:a@example.org,b@example.org",
    }
    done = await asyncio.to_thread(lambda: process.run(tmp_path, "audit", "checkpoint", **settings))
    assert (done.returncode, done.stderr) == (0, "")
    assert [to for _, to in post.envelopes] == [["a@example.org"], ["b@example.org"]]
    for letter in post.came:
        assert read_lines(letter.get_content()) == read_lines(done.stdout)


async def test_a_mail_server_that_refuses_is_said_so(tmp_path: Path, post: Post) -> None:
    post.answers = ["554 no"]
    settings = {"SMTP_URL": f"smtp://127.0.0.1:{post.port}", "AUDIT_CHECKPOINTS": "mailto:a@example.org"}
    done = await asyncio.to_thread(lambda: process.run(tmp_path, "audit", "checkpoint", **settings))
    assert done.returncode == 1
    assert "The mail server did not take the checkpoint." in done.stderr


def test_tombstones_that_were_changed_stop_it(tmp_path: Path) -> None:
    fill(tmp_path, 1)
    (tmp_path / "var" / "erasures.jsonl").write_text("{}\n")
    done = run(tmp_path, "audit", "verify")
    assert done.returncode == 2
    assert "erasures.jsonl" in done.stderr
