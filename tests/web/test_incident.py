"""The command ``teduh incident``, as an operator runs it."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from accounts import logins, notices, people
from accounts.logins import Stage
from accounts.people import Person
from core.db import Database
from core.ids import UserId
from tests.web import process
from tests.web.commanding import run, run_json

pytestmark = pytest.mark.usefixtures("up_to_date")


def in_database(tmp_path: Path) -> list[Person]:
    """Make two clients, of whom one is logged in."""

    async def go() -> list[Person]:
        database = Database(f"sqlite:///{tmp_path / 'var' / 'teduh.db'}")
        now = datetime.now(UTC) - timedelta(hours=1)
        async with database.sessions.begin() as db:
            made = [
                await people.create_client(db, name=name, language="id", adult=True, now=now) for name in "AB"
            ]
            await logins.open_login(
                db, person=made[0], token="t", stage=Stage.FULL, device="x", own_phone=True, now=now
            )
        await database.close()
        return made

    return asyncio.run(go())


def inbox(tmp_path: Path, user: UserId) -> list[notices.Notice]:
    async def go() -> list[notices.Notice]:
        database = Database(f"sqlite:///{tmp_path / 'var' / 'teduh.db'}")
        async with database.sessions() as db:
            found = await notices.inbox(db, user=user)
        await database.close()
        return found

    return asyncio.run(go())


def opening(*more: str) -> list[str]:
    now = datetime.now(UTC)
    since, until = (now - timedelta(hours=2)).isoformat(), (now - timedelta(minutes=1)).isoformat()
    return [
        "incident", "open", "--title", "Cadangan hilang", "--what", "Cadangan hilang.",
        "--what-en", "A backup was lost.", "--since", since, "--until", until, "--known", since, *more,
    ]  # fmt: skip


def test_an_incident_from_opening_to_closing(tmp_path: Path) -> None:
    made = in_database(tmp_path)
    done = run(tmp_path, *opening("--all"))
    assert done.returncode == 0, done.stderr
    assert "affected  2\ntold      2\n" in done.stdout
    (listed,) = run_json(tmp_path, "incident", "list")
    assert (listed["affected"], listed["told"], listed["reported_at"]) == (2, 2, None)
    assert 69 * 3600 < listed["left_s"] <= 70 * 3600
    assert "70 h left" in run(tmp_path, "incident", "list").stdout
    for person in made:
        (notice,) = inbox(tmp_path, person.id)
        assert notice.said("en")["what"] == "A backup was lost."
        assert notice.said("id")["since"].endswith("WIB")
    number = listed["id"]
    assert run(tmp_path, "incident", "close", number).returncode == 1
    for action in (
        ["note", number, "Kunci diganti."],
        ["report", number],
        ["tell", number],
        ["close", number],
    ):
        done = run(tmp_path, "incident", *action)
        assert done.returncode == 0, done.stderr
    (listed,) = run_json(tmp_path, "incident", "list")
    assert listed["left_s"] is None
    assert listed["closed_at"] is not None


def test_it_affects_those_who_were_logged_in_and_waits_with_telling(tmp_path: Path) -> None:
    logged_in, other = in_database(tmp_path)
    done = run(tmp_path, *opening("--logins", "--later"))
    assert "affected  1\ntold      0\n" in done.stdout, done.stderr
    (listed,) = run_json(tmp_path, "incident", "list")
    assert run(tmp_path, "incident", "tell", listed["id"]).stdout == "1 were told.\n"
    assert [len(inbox(tmp_path, one.id)) for one in (logged_in, other)] == [1, 0]


def test_it_affects_those_in_a_file(tmp_path: Path) -> None:
    first, _ = in_database(tmp_path)
    listed = tmp_path / "users.txt"
    listed.write_text(f"{first.id}\n")
    assert "affected  1\n" in run(tmp_path, *opening("--users", str(listed))).stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [("Embun\n", "no id"), ("u_00000000000000000000\n", "not here"), (None, "cannot be read")],
)
def test_a_file_that_does_not_fit_opens_nothing(tmp_path: Path, content: str | None, said: str) -> None:
    in_database(tmp_path)
    listed = tmp_path / "users.txt"
    if content is not None:
        listed.write_text(content)
    done = run(tmp_path, *opening("--users", str(listed)))
    assert done.returncode in {1, 2}
    assert said in done.stderr
    assert run_json(tmp_path, "incident", "list") == []


def test_a_time_that_is_none_is_refused_with_a_sentence(tmp_path: Path) -> None:
    arguments = opening("--all")
    arguments[arguments.index("--since") + 1] = "kemarin"
    done = process.run(tmp_path, *arguments)
    assert (done.returncode, done.stderr) == (2, "kemarin is not a time such as 2026-03-02T09:00.\n")
