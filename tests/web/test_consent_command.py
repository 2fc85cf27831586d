"""``teduh consent`` as a process of its own, on the data directory of a server that ran."""

from __future__ import annotations

import asyncio
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from accounts import consents, people, texts
from accounts.audit import Audit
from accounts.receipts import Receipts
from accounts.texts import Kind
from core.clock import SystemClock
from core.db import Database
from core.ids import new_id
from core.keyfile import master_key
from migrations.run import upgrade
from tests.accounts.test_consents import client_in, give
from tests.accounts.test_texts import MASTER
from tests.fakes import FakeClock
from tests.web.commanding import run, run_json
from tests.web.process import COMMAND, environment
from web.commands.consent import look_at

ORIGIN = "http://localhost:8080"


async def _given(folder: Path, *, withdrawn: bool) -> tuple[str, str]:
    """A client who gave, and perhaps withdrew; the receipt of giving, and the person's id."""
    database = Database(f"sqlite:///{folder / 'var' / 'teduh.db'}")
    await upgrade(database)
    master, now = master_key(folder / "var"), SystemClock().now()
    audit = Audit(master)
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=now)
        person = await people.create_client(db, name="Sekar", language="id", adult=True, now=now)
        entry = await consents.give(
            db,
            audit,
            person=person,
            kind=Kind.SERVICE,
            version=1,
            locale="id",
            page="/me/consents",
            now=now,
        )
        if withdrawn:
            await consents.withdraw(db, audit, person=person, kind=Kind.SERVICE, page="/me/consents", now=now)
    await database.close()
    return Receipts(master, origin=ORIGIN).make(entry), person.id


@pytest.fixture
def given(tmp_path: Path, up_to_date: None) -> tuple[Path, str]:
    """The file of a receipt, and whose it is."""
    receipt, user = asyncio.run(_given(tmp_path, withdrawn=False))
    file = tmp_path / "receipt.txt"
    file.write_text(receipt + "\n")
    return file, user


def test_a_receipt_that_holds_is_told_so(tmp_path: Path, given: tuple[Path, str]) -> None:
    file, user = given
    done = run(tmp_path, "consent", "verify", str(file))
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert [line.partition(":")[0].split() for line in lines[:3]] == [
        ["signature", "fits"],
        ["ledger", "fits"],
        ["text", "fits"],
    ]
    assert f"{user} gave service version 1 (id)" in lines[1]
    assert lines[3] == "The receipt holds."
    assert "Since then" not in done.stdout
    assert "Sekar" not in done.stdout
    assert run_json(tmp_path, "consent", "verify", str(file))["holds"] is True


def test_it_tells_what_came_after(tmp_path: Path, up_to_date: None) -> None:
    receipt, _ = asyncio.run(_given(tmp_path, withdrawn=True))
    (tmp_path / "receipt.txt").write_text(receipt)
    done = run(tmp_path, "consent", "verify", str(tmp_path / "receipt.txt"))
    assert done.returncode == 0
    assert "Since then: withdrew service version 1 (id)" in done.stdout


def test_a_file_of_more_than_one_receipt_is_checked_to_its_end(
    tmp_path: Path, given: tuple[Path, str]
) -> None:
    file, _ = given
    receipt = file.read_text()
    file.write_text(f"{receipt}\n{receipt}")
    done = run(tmp_path, "consent", "verify", str(file))
    assert (done.returncode, done.stdout.count("The receipt holds.")) == (0, 2)
    file.write_text(f"{receipt}\r\n{receipt[:-20]}\n")
    done = run(tmp_path, "consent", "verify", str(file))
    assert (done.returncode, done.stdout.count("The receipt holds.")) == (1, 1)
    assert done.stderr.endswith("Not all of the receipts hold.\n")


def test_the_public_key_alone_checks_the_signature(tmp_path: Path, given: tuple[Path, str]) -> None:
    file, _ = given
    pem = tmp_path / "key.pem"
    pem.write_text(run(tmp_path, "consent", "key").stdout)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = run(elsewhere, "consent", "verify", str(file), "--public-key", str(pem))
    assert done.returncode == 1
    assert done.stdout.splitlines()[0].startswith("signature  fits")
    assert "ledger     DOES NOT FIT: there is no row c_" in done.stdout
    assert done.stderr.endswith("The receipt does not hold.\n")
    done = run(elsewhere, "consent", "verify", str(file))
    assert done.stdout.startswith("signature  DOES NOT FIT: The signature does not fit")
    assert len(done.stdout.splitlines()) == 1
    done = run(tmp_path, "consent", "verify", str(file), "--public-key", str(pem))
    assert done.returncode == 0


@pytest.mark.parametrize("content", [b"", b"\xff\xfe\x00", b"a.b.c", b"x" * 100_000])
def test_what_is_no_receipt_is_told_so(tmp_path: Path, up_to_date: None, content: bytes) -> None:
    (tmp_path / "receipt.txt").write_bytes(content)
    done = run(tmp_path, "consent", "verify", str(tmp_path / "receipt.txt"))
    assert done.returncode == 1
    assert done.stdout.startswith("signature  DOES NOT FIT")
    assert "Traceback" not in done.stderr


def test_files_that_are_not_there_are_named(tmp_path: Path, given: tuple[Path, str]) -> None:
    file, _ = given
    done = run(tmp_path, "consent", "verify", "nowhere.txt")
    assert (done.returncode, done.stderr) == (2, "nowhere.txt cannot be read: No such file or directory.\n")
    done = run(tmp_path, "consent", "verify", str(file), "--public-key", str(file))
    assert done.returncode == 1
    assert "an Ed25519 key in PEM is expected" in done.stderr


def test_a_receipt_may_come_by_the_input(tmp_path: Path, given: tuple[Path, str]) -> None:
    file, _ = given
    with file.open("rb") as receipt:
        done = subprocess.run(
            [*COMMAND, "consent", "verify", "-"],
            cwd=tmp_path,
            env=environment(tmp_path),
            stdin=receipt,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "The receipt holds.")


async def test_what_was_signed_here_and_is_not_in_the_ledger_is_found(
    database: Database, clock: FakeClock
) -> None:
    receipts = Receipts(MASTER, origin=ORIGIN)
    async with database.sessions.begin() as db:
        await texts.put_first(db, now=clock.now())
        person = await client_in(db, clock)
        entry = await give(db, person, Kind.SERVICE, clock)
        for changed, wanted in (
            (entry, [True, True, True]),
            (replace(entry, given=False), [True, False, True]),
            (replace(entry, version=2), [True, False, False]),
            (replace(entry, locale="fr"), [True, False, False]),
            (replace(entry, sha256="0" * 64), [True, False, False]),
            (replace(entry, id=new_id("c")), [True, False, True]),
        ):
            found = await look_at(db, receipts, receipts.make(changed), key=receipts.public_key)
            assert [one.fits for one in found] == wanted
            assert [one.what for one in found] == ["signature", "ledger", "text"]
