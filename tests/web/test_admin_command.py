"""`teduh admin create`: the first admin, from the terminal."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.web import process
from tests.web.commanding import run

pytestmark = pytest.mark.usefixtures("up_to_date")

PASSWORD = "kopi susu hangat di teras"


def create(folder: Path, password: str, name: str = "Dewi Lestari", login: str = "dewi") -> tuple[int, str]:
    file = folder / "password"
    file.write_text(password + "\nsecond line\n")
    done = run(folder, "admin", "create", name, login, "--password-file", str(file), HTTP_PORT="8080")
    return done.returncode, done.stdout + done.stderr


def test_an_admin_is_made_and_told_where_to_log_in(tmp_path: Path) -> None:
    assert create(tmp_path, PASSWORD) == (
        0,
        "dewi can log in at http://localhost:8080/staff/login and sets up the second factor there.\n",
    )
    with sqlite3.connect(tmp_path / "var" / "teduh.db") as db:
        assert db.execute("SELECT role FROM user_roles").fetchall() == [("admin",)]
        ((hashed,),) = db.execute("SELECT hash FROM passwords").fetchall()
        assert hashed.startswith("$argon2id$")
        assert [tag for (tag,) in db.execute("SELECT tag FROM audit_rows")] == ["staff:make"]
    db.close()


@pytest.mark.parametrize(
    ("password", "login", "status", "said"),
    [
        ("short", "dewi", 2, "at least 10 characters"),
        ("password123", "dewi", 2, "too common"),
        ("dewi.lestari", "dewi", 2, "too much like the name"),
        (PASSWORD, "d", 2, "LOGIN must have"),
        (PASSWORD, "dewi lestari", 2, "LOGIN must have"),
    ],
)
def test_what_does_not_fit_is_one_sentence(
    tmp_path: Path, password: str, login: str, status: int, said: str
) -> None:
    found, text = create(tmp_path, password, login=login)
    assert found == status
    assert said in text
    assert password not in text


def test_a_login_name_is_taken_once(tmp_path: Path) -> None:
    assert create(tmp_path, PASSWORD)[0] == 0
    assert create(tmp_path, PASSWORD, login="DEWI") == (1, "This name is taken.\n")


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    done = process.run(tmp_path, "admin", "create", "Dewi", "dewi", "--password-file", str(tmp_path / "none"))
    assert (done.returncode, done.stderr) == (2, "The password file cannot be read.\n")
